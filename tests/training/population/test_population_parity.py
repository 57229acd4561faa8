"""A member is the model trained alone: by Keras's own fit, and by tfcourse's with its order."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.population.small import (
    BATCH,
    CLASSES,
    FEATURES,
    alone,
    assert_same_history,
    assert_same_weights,
    built,
    compiled,
    data,
    members,
    mlp,
    population,
)
from tfcourse import Adam, BatchNorm, GradientDescent, Momentum, RMSprop, SoftmaxHead
from tfcourse.layers.dropout import Dropout

layers = keras.layers
EPOCHS = 3
# Without a smaller last batch, which is one more program to trace: in "adam" and the models of
# SMALLER_LAST every kind of step has one.
FULL = 3 * BATCH


class Centred(Adam):
    """With gradients of mean 0."""

    def step(self, gradient, state, now):
        return super().step(gradient - tf.reduce_mean(gradient), state, now)


OPTIMIZERS = {
    "gradient_descent": (GradientDescent, {"learning_rate": [0.3, 0.05]}),
    "momentum": (Momentum, {"learning_rate": [0.3, 0.1], "momentum": [0.5, 0.95]}),
    "rmsprop": (RMSprop, {"rho": [0.8, 0.99], "epsilon": [1e-3, 1e-7]}),
    "adam": (Adam, {"learning_rate": [0.05, 0.01], "beta_1": [0.5, 0.9], "beta_2": [0.9, 0.9999]}),
    "one's own": (Centred, {"learning_rate": [0.05, 0.01]}),
}


def many_layers():
    """Every kind of vectorizable layer without random draws, with penalties and a frozen layer."""
    inputs = keras.Input((FEATURES,))
    h = layers.Rescaling(0.5)(layers.Identity()(inputs))
    h = layers.Dense(
        6, kernel_regularizer=keras.regularizers.L1L2(0.01, 0.02), bias_constraint="non_neg"
    )(h)
    h = layers.LayerNormalization()(layers.ActivityRegularization(l2=0.01)(h))
    h = layers.PReLU()(h)
    first = layers.BatchNormalization()(layers.Dense(6, use_bias=False)(h))
    second = layers.LeakyReLU()(layers.Dense(6, kernel_constraint="max_norm", trainable=False)(h))
    h = layers.Add()([first, layers.ELU()(second)])
    h = layers.Concatenate()([h, layers.Multiply()([first, second])])
    h = layers.Permute((2, 1))(layers.Reshape((3, 4))(h))
    h = layers.RMSNormalization()(layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d")(h))
    pooled = [layers.GlobalAveragePooling1D()(h), layers.GlobalMaxPooling1D()(h)]
    h = layers.Average()([*pooled, layers.Maximum()(pooled), layers.Minimum()(pooled)])
    h = layers.UnitNormalization()(layers.Subtract()([h, layers.ReLU()(h)]))
    h = layers.Flatten()(layers.RepeatVector(2)(h))
    h = BatchNorm(bias_correction=True)(h)
    outputs = layers.Softmax()(layers.Dense(CLASSES)(h))
    return compiled(keras.Model(inputs, outputs), Momentum(0.1))


def embedding():
    """Whole numbers in, of which 0 is a mask that batch norm and the loss honour."""
    inputs = keras.Input((FEATURES,), dtype="int32")
    h = layers.Embedding(9, 4, mask_zero=True)(inputs)
    h = BatchNorm()(h)
    h = layers.GlobalAveragePooling1D()(h)
    return compiled(keras.Model(inputs, SoftmaxHead(CLASSES)(h)), GradientDescent(0.5))


def random_layers():
    """Layers that draw."""
    stack = [
        keras.Input((FEATURES,)),
        layers.GaussianNoise(0.3),
        layers.Dense(8, "tanh"),
        layers.Dropout(0.4),
        layers.Dense(8, "tanh"),
        layers.GaussianDropout(0.2),
        SoftmaxHead(CLASSES),
    ]
    return compiled(keras.Sequential(stack), GradientDescent(0.3))


def renormalized():
    """Batch renormalization, ours and Keras's, in training corrected by averages; ghosts."""
    settings = {"renorm": True, "renorm_momentum": 0.7, "renorm_clipping": {"rmax": 2.0}}
    stack = [layers.Dense(6, use_bias=False), BatchNorm(**settings), layers.Activation("tanh")]
    stack += [layers.Dense(6, use_bias=False), layers.BatchNormalization(**settings)]
    # The activation, as otherwise the gradient of the β before it would be rounding alone.
    ghosts = BatchNorm(virtual_batch_size=3)
    stack += [layers.Activation("tanh"), layers.Dense(6, use_bias=False), ghosts]
    model = keras.Sequential([keras.Input((FEATURES,)), *stack, SoftmaxHead(CLASSES)])
    return compiled(model, GradientDescent(0.1))


def adapted():
    """A LoRA layer, one quantized to int8, and a frozen one."""
    hidden = [layers.Dense(6, "tanh"), layers.Dense(6, "tanh"), layers.Dense(6, "tanh")]
    model = keras.Sequential([keras.Input((FEATURES,)), *hidden, SoftmaxHead(CLASSES)])
    hidden[0].enable_lora(2)
    hidden[1].quantize("int8")
    hidden[2].trainable = False
    return compiled(model, Adam(0.05))


def scheduled():
    """A learning rate that falls from step to step, and a model inside a model, built late."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.3, 4, 0.5)
    inner = keras.Sequential([layers.Dense(6, "tanh"), layers.Dense(4, "tanh")])
    return compiled(keras.Sequential([inner, SoftmaxHead(CLASSES)]), GradientDescent(schedule))


MODELS = {f.__name__: f for f in (embedding, random_layers, renormalized, adapted, scheduled)}
CASES = {name: (lambda o=o: mlp(o), values) for name, (o, values) in OPTIMIZERS.items()}
CASES |= {name: (build, {}) for name, build in MODELS.items()}
SMALLER_LAST = ["adam", "embedding", "random_layers"]


def assert_as_keras_trains_it(build, x, y, tolerance=1e-5, validated=True, **values):
    chosen = members(2, **values)
    options = {"epochs": EPOCHS, "shuffle": False}
    if validated:
        rows = slice(BATCH if len(x) == FULL else 21)
        options["validation_data"] = x[rows], y[rows]
    result = population(build, chosen, x, y, **options)
    model = built(build, chosen[1])
    model.run_eagerly = True  # there is nothing to trace for so few steps
    expected = model.fit(x, y, BATCH, verbose=0, **options).history
    assert_same_history(result.results[1].history, expected, tolerance)
    assert_same_weights(result.weights(1), model.get_weights(), tolerance)
    assert result.traces == 1 + validated


@pytest.mark.parametrize("case", CASES)
def test_a_member_is_the_model_that_keras_trains(case):
    """The validation knows nothing of the optimizer: one of the optimizers has it."""
    build, values = CASES[case]
    values = {"validated": case not in OPTIMIZERS or case == "adam", **values}
    x, y = data() if case in SMALLER_LAST else data(examples=FULL)
    if case == "embedding":
        x = np.abs(x * 4).astype("int32") % 9
    assert_as_keras_trains_it(build, x, y, **values)


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")


def test_every_layer(float64):
    """In float64: so many layers on top of each other make much of float32's rounding."""
    assert_as_keras_trains_it(many_layers, *data(examples=FULL), tolerance=1e-9)


def two_outputs():
    """Two outputs with a loss each, and metrics of many kinds."""
    inputs = {"a": keras.Input((FEATURES,), name="a"), "b": keras.Input((2,), name="b")}
    h = layers.Dense(6, "tanh")(layers.Concatenate()([inputs["a"], inputs["b"]]))
    outputs = {
        "yes": layers.Dense(1, "sigmoid", name="yes")(h),
        "kind": layers.Dense(CLASSES, "softmax", name="kind")(h),
    }
    model = keras.Model(inputs, outputs)
    metrics = keras.metrics
    model.compile(
        GradientDescent(0.1),
        loss={"yes": "binary_crossentropy", "kind": "categorical_crossentropy"},
        loss_weights={"yes": 2.0, "kind": 0.5},
        metrics={
            "yes": [
                "accuracy",
                metrics.AUC(num_thresholds=20, name="auc"),
                metrics.Precision(name="precision"),
                "mse",
            ],
            "kind": ["accuracy", metrics.F1Score(), metrics.OneHotMeanIoU(CLASSES, name="iou")],
        },
        weighted_metrics={
            "yes": [metrics.Recall(name="recall")],
            "kind": [metrics.TopKCategoricalAccuracy(2)],
        },
    )
    return model


def test_several_inputs_outputs_weights_and_metrics():
    """Of full batches: without XLA, Keras gives a smaller last batch of an output's loss the same
    weight as the others."""
    features, labels = data(examples=2 * BATCH)
    x = {"a": features, "b": features[:, :2] ** 2}
    y = {"yes": (labels == 1).astype("float32")[:, None], "kind": np.eye(CLASSES)[labels]}
    weights = np.random.default_rng(1).uniform(0.5, 2, len(labels))
    (member,) = members(1)
    options = {"sample_weight": weights, "epochs": 2, "validation_data": (x, y, weights[::-1])}
    model, expected = alone(two_outputs, member, x, y, **options, jit_compile=False)
    result = population(two_outputs, [member], x, y, **options)
    assert_same_history(result.results[0].history, expected)
    assert_same_weights(result.weights(0), model.get_weights())


def dropped():
    stack = [keras.Input((FEATURES,)), BatchNorm(), layers.Dropout(0.4), SoftmaxHead(CLASSES)]
    return compiled(keras.Sequential(stack), GradientDescent(0.3))


def test_under_xla_a_member_is_what_fit_trains_under_xla():
    """Dropout as well, which draws from XLA's generator there."""
    x, y = data()
    chosen = members(2)
    options = {"epochs": 2, "jit_compile": True}
    result = population(dropped, chosen, x, y, **options)
    assert result.jit_compile
    model, expected = alone(dropped, chosen[1], x, y, **options)
    assert_same_history(result.results[1].history, expected)
    assert_same_weights(result.weights(1), model.get_weights())


def rated(rate=0.5):
    """Dropout whose rate is state."""
    stack = [Dropout(rate), layers.Dense(8, "tanh"), Dropout(rate)]
    model = keras.Sequential([keras.Input((FEATURES,)), *stack, SoftmaxHead(CLASSES)])
    return compiled(model, GradientDescent(0.3))


def restart(model, new, rate):
    """Return a trained model of `rated` in the state of a new one, with its compiled programs."""
    new.optimizer.build(new.trainable_variables)
    for layer, other in zip(
        [*model.layers, model.optimizer], [*new.layers, new.optimizer], strict=True
    ):
        for variable, value in zip(layer.variables, other.variables, strict=True):
            variable.assign(value)
        if isinstance(layer, Dropout):
            layer.rate = rate
    return model


@pytest.mark.parametrize("jit_compile", [False, True])
def test_each_member_has_its_own_rate_of_dropout(jit_compile):
    x, y = data(examples=FULL)
    rates, options = [0.2, 0.7], {"epochs": 2, "jit_compile": jit_compile}
    result = population(rated, members(2, dropout=rates), x, y, **options)
    trained = None
    for index, (member, rate) in enumerate(zip(members(2), rates, strict=True)):
        build = partial(rated, rate)
        if trained is not None:  # the rate is a variable: its program serves this one as well
            build = partial(restart, trained, built(build, member), rate)
        trained, expected = alone(build, member, x, y, **options)
        assert_same_history(result.results[index].history, expected)
        assert_same_weights(result.weights(index), trained.get_weights())


def test_a_population_leaves_the_model_s_own_rate():
    x, y = data(examples=BATCH)
    model = rated(0.3)
    before = [layer.rate_variable for layer in model.layers if isinstance(layer, Dropout)]
    population(model, members(2, dropout=[0.1, 0.9]), x, y, epochs=1)
    after = [layer for layer in model.layers if isinstance(layer, Dropout)]
    assert all(layer.rate_variable is own for layer, own in zip(after, before, strict=True))
    assert [layer.rate for layer in after] == [0.3, 0.3]
