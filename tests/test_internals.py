"""The one door to what Keras and TensorFlow do not make public: every name in use exists."""

import ast
import functools
import importlib
import pkgutil
import re

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

from tests.test_architecture import FILES, all_imports, tree
from tfcourse import internals
from tfcourse.internals.versions import USES, UnsupportedVersionError, supported, uses

for module in pkgutil.iter_modules(internals.__path__, "tfcourse.internals."):
    importlib.import_module(module.name)

DOOR = "tfcourse.internals"
NAMES = sorted({name for names in USES.values() for name in names})
# Underscore names that are Python's own.
PYTHONS = {"_replace", "_asdict", "_fields", "_make", "_exit", "_getframe"}
# keras-tuner's stay where it is subclassed, and where a project of it is written.
ENGINE = "tfcourse.search.engine."
KERAS_TUNERS = {
    "_run_and_update_trial": keras_tuner.Tuner,
    "_compute_values_hash": keras_tuner.Oracle,
}
# Keras calls these methods of the course's classes, which override them.
OVERRIDDEN = {"_backend_update_step"}


@functools.cache
def model():
    inputs = keras.Input((2,))
    result = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    result.compile(keras.optimizers.Adam(use_ema=True), "mse", metrics=["mae"])
    result.optimizer.build(result.trainable_variables)
    result(np.zeros((1, 2)))
    return result


def context():
    from tensorflow.python.eager import context

    tf.random.set_seed(1)
    return context.context()


def distributed_dataset():
    return tf.distribute.MirroredStrategy(["CPU:0"]).experimental_distribute_dataset(
        tf.data.Dataset.range(2).batch(1)
    )


# An instance of each class whose instances, and not the class itself, have the attribute.
INSTANCES = {
    "keras.Function": model,
    "keras.KerasTensor": lambda: model().inputs[0],
    "keras.Layer": lambda: model().layers[1],
    "keras.Model": model,
    "keras.Sequential": lambda: keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]),
    "keras.Variable": lambda: model().weights[0],
    "keras.callbacks.Callback": keras.callbacks.Callback,
    "keras.callbacks.TensorBoard": keras.callbacks.TensorBoard,
    "keras.layers.InputLayer": lambda: model().layers[0],
    "keras.layers.Lambda": lambda: keras.layers.Lambda(lambda x: x),
    "keras.losses.Loss": keras.losses.MeanSquaredError,
    "keras.metrics.MeanMetricWrapper": keras.metrics.BinaryAccuracy,
    "keras.optimizers.Adam": lambda: model().optimizer,
    "keras.optimizers.MultiOptimizer": lambda: keras.optimizers.MultiOptimizer([]),
    "keras.optimizers.Optimizer": lambda: model().optimizer,
    "keras.src.losses.losses.LossFunctionWrapper": keras.losses.Huber,
    "keras.src.trainers.compile_utils.CompileLoss": lambda: model()._compile_loss,
    "keras.src.trainers.compile_utils.CompileMetrics": lambda: model()._compile_metrics,
    "tensorflow.distribute.DistributedDataset": distributed_dataset,
    "tensorflow.function": lambda: tf.function(lambda: None),
    "tensorflow.python.eager.context.Context": context,
    "tensorflow.types.experimental.ConcreteFunction": lambda: tf.function(
        lambda: None
    ).get_concrete_function(),
}


def found(name):
    """What a dotted name stands for; an instance's attribute where its class has none."""
    owner, _, attribute = name.rpartition(".")
    first, *parts = owner.split(".")
    thing, path = importlib.import_module(first), first
    for part in parts:
        path = f"{path}.{part}"
        thing = getattr(thing, part) if hasattr(thing, part) else importlib.import_module(path)
    if hasattr(thing, attribute):
        return getattr(thing, attribute)
    return getattr(INSTANCES[owner](), attribute)


@pytest.mark.parametrize("name", NAMES)
def test_the_installed_version_has(name):
    found(name)


def test_a_name_that_does_not_exist_is_noticed():
    """A positive control of the test above."""
    with pytest.raises(AttributeError):
        found("keras.Layer._no_such_method")


def test_the_message_of_a_missing_attribute_names_the_versions():
    @uses("keras.Layer._no_such_method")
    def call(layer):
        return layer._no_such_method()

    expected = (
        rf"^keras {keras.__version__} has no Layer\._no_such_method, which tfcourse \S+ uses; "
        rf"it was made for keras{supported()['keras']}\. Install one that has it: pip install "
        r'"keras~=[\d.]+"\.$'
    )
    with pytest.raises(UnsupportedVersionError, match=expected):
        call(model())


def test_the_message_of_a_missing_module():
    @uses("tensorflow.python.no_such_module.function")
    def call():
        from tensorflow.python.no_such_module import function

        return function

    with pytest.raises(UnsupportedVersionError, match=r"tensorflow>=.*tensorflow~="):
        call()


def test_an_error_of_the_users_own_code_stays():
    @uses("keras.Layer._flatten_layers")
    def call(function):
        return function()

    with pytest.raises(AttributeError, match="units"):
        call(lambda: model().units)
    with pytest.raises(ImportError, match="no_such_package"):
        call(lambda: importlib.import_module("no_such_package"))


OTHERS = [m for m in FILES if m != DOOR and not m.startswith(f"{DOOR}.")]


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_module_imports_internals(name):
    inner = ("keras.src", "tensorflow.python", "tensorflow.__internal__")
    assert [n for n in all_imports(name) if f"{n}.".startswith(tuple(f"{i}." for i in inner))] == []


def own_names(syntax):
    """The underscore names that a file itself defines: functions, classes, attributes, fields."""
    for node in ast.walk(syntax):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node.value, ast.Name) and node.value.id == "self":
                yield node.attr


@functools.cache
def names_of_the_package():
    """Those that some file of the package defines: a class may inherit them."""
    return {name for module in FILES for name in own_names(tree(module))}


def internal_uses(syntax):
    """The underscore attributes of other objects, and the names in use as strings."""
    own = {*own_names(syntax), *PYTHONS, *OVERRIDDEN}
    inner = {name.rpartition(".")[2] for name in NAMES}
    for node in ast.walk(syntax):
        if isinstance(node, ast.Attribute) and node.attr == "__internal__":
            yield node.lineno, node.attr
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and node.attr[1] != "_":
            of_self = isinstance(node.value, ast.Name) and node.value.id == "self"
            inherited = of_self and node.attr in names_of_the_package() - inner
            if not (node.attr in own or inherited or node.attr.startswith("_tfcourse_")):
                yield node.lineno, node.attr
        elif isinstance(node, ast.Constant) and node.value in inner and node.value.startswith("_"):
            yield node.lineno, node.value


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_module_touches_an_internal_attribute(name):
    allowed = [*KERAS_TUNERS] if name.startswith(ENGINE) else []
    assert [use for use in internal_uses(tree(name)) if use[1] not in allowed] == []


@pytest.mark.parametrize(("name", "owner"), KERAS_TUNERS.items())
def test_keras_tuners_internal_methods_exist(name, owner):
    assert callable(getattr(owner, name))


def test_internal_attributes_are_seen():
    """A positive control of the test above."""
    inherited = min(name for name in names_of_the_package() if re.match("_[a-z]", name))
    text = (
        "def f(model, tf):\n"
        "    model._flatten_layers()\n"
        '    getattr(model, "_learning_rate", None)\n'
        "    tf.__internal__.FuncGraph\n"
        "    model._replace(), model.__class__\n"
        f"    self._no_such_name, self.{inherited}\n"
    )
    assert [line for line, _ in internal_uses(ast.parse(text))] == [2, 3, 4, 6]
