"""After `recalibrate` the statistics are those of the whole data, in float64 NumPy (course 2.8)."""

import re

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from tests.reference import normalization as reference
from tfcourse import BatchNorm, InputError
from tfcourse.errors import WorkFailedError
from tfcourse.models.recalibrate import _PASSES, recalibrate

KERAS = keras.layers.BatchNormalization
DENSE = keras.layers.Dense
BOTH = pytest.mark.parametrize("norm", [BatchNorm, KERAS], ids=["tfcourse", "keras"])


def model_of(*layers, shape=(4,)):
    return keras.Sequential([keras.Input(shape), *layers])


def shake(model):
    """Random statistics, γ and β, as of a training."""
    rng = np.random.default_rng(7)
    for layer in model._flatten_layers():
        if isinstance(layer, BatchNorm | KERAS):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.weights])
    return model


def fed(model, layer, x):
    """What a layer of the model is fed by x at test time, computed in one batch."""
    return keras.Model(model.inputs, layer.input)([x], training=False).numpy()


def check(layer, z, mask=None, rtol=2e-6):
    axes = tuple(a for a in range(z.ndim) if a != layer.axis % z.ndim)
    mean, variance = reference.moments(z, axes, mask)
    atol = rtol * np.sqrt(variance).max()
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=rtol, atol=atol)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=rtol)


def weights_of(model):
    return [v.numpy() for v in model.variables]


def assert_unchanged(model, before):
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


@BOTH
@pytest.mark.parametrize(
    ("shape", "axis"), [((4,), -1), ((5, 4), -1), ((5, 4), 1), ((3, 3, 2), -1), ((3, 3, 2), 1)]
)
def test_the_statistics_are_those_of_the_whole_data(norm, shape, axis, rng):
    model = shake(model_of(norm(axis=axis), shape=shape))
    x = rng.normal(3, 2, (23, *shape)).astype(np.float32)
    assert recalibrate(model, x, batch_size=5, verbose=False) is None
    check(model.layers[0], x)


def test_layer_after_layer_in_the_final_network(rng):
    """Each reference is computed with float64 NumPy from the one before."""
    widths = [6, 5, 3]
    model = shake(model_of(*(part for n in widths for part in (DENSE(n, "relu"), BatchNorm()))))
    x = rng.normal(1, 2, (101, 4)).astype(np.float32)
    recalibrate(model, x, verbose=False)
    a = x.astype(np.float64)
    for dense, norm in zip(model.layers[::2], model.layers[1::2], strict=True):
        z = np.maximum(a @ dense.kernel.numpy() + dense.bias.numpy(), 0)
        check(norm, z, rtol=1e-5)
        a = reference.batch_norm(z, norm.gamma.numpy(), norm.beta.numpy(), norm.epsilon)
    # Course 2.8: at test time the whole set is now normalized as one batch of it would be.
    np.testing.assert_allclose(model.predict(x, verbose=0), a, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 32, 1000])
def test_the_batch_size_does_not_matter(batch_size, rng):
    model = model_of(BatchNorm())
    x = rng.normal(3, 2, (33, 4)).astype(np.float32)
    recalibrate(model, x, batch_size=batch_size, verbose=False)
    check(model.layers[0], x, rtol=1e-7)


def test_a_large_mean(rng):
    x = rng.normal(1e4, 0.1, (1000, 4)).astype(np.float32)
    model = model_of(BatchNorm())
    recalibrate(model, x, verbose=False)
    mean, variance = reference.moments(x, (0,))
    np.testing.assert_allclose(model.layers[0].moving_mean, mean, rtol=1e-7)
    np.testing.assert_allclose(model.layers[0].moving_variance, variance, rtol=1e-6)


def test_float64_layers_keep_all_digits(rng):
    x = rng.normal(1e6, 0.1, (100, 4))
    model = keras.Sequential([keras.Input((4,), dtype="float64"), BatchNorm(dtype="float64")])
    recalibrate(model, x, verbose=False)
    check(model.layers[0], x, rtol=1e-9)


def test_mixed_precision(rng):
    keras.config.set_dtype_policy("mixed_float16")
    model = shake(model_of(DENSE(8), BatchNorm()))
    x = rng.normal(100, 3, (64, 4)).astype(np.float32)
    recalibrate(model, x, verbose=False)
    check(model.layers[1], fed(model, model.layers[1], x))


def test_bias_correction_is_complete():
    model = model_of(BatchNorm(bias_correction=True))
    recalibrate(model, np.arange(12.0).reshape(3, 4), verbose=False)
    assert float(model.layers[0].moving_weight) == 1
    check(model.layers[0], np.arange(12.0).reshape(3, 4))


@BOTH
def test_batch_renormalization(norm):
    """The deviation, from which Keras derives the next moving variance, goes along."""
    model = model_of(norm(renorm=True))
    x = np.arange(12.0).reshape(3, 4)
    recalibrate(model, x, verbose=False)
    check(model.layers[0], x)
    np.testing.assert_allclose(model.layers[0].moving_stddev, np.sqrt(x.var(0) + 1e-3), rtol=1e-6)


def test_frozen_layers_take_part(rng):
    model = model_of(BatchNorm())
    model.trainable = False
    x = rng.normal(3, 2, (9, 4)).astype(np.float32)
    recalibrate(model, x, verbose=False)
    check(model.layers[0], x)
    assert not model.trainable


def test_nothing_but_the_statistics_changes(rng):
    model = shake(model_of(DENSE(3), BatchNorm(), keras.layers.Dropout(0.5), DENSE(2)))
    before = {v.path: v.numpy() for v in model.variables}
    recalibrate(model, rng.normal(size=(9, 4)), verbose=False)
    changed = {v.name for v in model.variables if not np.array_equal(v, before[v.path])}
    assert changed == {"moving_mean", "moving_variance"}
    assert not any("call" in vars(layer) for layer in model.layers)


class Subclassed(keras.Model):
    """Batch norm in a list and in a layer of its own; no ``training`` in its signature."""

    def __init__(self):
        super().__init__()
        self.dense = DENSE(3)
        self.norms = [BatchNorm(), KERAS()]
        self.block = Block()

    def call(self, x):
        for norm in self.norms:
            x = tf.nn.relu(norm(self.dense(x[:, :3])))
        return self.block(x)


class Block(keras.layers.Layer):
    """One of its layers is called in training only."""

    def __init__(self):
        super().__init__()
        self.norm, self.auxiliary = BatchNorm(), BatchNorm()
        self.auxiliary.build((None, 3))

    def call(self, x, training=None):
        if training:
            self.add_loss(tf.reduce_sum(self.auxiliary(x)))
        return self.norm(x, training=training)


def test_a_subclassed_model(rng):
    model = Subclassed()
    x = rng.normal(1, 2, (30, 4)).astype(np.float32)
    recalibrate(model, x, batch_size=8, verbose=False)  # also builds it
    a = x
    for norm in model.norms:
        z = model.dense(a[:, :3]).numpy()
        check(norm, z)
        a = tf.nn.relu(norm(z)).numpy()
    check(model.block.norm, a)
    for value, untouched in zip(model.block.auxiliary.get_weights(), [1, 0, 0, 1], strict=True):
        np.testing.assert_array_equal(value, np.full(3, untouched))


def test_models_inside_a_model(rng):
    inner = model_of(DENSE(4), BatchNorm(), shape=(4,))
    inputs = keras.Input((4,))
    outer = KERAS()
    model = shake(keras.Model(inputs, outer(inner(inputs))))
    x = rng.normal(1, 2, (30, 4)).astype(np.float32)
    recalibrate(model, x, batch_size=8, verbose=False)
    check(inner.layers[1], inner.layers[0](x).numpy())
    check(outer, inner(x).numpy())


def test_a_layer_called_twice_pools_its_calls(rng):
    """One encoder for two inputs; the second layer is called between the calls of the first."""
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    norm, after = BatchNorm(), KERAS()
    outputs = [after(norm(x)) for x in (a, b)]
    model = shake(keras.Model([a, b], outputs))
    x = [rng.normal(centre, 2, (30, 4)).astype(np.float32) for centre in (0, 5)]
    recalibrate(model, x, batch_size=8, verbose=False)
    both = np.concatenate(x)
    check(norm, both)
    check(after, norm(both).numpy())


def test_order_is_that_of_dependence_not_of_the_calls(rng):
    """``late`` is called first, and once more on what follows from ``early``."""
    a, b = keras.Input((4,)), keras.Input((4,))
    late, early = BatchNorm(), BatchNorm()
    model = shake(keras.Model([a, b], [late(a), late(early(b))]))
    x = [rng.normal(centre, 2, (30, 4)).astype(np.float32) for centre in (0, 5)]
    recalibrate(model, x, verbose=False)
    check(early, x[1])
    check(late, np.concatenate([x[0], early(x[1]).numpy()]))


class Counted:
    """Batches that count how often they are gone through."""

    def __init__(self, batches):
        self.batches, self.times = batches, 0

    def __iter__(self):
        self.times += 1
        return iter(self.batches)


def test_branches_share_a_pass(rng):
    """Two layers after one, and one after both: three passes, and a look at the first batch."""
    inputs = keras.Input((4,))
    a = BatchNorm()(inputs)
    joined = keras.layers.Add()([BatchNorm()(DENSE(3)(a)), KERAS()(DENSE(3)(a))])
    model = keras.Model(inputs, BatchNorm()(joined))
    data = Counted([rng.normal(size=(5, 4)) for _ in range(3)])
    recalibrate(model, data, verbose=False)
    assert data.times == 1 + 3


def test_a_layer_after_itself_is_measured_until_it_settles(rng):
    inputs, norm = keras.Input((4,)), BatchNorm()
    model = keras.Model(inputs, norm(DENSE(4)(norm(inputs))))
    x = rng.normal(1, 2, (50, 4)).astype(np.float32)
    recalibrate(model, x, verbose=False)
    check(norm, np.concatenate([x, model.layers[2](norm(x)).numpy()]), rtol=1e-4)


def test_a_layer_that_never_settles():
    """Its output times 100 000 is its input again: large and small deviations take turns."""
    inputs, norm = keras.Input((1,)), BatchNorm(center=False)
    model = keras.Model(inputs, norm(1e5 * norm(inputs)))
    before = weights_of(model)
    said = f'in {_PASSES} passes the statistics of "{norm.name}" did not settle'
    with pytest.raises(WorkFailedError, match=re.escape(said)):
        recalibrate(model, np.array([[-1.0], [1.0]]), verbose=False)
    assert_unchanged(model, before)


@BOTH
def test_masked_positions_do_not_count(norm, rng):
    model = shake(model_of(keras.layers.Masking(), norm(), shape=(6, 3)))
    x = rng.normal(3, 2, (10, 6, 3)).astype(np.float32)
    mask = rng.uniform(size=(10, 6)) < 0.6
    mask[:4] = False  # a whole batch of padding
    x[~mask] = 0
    recalibrate(model, x, batch_size=4, verbose=False)
    check(model.layers[1], x, mask[..., None])


def test_every_time_step_of_a_time_distributed_layer(rng):
    layer = BatchNorm()
    model = model_of(keras.layers.TimeDistributed(layer), shape=(6, 3))
    x = rng.normal(3, 2, (10, 6, 3)).astype(np.float32)
    recalibrate(model, x, verbose=False)
    check(layer, x)


# --- the data -------------------------------------------------------------------------------


class Indexed(keras.utils.PyDataset):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.x[i * 3 : i * 3 + 3], np.zeros(3)


def forms_of(x):
    y, cut = np.zeros(len(x)), [4, 8]
    batches, labels = np.split(x, cut), np.split(y, cut)
    dataset = tf.data.Dataset.from_tensor_slices((x, y))
    return {
        "array": x,
        "float64": x.astype(np.float64),
        "tensor": tf.constant(x),
        "list of one": [x],
        "x, y": (x, y),
        "x, y, weight": (x, y, y),
        "x batches": batches,
        "x, y batches": list(zip(batches, labels, strict=True)),
        "dataset": dataset.batch(5),
        "x dataset": dataset.map(lambda x, y: x).batch(5),
        "unknown size": dataset.filter(lambda x, y: True).batch(5),
        "PyDataset": Indexed(x),
        "iterable": Counted(batches),
    }


@pytest.mark.parametrize("form", forms_of(np.zeros((11, 4))))
def test_forms_of_the_data(form, rng):
    x = rng.normal(3, 2, (11, 4)).astype(np.float32)
    model = model_of(BatchNorm())
    recalibrate(model, forms_of(x)[form], batch_size=4, verbose=False)
    check(model.layers[0], x, rtol=1e-6)


@pytest.mark.parametrize("form", ["list", "tuple", "dict", "x, y", "batches", "dataset"])
def test_several_inputs(form, rng):
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    norm = BatchNorm()
    model = keras.Model({"a": a, "b": b} if form == "dict" else [a, b], norm(a - b))
    x, y = rng.normal(3, 2, (2, 11, 4)).astype(np.float32)
    data = {
        "list": [x, y],
        "tuple": (x, y),
        "dict": {"a": x, "b": y},
        "x, y": ([x, y], np.zeros(11)),
        "batches": [((x[i], y[i]), np.zeros(11)) for i in (slice(0, 6), slice(6, 11))],
        "dataset": tf.data.Dataset.from_tensor_slices(((x, y),)).batch(4),
    }[form]
    recalibrate(model, data, batch_size=4, verbose=False)
    check(norm, x - y)


def test_a_subclassed_model_of_several_inputs(rng):
    class Difference(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm = BatchNorm()

        def call(self, inputs):
            return self.norm(inputs[0] - inputs[1])

    model = Difference()
    x, y = rng.normal(3, 2, (2, 11, 4)).astype(np.float32)
    recalibrate(model, [x, y], batch_size=4, verbose=False)
    check(model.norm, x - y)


def test_sequences_of_different_lengths(rng):
    model = model_of(BatchNorm(), shape=(None, 3))
    batches = [rng.normal(3, 2, (2, length, 3)).astype(np.float32) for length in (4, 7, 5)]
    recalibrate(model, batches, verbose=False)
    check(model.layers[0], np.concatenate([b.reshape(-1, 3) for b in batches]))


X = np.ones((6, 4), np.float32)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ((batch for batch in [X]), "iterated several times: for a generator, list(generator)"),
        (iter([X]), "Received: list_iterator."),
        (None, "Received: NoneType."),
        (3.0, "Received: float."),
        (scipy.sparse.csr_matrix(X), "recalibrate: data is a SciPy sparse matrix of shape (6, 4)"),
        ([], "data must hold at least one example. Received: none."),
        ((), "data must hold at least one example. Received: none."),
        (X[:0], "data must hold at least one example. Received: none."),
        (tf.data.Dataset.from_tensors(X).repeat(), "data must end. Received: an endless dataset"),
        ([[1.0, 2.0]], "a batch must be arrays: x, (x, y) or (x, y, sample_weight)."),
        ([X, X * np.nan], "have no finite mean and variance"),
        ([X, X * np.inf], "have no finite mean and variance"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_inadmissible_data(data, said):
    model = shake(model_of(BatchNorm()))
    before = weights_of(model)
    with pytest.raises(InputError, match=re.escape(said)):
        recalibrate(model, data, verbose=False)
    assert_unchanged(model, before)


def test_inputs_of_different_lengths():
    a, b = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([a, b], BatchNorm()(a + b))
    with pytest.raises(InputError, match=re.escape("must be of one length. Received: [5, 6].")):
        recalibrate(model, [X, X[:5]], verbose=False)


def test_all_positions_masked():
    model = shake(model_of(keras.layers.Masking(), BatchNorm(), shape=(6, 3)))
    with pytest.raises(InputError, match="masks of all positions"):
        recalibrate(model, np.zeros((2, 6, 3)), verbose=False)


class Loop(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.norm = BatchNorm(name="looped")

    def call(self, x):
        return tf.map_fn(self.norm, x)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda: model_of(DENSE(3), shape=(5, 4)), 'model must call batch norm. "'),
        (lambda: model_of(Loop(), shape=(5, 4)), '"looped" is called inside a loop or a'),
        (lambda: "model.keras", "model must be a Keras model. Received: 'model.keras'."),
    ],
    ids=["no batch norm", "a loop", "no model"],
)
def test_inadmissible_models(model, said, rng):
    with pytest.raises(InputError, match=re.escape(said)):
        recalibrate(model(), rng.normal(size=(3, 5, 4)), verbose=False)


@pytest.mark.parametrize("batch_size", [0, 2.5, True])
def test_inadmissible_batch_sizes(batch_size):
    with pytest.raises(InputError, match="recalibrate: batch_size must be a whole number >= 1"):
        recalibrate(model_of(BatchNorm()), X, batch_size=batch_size)


class Failing:
    """Breaks off in the middle of a pass."""

    def __init__(self, times, error):
        self.passes, self.times, self.error = 0, times, error

    def __iter__(self):
        self.passes += 1
        yield X
        if self.passes > self.times:
            raise self.error
        yield X * 3


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("times", [1, 2], ids=["first pass", "second pass"])
def test_a_failure_half_way_leaves_the_model_as_it_was(error, times):
    model = shake(model_of(BatchNorm(bias_correction=True), DENSE(3), KERAS()))
    before = weights_of(model)
    with pytest.raises(type(error)):
        recalibrate(model, Failing(times, error), verbose=False)
    assert_unchanged(model, before)


def test_a_failing_model_is_left_as_it_was():
    class Failing(keras.layers.Layer):
        def call(self, x):
            return tf.debugging.check_numerics(x, "seen in the model")

    model = shake(model_of(BatchNorm(), Failing(), DENSE(3), KERAS()))
    before = weights_of(model)
    with pytest.raises(tf.errors.InvalidArgumentError, match="seen in the model"):
        recalibrate(model, OnlyLater([X], [X * np.nan]), verbose=False)
    assert_unchanged(model, before)


class OnlyLater:
    """Other batches from the third time on: after the first look and the first pass."""

    def __init__(self, first, later):
        self.first, self.later, self.times = first, later, 0

    def __iter__(self):
        self.times += 1
        return iter(self.first if self.times < 3 else self.later)


@pytest.mark.parametrize("verbose", [True, False])
def test_progress(verbose, capsys):
    recalibrate(model_of(BatchNorm(), DENSE(3), KERAS()), X, batch_size=2, verbose=verbose)
    assert ("6/6" in capsys.readouterr().out) == verbose


def test_tensorflow_does_not_warn_of_tracing(monkeypatch):
    """It does where it sees five traces of what it takes for one function."""
    said = []
    monkeypatch.setattr(tf.get_logger(), "handle", said.append)
    for length in range(1, 4):
        recalibrate(model_of(BatchNorm(), KERAS()), X[:length], batch_size=2, verbose=False)
    assert said == []


def test_training_goes_on(rng):
    model = model_of(DENSE(3), BatchNorm())
    model.compile("adam", "mse", run_eagerly=True)
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    model.fit(x, y, verbose=0)
    recalibrate(model, x, verbose=False)
    after = weights_of(model)
    model.fit(x, y, verbose=0)
    assert not np.array_equal(model.layers[1].moving_mean, after[3])
