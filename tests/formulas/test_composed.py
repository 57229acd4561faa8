"""The formulas that layers and heads are made of, each alone beside float64 NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference.normalization import ghost_batch_norm_step, ghost_batches
from tfcourse.formulas import many_classes
from tfcourse.formulas.fused_normalization import fused_inference, fused_training, use_fused
from tfcourse.formulas.ghost_normalization import ghost_normalize, virtual_batches
from tfcourse.formulas.many_classes import blockwise_cross_entropy
from tfcourse.formulas.normalization import moments, renorm_corrections, renorm_parameters
from tfcourse.formulas.scales import to_unit
from tfcourse.formulas.softmax import smooth_labels, smoothed_cross_entropy


def close(actual, expected, rtol=1e-10):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)


def smoothed(labels, classes, share):
    return np.eye(classes)[labels] * (1 - share) + share / classes


def softmax_of(z):
    powers = np.exp(z - z.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_the_moments_of_one_feature_are_no_scalars():
    mean, variance = moments(tf.constant([[1.0], [3.0]]), [0])
    assert (mean.numpy().tolist(), variance.numpy().tolist()) == ([2.0], [1.0])


def test_the_position_of_each_of_several_values_in_a_range_of_one():
    found = to_unit(np.array([3, 3]), 3, 3, "linear")
    assert (found.tolist(), found.dtype) == ([0.5, 0.5], np.float64)


class TestSmoothing:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_of_targets(self, dtype):
        targets = tf.constant(np.eye(4)[[0, 2]], dtype)
        expected = smoothed([0, 2], 4, 0.3)
        for share in (0.3, tf.constant(0.3, "float64"), tf.Variable(0.3, dtype=dtype)):
            found = smooth_labels(targets, share, 4)
            assert found.dtype == dtype
            close(found, expected, 1e-12 if dtype == "float64" else 1e-6)

    @pytest.mark.parametrize("share", [0.0, 0.2])
    def test_of_the_cross_entropy(self, rng, share):
        z, labels = rng.normal(size=(5, 4)), np.array([0, 1, 2, 3, 1])
        losses, gradients = smoothed_cross_entropy(tf.constant(labels), tf.constant(z), share)
        targets = smoothed(labels, 4, share)
        close(losses, -(targets * np.log(softmax_of(z))).sum(-1))
        close(gradients, softmax_of(z) - targets)


class TestRenorm:
    MEAN, VARIANCE = np.array([1.0, -2.0, 0.5]), np.array([0.25, 4.0, 1.0])
    AVERAGES = np.array([0.5, -1.0, 0.0]), np.array([1.0, 0.5, 1e-9])

    @pytest.mark.parametrize(
        "limits", [{}, {"rmin": 0.6}, {"rmax": 1.5}, {"dmax": 0.4}, {"rmin": 0.7, "rmax": 0.7}]
    )
    def test_the_corrections(self, limits):
        mean, variance = tf.constant(self.MEAN), tf.constant(self.VARIANCE)
        with tf.GradientTape() as tape:
            tape.watch([mean, variance])
            r, d = renorm_corrections(mean, variance, *self.AVERAGES, 0.01, **limits)
        assert tape.gradient([r, d], [mean, variance]) == [None, None]
        stddev = np.maximum(self.AVERAGES[1], np.sqrt(0.01))
        ends = limits.get("rmin", -np.inf), limits.get("rmax", np.inf)
        close(r, np.clip(np.sqrt(self.VARIANCE + 0.01) / stddev, *ends))
        most = limits.get("dmax", np.inf)
        close(d, np.clip((self.MEAN - self.AVERAGES[0]) / stddev, -most, most))

    def test_the_parameters(self):
        r, d, gamma, beta = (tf.constant(x, "float64") for x in (2.0, 3.0, 5.0, 7.0))
        assert [*map(float, renorm_parameters(r, d, None, None))] == [2.0, 3.0]
        assert [*map(float, renorm_parameters(r, d, gamma, None))] == [10.0, 15.0]
        assert [*map(float, renorm_parameters(r, d, None, beta))] == [2.0, 10.0]
        assert [*map(float, renorm_parameters(r, d, gamma, beta))] == [10.0, 22.0]


class TestManyClasses:
    @pytest.fixture
    def blocks(self, monkeypatch):
        """The numbers of examples whose logits were in memory together."""
        lengths, work = [], many_classes.linear

        def linear(x, *others):
            lengths.append(int(x.shape[0]))
            return work(x, *others)

        monkeypatch.setattr(many_classes, "linear", linear)
        return lengths

    @pytest.mark.parametrize(
        ("m", "size", "expected"),
        [(7, 7, [7]), (7, 3, [3, 3, 3]), (5, 4, [3, 3]), (4, 1, [1] * 4), (5, None, [3, 3])],
    )
    def test_the_cost_and_its_gradients(self, rng, blocks, monkeypatch, m, size, expected):
        monkeypatch.setattr(many_classes, "BLOCK_ELEMENTS", 15)  # three examples of five classes
        x, kernel, bias = rng.normal(size=(m, 2)), rng.normal(size=(2, 5)), rng.normal(size=5)
        labels, weights = rng.integers(0, 5, m), rng.uniform(0.5, 2, m)
        parts = [tf.constant(part) for part in (x, kernel, bias)]
        with tf.GradientTape() as tape:
            tape.watch(parts)
            cost = blockwise_cross_entropy(
                *parts, tf.constant(labels), tf.constant(weights), size, 0.2
            )
            tripled = 3 * cost
        targets, guess = smoothed(labels, 5, 0.2), softmax_of(x @ kernel + bias)
        close(cost, (weights * -(targets * np.log(guess)).sum(-1)).mean())
        dz = 3 * weights[:, None] * (guess - targets) / m
        for found, gradient in zip(
            tape.gradient(tripled, parts), [dz @ kernel.T, x.T @ dz, dz.sum(0)], strict=True
        ):
            close(found, gradient)
        assert blocks == expected

    @pytest.mark.parametrize("m", [0, 1, 4, 5])
    def test_of_an_unknown_number_of_examples(self, rng, m):
        @tf.function(input_signature=[tf.TensorSpec([None, 2], "float64")], autograph=False)
        def run(x):
            labels, weights = tf.zeros([tf.shape(x)[0]], "int64"), tf.ones_like(x[:, 0])
            return blockwise_cross_entropy(x, kernel, bias, labels, weights, 2)

        kernel, bias = rng.normal(size=(2, 3)), np.zeros(3)
        x = rng.normal(size=(m, 2))
        losses = -np.log(softmax_of(x @ kernel)[:, 0]) if m else np.zeros(1)
        close(run(tf.constant(x)), losses.mean())


class TestVirtualBatches:
    @pytest.mark.parametrize(("m", "size"), [(1, 2), (5, 2), (6, 2), (7, 3), (7, 8)])
    @pytest.mark.parametrize("is_known", [True, False])
    def test_their_rows(self, m, size, is_known):
        z = np.arange(2.0 * m).reshape(m, 2)
        run = tf.function(
            lambda z: virtual_batches(z, size),
            input_signature=[tf.TensorSpec([m if is_known else None, 2], "float64")],
        )
        parts = run(tf.constant(z))
        found = [batch.tolist() for part in parts for batch in part.numpy()]
        assert found == [z[rows].tolist() for rows in ghost_batches(m, size)]
        assert len(parts) == (2 if m % max(m // size, 1) or not is_known else 1)

    @pytest.mark.parametrize(
        ("shape", "axis", "masked"),
        [
            *(((7, 5), -1, False), ((7, 4, 5), 2, False), ((7, 5, 4), 1, False)),
            *(((6, 3, 2, 5), -1, True), ((7, 4, 5), -1, True)),
        ],
    )
    @pytest.mark.parametrize("has", ["both", "gamma", "beta", "none"])
    def test_normalized(self, rng, shape, axis, masked, has):
        z = rng.normal(1, 2, shape)
        gamma = rng.uniform(0.5, 2, 5) if has in ("both", "gamma") else None
        beta = rng.normal(size=5) if has in ("both", "beta") else None
        mask = rng.random(shape[:-1]) < 0.6 if masked else None
        if masked:
            mask[:3] = False
        found = ghost_normalize(tf.constant(z), 3, gamma, beta, 0.01, axis, mask)
        last = np.moveaxis(z, axis, -1)
        given = {"gamma": 1.0 if gamma is None else gamma, "beta": 0.0 if beta is None else beta}
        outputs, _, mean, variance = ghost_batch_norm_step(
            last, np.zeros_like(last), 3, epsilon=0.01, mask=mask, **given
        )
        close(np.moveaxis(found[0].numpy(), axis, -1), outputs)
        close(found[1], mean)
        close(found[2], variance)


class TestFused:
    @pytest.mark.parametrize("shape", [(6, 3), (4, 5, 3), (2, 4, 3, 3)])
    @pytest.mark.parametrize("has", [True, False])
    def test_normalized(self, rng, shape, has):
        z = rng.normal(1, 2, shape).astype("float32")
        gamma, beta = rng.uniform(0.5, 2, (2, 3)) if has else (np.ones(3), np.zeros(3))
        own = [tf.constant(each, "float32") if has else None for each in (gamma, beta)]
        flat = z.reshape(-1, 3).astype("float64")
        mean, variance = flat.mean(0), flat.var(0)
        found = fused_training(tf.constant(z), *own, 0.01)
        expected = gamma * (z - mean) / np.sqrt(variance + 0.01) + beta
        for one, two in zip(found, (expected, mean, variance), strict=True):
            close(one, two, 2e-5)
        other = np.array([0.5, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
        given = [tf.constant(each, "float32") for each in other]
        expected = gamma * (z - other[0]) / np.sqrt(other[1] + 0.01) + beta
        close(fused_inference(tf.constant(z), *given, *own, 0.01), expected, 2e-5)

    def test_for_large_ones_on_the_last_axis(self):
        def use(shape, axis=-1, training=True, dtype="float32"):
            return use_fused(tf.keras.Input(shape[1:], shape[0], dtype=dtype), axis, training)

        assert [use((1, m, 100)) for m in (999, 1000)] == [False, True]
        assert [use((1, m, 100), training=False) for m in (3999, 4000)] == [False, True]
        assert use((None, 1000, 2))  # 64 examples
        assert not use((None, 700, 2))
        assert use((1, 1000, 100), axis=2)
        assert not use((1, 1000, 100), axis=1)
        assert not use((1, 1000, 100), dtype="float64")
