"""Replicas share their batch statistics: two together equal one with the whole batch."""

import pytest

from tests import processes

PROGRAM = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfcourse import BatchNorm

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
print(abs(statistics(True) - whole).max() < 1e-4, abs(statistics(False) - whole).max() < 1e-4)
"""


@pytest.mark.slow
def test_two_replicas_equal_one():
    done = processes.run(["-c", PROGRAM])
    assert done.returncode == 0, done.stderr
    # The second is the positive control: apart, they don't.
    assert done.stdout.split() == ["True", "False"]
