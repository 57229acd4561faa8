"""Trained to convergence, `SoftmaxHead` is scikit-learn's logistic regression (course 3.3)."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from tfcourse import Adam, SoftmaxHead, fit

# Separable data have no optimum without a penalty: the weights would grow for ever.
L2 = 1e-2
STEPS, AN_EPOCH = 1500, 50


@pytest.mark.parametrize(("load", "classes"), [(load_breast_cancer, 2), (load_digits, 10)])
def test_same_optimum(load, classes):
    x, y = load(return_X_y=True)
    x = ((x - x.mean(0)) / (x.std(0) + 1e-9)).astype("float32")
    # Ours: mean loss + L2·Σ‖w_j‖². scikit-learn: C·Σ losses + ½Σ‖w_j‖². With two classes it has
    # one vector v = w_1 - w_0, and our two penalties together are L2·½‖v‖².
    inverse_penalty = 1 / (L2 * len(y)) if classes == 2 else 1 / (2 * L2 * len(y))
    reference = LogisticRegression(C=inverse_penalty, tol=1e-10, max_iter=10_000).fit(x, y)

    head = SoftmaxHead(classes, kernel_regularizer=keras.regularizers.L2(L2))
    model = keras.Sequential([keras.Input(x.shape[1:]), head])
    rate = keras.optimizers.schedules.CosineDecay(0.05, STEPS)
    model.compile(Adam(rate), "sparse_categorical_crossentropy")
    # An epoch is many steps, each on all rows: its beginning and end take longer than a step.
    rows, labels = (np.concatenate(AN_EPOCH * [part]) for part in (x, y))
    options = {"batch_size": len(y), "epochs": STEPS // AN_EPOCH, "shuffle": False, "verbose": 0}
    fit(model, rows, labels, **options)

    probabilities, expected = model.predict(x, verbose=0), reference.predict_proba(x)
    assert log_loss(y, probabilities) == pytest.approx(log_loss(y, expected), abs=1e-4)
    np.testing.assert_allclose(probabilities, expected, atol=1e-3)
    if classes == 2:
        kernel = head.kernel.numpy()
        np.testing.assert_allclose(kernel[:, 1] - kernel[:, 0], reference.coef_[0], atol=1e-3)
