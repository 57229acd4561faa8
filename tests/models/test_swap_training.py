"""A swapped model trains on as the model would, whatever was frozen, quantized or added to it."""

import re
from collections import defaultdict

import keras
import numpy as np
import pytest

from tfcourse import Adam, BatchNorm, InputError, Momentum, RMSprop
from tfcourse.models.fold import fold_batch_norm, fold_report
from tfcourse.models.gradient_check import gradient_check
from tfcourse.models.recalibrate import recalibrate
from tfcourse.models.swap import swap

L = keras.layers
K = keras.optimizers
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(32, 16)).astype("float32"), np.arange(32) % 3
CHANGES = ("freeze a layer", "freeze a model", "unfreeze", "lora", "int8", "int4", "float8")
NO_QUANTIZE = pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")


def two_optimizers():
    rest = K.Adam(0.01, use_ema=True)
    return K.MultiOptimizer(K.OptimizerMap(rest, {".*kernel": K.SGD(0.01, momentum=0.9)}))


OPTIMIZERS = {
    "Adam": lambda: K.Adam(0.01),
    "SGD": lambda: K.SGD(0.01, momentum=0.9, nesterov=True),
    "averaged": lambda: K.Adam(0.01, use_ema=True, gradient_accumulation_steps=2),
    "scaled": lambda: K.LossScaleOptimizer(K.RMSprop(0.01, momentum=0.5), initial_scale=8),
    "several": two_optimizers,
    "our Adam": lambda: Adam(0.01),
    "our Momentum, averaged": lambda: Momentum(0.01, use_ema=True),
    "our RMSprop, scaled": lambda: K.LossScaleOptimizer(RMSprop(0.01), initial_scale=8),
}


def trained(optimizer="Adam", norm=L.BatchNormalization):
    # No weight whose gradient is nothing but rounding, which Adam would take for steps.
    first, second = (L.Dense(8, use_bias=False) for _ in range(2))
    inner = keras.Sequential([keras.Input((8,)), norm(), L.ReLU(), second], name="inner")
    head = L.Dense(3, activation="softmax")
    model = keras.Sequential([keras.Input((16,)), first, inner, norm(), L.Dropout(0.5), head])
    model.layers[3].trainable = False
    model.compile(OPTIMIZERS[optimizer](), "sparse_categorical_crossentropy", run_eagerly=True)
    for _ in range(3):
        model.train_on_batch(X, Y)
    return model


def changed(model, change):
    if change == "freeze a layer":
        model.layers[0].trainable = False
    elif change == "freeze a model":
        model.layers[1].trainable = False
        model.layers[1].layers[2].trainable = True  # to no effect, as the model inside is frozen
    elif change == "unfreeze":
        model.layers[3].trainable = True
    elif change == "lora":
        model.layers[0].enable_lora(2)
        model.layers[0].lora_kernel_b.assign(RNG.normal(size=(2, 8)))
    else:
        model.quantize(change)
    return model


def state(optimizer):
    """An optimizer's variables by name, which for a weight's contains the weight's path."""
    values = defaultdict(list)
    for variable in optimizer.variables:
        values[variable.path.split("/")[-1]].append(np.array(variable))
    return values


@NO_QUANTIZE
@pytest.mark.filterwarnings("ignore:swap. the optimizer has no state of")
@pytest.mark.parametrize("change", CHANGES)
def test_outputs_weights_and_what_trains(change):
    model = changed(trained(), change)
    for to in ("tfcourse", "keras"):
        copy = swap(model, to)
        np.testing.assert_array_equal(copy(X), model(X))
        paths = [[w.path for w in m.trainable_variables] for m in (copy, model)]
        assert sorted(paths[0]) == sorted(paths[1])
        if change != "float8":  # which Keras trains in graphs only, too slow to trace for a test
            copy.train_on_batch(X, Y)
        model = copy


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_weight_keeps_its_state(optimizer):
    model = changed(trained(optimizer), "freeze a layer")
    (old, new) = (state(m.optimizer) for m in (model, swap(model)))
    frozen = {name for name in old if model.layers[0].kernel.path.replace("/", "_") in name}
    assert set(old) - set(new) >= frozen and bool(frozen)
    for name, values in new.items():
        for value, expected in zip(values, old[name], strict=True):
            np.testing.assert_array_equal(value, expected)
    assert sum(value.any() for values in new.values() for value in values) > 8


@pytest.mark.parametrize("optimizer", ["Adam", "scaled", "our Adam", "our Momentum, averaged"])
def test_training_goes_on_as_it_would(optimizer):
    """Dropout's masks included; the model's program is made anew, for Keras to see what trains."""
    model = trained(optimizer)
    if "averaged" not in optimizer:  # whose averages Keras would give to other weights
        changed(model, "freeze a layer")
    copy = swap(model)
    model.make_train_function(force=True)
    for _ in range(3):
        losses = [m.train_on_batch(X, Y) for m in (copy, model)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for one, two in zip(copy.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_what_began_to_train_begins_anew():
    model = changed(trained("averaged"), "lora")
    names = ", ".join(f'"{model.name}/dense/lora_kernel_{part}"' for part in "ab")
    names = re.sub("/dense", f"/{model.layers[0].name}", names)
    with pytest.warns(
        UserWarning, match=re.escape(f"swap: the optimizer has no state of {names},")
    ):
        copy = swap(model)
    averages = dict(
        zip(
            [w.path for w in copy.trainable_variables],
            copy.optimizer._model_variables_moving_average,
            strict=True,
        )
    )
    lora = copy.layers[0].lora_kernel_b
    np.testing.assert_array_equal(averages[lora.path], lora)  # an average of one value is that
    assert copy.optimizer.iterations.numpy() == model.optimizer.iterations.numpy() > 0


def test_an_optimizer_that_does_not_tell_its_state_apart_begins_anew():
    model = trained()
    model.compile(K.Adafactor(), "mse")
    model.optimizer.build(model.trainable_variables)
    assert len(state(swap(model).optimizer)) == len(state(model.optimizer))
    changed(model, "freeze a layer")
    with pytest.warns(UserWarning, match="swap: Adafactor does not say which of its state"):
        copy = swap(model)
    assert len(copy.optimizer.variables) < len(model.optimizer.variables)


def test_an_optimizer_that_is_not_built():
    model = keras.Sequential([keras.Input((4,)), L.Dense(3), L.BatchNormalization()])
    model.compile("adam", "mse")
    model.optimizer = K.Adam(0.25)
    model.compile(model.optimizer, "mse")
    assert float(swap(model).optimizer.learning_rate) == 0.25


@NO_QUANTIZE
@pytest.mark.parametrize("change", ["lora", "int8", "int4", "float8"])
def test_fold_leaves_what_it_cannot_fold(change):
    model = keras.Sequential([keras.Input((16,)), L.Dense(8), BatchNorm(), L.Dense(3)])
    recalibrate(model, X, verbose=False)
    changed(model, change)
    recalibrate(model, X, verbose=False)
    report, (dense, norm, _) = fold_report(model), model.layers
    reason = f'"{dense.name}" before it is quantized or has LoRA weights'
    assert (dict(report.folded), dict(report.left)) == ({}, {norm.name: reason})
    np.testing.assert_array_equal(fold_batch_norm(model)(X), model(X))


@NO_QUANTIZE
@pytest.mark.parametrize("change", ["int8", "int4", "float8"])
def test_a_quantized_model_has_no_gradient_to_check(change):
    model = changed(trained(), change)
    said = f'must not be quantized, .* Received: quantized layer "{model.layers[0].name}". Check'
    with pytest.raises(InputError, match=said):
        gradient_check(model, X, Y)


@pytest.mark.parametrize("change", ["freeze a layer", "lora"])
def test_the_gradient_of_the_rest(change):
    result = gradient_check(changed(trained(), change), X[:4], Y[:4], max_parameters=60)
    assert result.verdict == "pass"
