"""Very many classes: the blockwise cost is the plain one, in a layer and in a model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import processes
from tests.reference.softmax import softmax
from tfcourse import Adam, SoftmaxHead, fit, load_model
from tfcourse.formulas.many_classes import blockwise_cross_entropy
from tfcourse.models.many_classes import ManyClassModel


def problem(rng, m, features=5, classes=7, dtype="float64"):
    x, kernel, bias = (
        tf.constant(rng.normal(size=shape), dtype)
        for shape in ((m, features), (features, classes), (classes,))
    )
    labels = tf.constant(rng.integers(classes, size=m), tf.int32)
    return x, kernel, bias, labels, tf.constant(rng.uniform(0, 2, size=m), dtype)


# Blocks of one example, all full, the last one not full, and one that is larger than m.
BLOCKS = [(1, 1), (9, 1), (1, 4), (4, 4), (12, 4), (9, 4), (12, 5), (4, 100)]


@pytest.mark.parametrize(
    ("m", "block_size", "known"),
    [*((*pair, False) for pair in BLOCKS), (12, 4, True), (9, 4, True)],
)
def test_cost_and_gradients_are_those_of_the_equations(rng, m, block_size, known):
    smoothing = 0.0 if m == 4 else 0.2
    *parts, labels, weights = problem(rng, m)
    x, kernel, bias = (p.numpy() for p in parts)
    rows = tf.TensorSpec([m if known else None, 5], tf.float64)

    @tf.function(input_signature=[rows])
    def cost_and_gradients(features):
        with tf.GradientTape() as tape:
            inputs = (features, parts[1], parts[2])
            tape.watch(inputs)
            cost = 3.0 * blockwise_cross_entropy(*inputs, labels, weights, block_size, smoothing)
        return cost, tape.gradient(cost, inputs)

    cost, gradients = cost_and_gradients(parts[0])
    probabilities = softmax(x @ kernel + bias)
    target = (1 - smoothing) * np.eye(7)[labels.numpy()] + smoothing / 7
    losses = -(target * np.log(probabilities)).sum(1)
    np.testing.assert_allclose(cost, 3 * np.mean(weights * losses), rtol=1e-12)
    dz = 3 * (probabilities - target) * weights.numpy()[:, None] / m
    expected = (dz @ kernel.T, x.T @ dz, dz.sum(0))
    for gradient, reference in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=1e-10, atol=1e-14)


def test_under_xla(rng):
    parts = problem(rng, 9)
    compiled = tf.function(blockwise_cross_entropy, jit_compile=True)
    plain = tf.nn.sparse_softmax_cross_entropy_with_logits(parts[3], parts[0] @ parts[1] + parts[2])
    expected = tf.reduce_mean(plain * parts[4])
    np.testing.assert_allclose(compiled(*parts, block_size=4), expected, rtol=1e-12)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_the_heads_cost_is_that_of_the_stock_loss(rng, policy, use_bias):
    keras.config.set_dtype_policy(policy)
    head = SoftmaxHead(7, use_bias=use_bias)
    features = tf.constant(rng.normal(size=(3, 4, 5)), head.compute_dtype)
    labels = tf.constant(rng.integers(7, size=(3, 4)))
    weights = tf.constant(rng.uniform(size=(3, 4)), "float32")
    stock = keras.losses.SparseCategoricalCrossentropy()
    head(features)
    results = []
    for cost in (
        lambda: head.cross_entropy(features, labels, weights),
        lambda: stock(labels, head(features), weights),
    ):
        with tf.GradientTape() as tape:
            value = cost()
        results.append((value, *tape.gradient(value, head.trainable_weights)))
    assert results[0][0].dtype == ("float64" if policy == "float64" else "float32")
    tolerance = {"float32": 1e-5, "float64": 1e-6}.get(policy, 2e-2)
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_fifty_thousand_classes(rng):
    """Several blocks, the last one filled up, against Dense's equations at full size."""
    x, kernel, bias = (
        tf.constant(rng.normal(size=shape) * scale, tf.float32)
        for shape, scale in (((350, 64), 1), ((64, 50_000), 0.1), ((50_000,), 1))
    )
    labels, weights = tf.constant(rng.integers(50_000, size=350), tf.int32), tf.ones(350)

    def plain(x, kernel, bias):
        logits = tf.matmul(x, kernel) + bias
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    results = []
    for cost in (plain, lambda *parts: blockwise_cross_entropy(*parts, labels, weights)):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel, bias))
            value = cost(x, kernel, bias)
        results.append((value, *tape.gradient(value, (x, kernel, bias))))
    for theirs, ours in zip(*results, strict=True):
        size = float(tf.reduce_max(tf.abs(theirs)))
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * size, rtol=0)


def test_extreme_logits_stay_finite():
    head = SoftmaxHead(3, use_bias=False, kernel_initializer=keras.initializers.Identity())
    features = tf.constant([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(features)
        cost = head.cross_entropy(features, tf.constant([0, 0]))
    np.testing.assert_allclose(cost, (0 + 2e4) / 2)
    np.testing.assert_allclose(tape.gradient(cost, features), [[0, 0, 0], [-0.5, 0.5, 0]])


def many_class_model():
    body = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, activation="tanh")])
    return ManyClassModel(body, SoftmaxHead(7))


def test_training_equals_the_plain_model(rng, tmp_path):
    x, y = rng.normal(size=(50, 6)).astype("float32"), rng.integers(7, size=50)
    keras.utils.set_random_seed(3)
    model = many_class_model()
    model.compile(Adam(0.01))
    model.predict(x, verbose=0)
    plain = keras.Sequential([keras.models.clone_model(model.body), SoftmaxHead(7)])
    plain.compile(Adam(0.01), "sparse_categorical_crossentropy")
    plain.build((None, 6))
    plain.set_weights(model.get_weights())
    histories = [
        train(m, x, y, batch_size=16, epochs=3, shuffle=False, verbose=0, validation_data=(x, y))
        for m, train in ((model, fit), (plain, keras.Model.fit))
    ]
    for name in ("loss", "val_loss"):
        ours, theirs = (h.history[name] for h in histories)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    probabilities = model.predict(x, verbose=0)
    np.testing.assert_allclose(probabilities, plain.predict(x, verbose=0), atol=1e-5)
    assert model.evaluate(x, y, verbose=0, return_dict=True).keys() == {"loss"}

    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), probabilities)
    # In a process that has imported nothing of tfcourse yet, as a user's next one.
    program = "import tfcourse; print(type(tfcourse.load_model('model.keras')).__name__)"
    done = processes.run(["-c", program], cwd=tmp_path)
    assert done.stdout == "ManyClassModel\n", done.stderr


def test_labels_are_smoothed_in_the_training_alone(rng):
    x, y = rng.normal(size=(40, 6)).astype("float32"), rng.integers(7, size=40)
    body = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5)])
    model = ManyClassModel(body, SoftmaxHead(7), label_smoothing=0.3)
    model.compile(keras.optimizers.SGD(0.0))
    logs = fit(model, x, y, batch_size=16, verbose=0, validation_data=(x, y)).history
    one_hot, outputs = np.eye(7)[y], model.predict(x, verbose=0)
    for name, smoothing in (("loss", 0.3), ("val_loss", 0.0)):
        expected = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)(one_hot, outputs)
        np.testing.assert_allclose(logs[name], [expected], rtol=1e-5)
    assert ManyClassModel.from_config(model.get_config()).label_smoothing == 0.3
    with pytest.raises(ValueError, match=r"ManyClassModel: label_smoothing must be .* Received: 1"):
        ManyClassModel(body, model.head, label_smoothing=1)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_labels_of_any_type(rng, dtype):
    head = SoftmaxHead(7)
    features, labels = rng.normal(size=(9, 5)).astype("float32"), rng.integers(7, size=9)
    expected = keras.losses.SparseCategoricalCrossentropy()(labels, head(features))
    np.testing.assert_allclose(head.cross_entropy(features, labels.astype(dtype)), expected, 1e-5)
