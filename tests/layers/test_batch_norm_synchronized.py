"""Replicas share their batch statistics: two together equal one with the whole batch."""

from tests import processes

PROGRAM = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfcourse import BatchNorm
from tfcourse.formulas.normalization import synchronized_moments

x = np.random.default_rng(0).normal(3, 2, (8, 4)).astype("float32")
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def statistics(synchronized):
    with strategy.scope():
        layer = BatchNorm(synchronized=synchronized)
        layer.build((None, 4))

    @tf.function
    def step():
        def replica():
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            return layer(tf.constant(x)[number * 4 : number * 4 + 4], training=True)

        return strategy.experimental_local_results(strategy.run(replica))

    return np.concatenate([part.numpy() for part in step()])

whole = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)

@tf.function
def moments(z):
    def replica():
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        part = z[5 * number : 5 + 3 * number]
        with tf.GradientTape() as tape:
            tape.watch(part)
            mean, variance = synchronized_moments(part, [0])
        return mean, variance, tape.gradient(variance, part)

    return strategy.experimental_local_results(strategy.run(replica))

large = np.random.default_rng(0).normal(1000, 0.1, (8, 4)).astype("float32")
results = [[value.numpy() for value in part] for part in moments(tf.constant(large))]
exact = large.astype("float64")
errors = [abs(m - exact.mean(0)).max() / 1000 for m, _, _ in results]
errors += [abs(v / exact.var(0) - 1).max() for _, v, _ in results]
# Each replica's gradient is that of both variances, of its own and of the other's.
gradient = np.concatenate([g for _, _, g in results])
errors.append(abs(gradient - 4 * (exact - exact.mean(0)) / 8).max())
print(max(errors) < 1e-3)

print(abs(statistics(True) - whole).max() < 1e-4, abs(statistics(False) - whole).max() < 1e-4)
"""


def test_two_replicas_equal_one():
    done = processes.run(["-c", PROGRAM])
    assert done.returncode == 0, done.stderr
    # The last is the positive control: apart, they don't.
    assert done.stdout.split() == ["True", "True", "False"]
