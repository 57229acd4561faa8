"""Each erratum against an independent reference: exact fractions, SciPy, Keras, closed forms."""

import runpy
from fractions import Fraction

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse.course import places


@pytest.fixture(scope="module")
def errata(tmp_path_factory):
    """The names of the script after a quick run, and the verdicts that it states."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCOURSE_EXAMPLES_OUT", str(tmp_path_factory.mktemp("pictures")))
        patch.setattr("tfcourse.course.script.QUICK", True)
        verdicts = {}
        patch.setattr(
            "tfcourse.course.script.verdict",
            lambda claim, holds, figures: verdicts.update({claim: bool(holds)}),
        )
        # The names that the package has loaded already are those from before.
        for name in ("QUICK", "verdict"):
            patch.delitem(vars(__import__("tfcourse.course").course), name, raising=False)
        names = runpy.run_path(str(places.project_file("examples/E1_errata.py")))
    import matplotlib.pyplot as plt

    plt.close("all")
    return names | {"verdicts": verdicts}


def test_all_eleven_are_shown(errata):
    assert errata["verdicts"] == {f"E{number}": True for number in range(1, 12)}
    assert errata["DRAWS"] == 1000


def test_e1_the_rates_of_each_form(errata):
    """The exponents of the wrong form are those of the right one without the minus."""
    from scipy import stats

    right, wrong = errata["right_rates"].ravel(), errata["wrong_rates"].ravel()
    assert stats.kstest(np.log10(right), stats.uniform(-4, 4).cdf).pvalue > 1e-3
    assert stats.kstest(np.log10(wrong), stats.uniform(0, 4).cdf).pvalue > 1e-3


def test_e2_the_steps_in_exact_fractions(errata):
    def window(beta):
        return 1 / (1 - Fraction(beta))

    assert window("0.9995") / window("0.999") == 2
    assert errata["right_step"] == pytest.approx(2, abs=1e-9)
    assert window("0.999") / window("0.9990") == errata["wrong_step"] == 1


def test_e3_the_noises_are_those_of_the_closed_forms(errata):
    keep = errata["KEEP"]
    for index, m in enumerate(errata["SIZES"]):
        means, kept = errata["noise"][:, index].T
        assert np.median(means) == pytest.approx(1 / np.sqrt(m), rel=0.1)
        assert np.median(kept) == pytest.approx(np.sqrt((1 - keep) / keep), rel=0.02)
    dropped = keras.layers.Dropout(1 - keep, seed=0)(np.ones((500, 500)), training=True)
    assert np.std(dropped) == pytest.approx(np.median(errata["noise"][..., 1]), rel=0.02)


def test_e4_a_quarter_of_the_codes_rates_is_below_the_texts(errata):
    assert np.mean(errata["right_rates"] < 0.001) == pytest.approx(0.25, abs=0.02)
    assert Fraction("10e-4") == Fraction(1, 1000)


def test_e5_the_decay_is_that_of_keras(errata):
    schedule = keras.optimizers.schedules.InverseTimeDecay(0.1, 1, errata["RATE"])
    for epoch in range(5):
        assert errata["right_decay"](epoch) == pytest.approx(float(schedule(epoch)), rel=1e-6)
        assert errata["wrong_decay"](epoch) == pytest.approx(10 * float(schedule(epoch)), rel=1e-6)


def test_e6_the_weights_that_are_nan_are_those_of_pixels_that_are_always_0(errata):
    """Or of units that no example reaches: there the gradient is exactly 0 as well."""
    black = ~errata["X"].any(axis=0)
    assert 0 < black.sum() < 64
    assert np.isnan(errata["without"][black]).all()
    assert (np.isnan(errata["without"]) == (errata["gradient"] == 0)).all()
    assert (errata["with_epsilon"][black] == 0).all()
    # Keras has ε inside the root: for gradients far above it the step is the same.
    ours = errata["with_epsilon"]
    variable = keras.Variable(np.zeros_like(ours, "float32"))
    optimizer = keras.optimizers.RMSprop(0.001, rho=0.9, epsilon=1e-16)
    optimizer.apply([tf.constant(errata["gradient"], "float32")], [variable])
    large = abs(errata["gradient"]) > 1e-4
    np.testing.assert_allclose(-variable.numpy()[large], ours[large], rtol=1e-3)


def test_e7_the_start_has_the_mean_and_the_variance(errata):
    rng = np.random.default_rng(1)
    he, rand = errata["he"](rng, 400, 300), errata["rand"](rng, 400, 300)
    assert he.mean() == pytest.approx(0, abs=1e-3)
    assert he.var() == pytest.approx(2 / 400, rel=0.02)
    keras_he = keras.initializers.HeNormal(seed=0)((400, 300))
    assert he.std() == pytest.approx(float(np.std(keras_he)), rel=0.02)
    assert rand.mean() == pytest.approx(0.5, abs=0.01)
    assert rand.min() >= 0


def test_e8_division_keeps_the_mean_and_the_typo_is_no_python(errata):
    with pytest.raises(SyntaxError):
        compile(r"a3 \= keep_prob", "the notes", "exec")
    compile("a3 /= keep_prob", "corrected", "exec")
    assert errata["divided"].mean() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(errata["undivided"], errata["KEEP"] * errata["divided"])


def test_e9_the_gradient_is_that_of_the_tape(errata):
    layers = errata["start"](3)
    x, y = errata["X"][:40], errata["Y"][:40]
    weights = [tf.Variable(part) for layer in layers for part in layer]
    with tf.GradientTape() as tape:
        a = x
        for number in (0, 2, 4):
            z = a @ weights[number] + weights[number + 1]
            a = tf.nn.relu(z)
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, z))
    expected = tape.gradient(loss, weights)
    own = [part for layer in errata["backward"](layers, x, y) for part in layer]
    for ours, theirs in zip(own, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    wrong = [part for layer in errata["backward"](layers, x, y, with_x=True) for part in layer]
    differ = [not np.allclose(one, two) for one, two in zip(wrong, expected, strict=True)]
    assert differ == [False, False, True, False, True, False]  # dW of the layers after the first


def test_e10_each_snippet_is_an_error_and_the_step_is_adams(errata):
    assert errata["raised"] == {
        "notes_tap": "NameError",
        "notes_variables": "AttributeError",
        "notes_without_return": "TypeError",
        "notes_minimize": "AttributeError",
    }
    assert float(errata["w"]) == pytest.approx(0.1, abs=1e-6)  # Adam's first step has the length α


def test_e11_the_names_are_gone_and_the_program_is_the_recursion(errata):
    assert errata["gone"] == list(errata["OLD"])
    w = np.float32(0)
    for _ in range(1000):
        w = w - np.float32(0.01) * (np.float32(2) * w - np.float32(10))
    assert float(errata["old_w"]) == float(errata["new"].w) == pytest.approx(float(w), abs=1e-6)
