"""Two replicas with half the gradient each equal one: what is shared in a step reaches both."""

from tests import processes

PROGRAM = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from tfcourse import Adam

def descend(strategy):
    with strategy.scope():
        w = keras.Variable(np.arange(5.0), dtype="float64")
        optimizer = Adam(0.125, weight_decay=0.25)
        optimizer.build([w])

    @tf.function
    def step(gradient):
        share = gradient / strategy.num_replicas_in_sync
        strategy.run(lambda: optimizer.apply([tf.identity(share)], [w]))

    for t in range(6):
        if t == 3:
            optimizer.beta_1, optimizer.learning_rate = 0.5, 0.25
        step(tf.constant(np.sin(np.arange(5.0) + t)))
    return w.numpy()

one = descend(tf.distribute.get_strategy())
two = descend(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
print(abs(two - one).max() < 1e-12, abs(one - np.arange(5.0)).max() > 0.1)
"""


def test_two_replicas_equal_one():
    done = processes.run(["-c", PROGRAM])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "True"]
