"""A trained model's programs go with the model."""

import gc

import keras
import pytest
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

import tfcourse
from tests.training.parity import examples

OPTIMIZERS = {
    "ours": lambda: tfcourse.Adam(1e-3),
    "keras": lambda: keras.optimizers.Adam(1e-3),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3)),
}


class Listed(keras.Sequential):
    """A model whose own step goes by an optimizer that Keras doesn't know."""

    def __init__(self, *args):
        super().__init__(*args)
        self.steps = [OPTIMIZERS["keras"]()]

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, self(x)))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.steps[0].apply(gradients, self.trainable_variables)
        return {"loss": loss}


def graphs_left(optimizer, train, kind=keras.Sequential):
    """The programs that are still there when a model that was trained is gone."""

    def graphs():
        gc.collect()
        return {id(thing): thing for thing in gc.get_objects() if isinstance(thing, FuncGraph)}

    before = graphs()
    x, y = examples()
    model = kind([keras.Input(x.shape[1:]), tfcourse.SoftmaxHead(int(y.max()) + 1)])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    train(model, x, y, verbose=0)
    del model, optimizer
    return len(graphs().keys() - before.keys())


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_of_fit_none_is_left(optimizer):
    assert graphs_left(optimizer(), tfcourse.fit) == 0


def test_of_a_step_with_an_optimizer_in_a_list_none_is_left():
    assert graphs_left(OPTIMIZERS["ours"](), tfcourse.fit, Listed) == 0


def test_of_our_optimizers_in_keras_none_is_left():
    assert graphs_left(OPTIMIZERS["ours"](), keras.Model.fit) == 0


def test_of_kerass_some_are():
    """What the others show can be seen: the all-reduce in Keras's optimizers keeps them."""
    assert graphs_left(OPTIMIZERS["keras"](), keras.Model.fit) > 0
