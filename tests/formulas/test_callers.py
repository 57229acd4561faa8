"""What is computed is in the formulas: each has a caller, and is near to where it is used."""

import ast
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfcourse
from tfcourse.hyperparameters import COURSE_OPTIMIZERS
from tfcourse.layers.dropout import Dropout
from tfcourse.optimizers.base import CourseOptimizer

ROOT = Path(tfcourse.__file__).parent
FORMULAS = ROOT / "formulas"

# Formulas that nothing in the package calls, and why they are there.
FOR_READING = {
    "cross_entropy": "the loss as the course defines it; what is trained starts from the logits",
    "effective_window": "what a decay means; the examples print it",
    "weighted_average": "the average of a series that a user has; a training updates one",
}


def references(node):
    """The names that the code in a node loads, `module.name` without its module."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def formulas():
    """The public functions of the formulas, and the names that each refers to."""
    for path in FORMULAS.glob("*.py"):
        functions = [
            node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
        ]
        private = {f.name: set(references(f)) for f in functions if f.name.startswith("_")}
        for function in functions:
            if function.name not in private:
                used = set(references(function))
                yield function.name, used.union(*(private.get(name, ()) for name in used))


def used_by_the_package():
    """The names of formulas that code outside of them imports and refers to."""
    for path in ROOT.rglob("*.py"):
        if FORMULAS in path.parents or path == ROOT / "__init__.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tfcourse.form")
        ]
        names = {alias.asname or alias.name for node in imports for alias in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in names:
                yield node.id
            elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in names:
                yield node.attr


def test_every_formula_has_a_caller():
    uses = dict(formulas())
    assert {"normalize", "moments", "adam", "softmax", "update_average"} <= set(uses)
    called, waiting = set(), {*used_by_the_package(), *tfcourse.__all__}
    while waiting:
        called |= (found := waiting & set(uses) - called)
        waiting = set().union(*(uses[name] for name in found))
    assert set(uses) - called == set(FOR_READING)


def distances(entry, run):
    """How many calls each formula that `run` reaches is away from the function ``entry``."""
    found = {}

    def profile(frame, event, _):
        if event != "call" or FORMULAS not in Path(frame.f_code.co_filename).parents:
            return
        name, steps = frame.f_code.co_name, 0
        while frame is not None and frame.f_code is not entry.__code__:
            frame, steps = frame.f_back, steps + 1
        if frame is not None:
            found[name] = min(steps, found.get(name, steps))

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return found


X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
LARGE = np.random.default_rng(0).normal(size=(1024, 400)).astype("float32")


@pytest.mark.parametrize(
    ("layer", "x", "training", "expected"),
    [
        (lambda: tfcourse.BatchNorm(), X, True, {"batch_moments", "normalize"}),
        (lambda: tfcourse.BatchNorm(), X, False, {"normalize_for_inference"}),
        (lambda: tfcourse.BatchNorm(), LARGE, True, {"fused_training"}),
        (lambda: tfcourse.BatchNorm(), LARGE, False, {"fused_inference"}),
        (
            lambda: tfcourse.BatchNorm(bias_correction=True, renorm=True),
            X,
            True,
            {"update_average", "interpolate_average", "renorm_corrections", "renorm_parameters"},
        ),
        (lambda: tfcourse.BatchNorm(virtual_batch_size=2), X, True, {"ghost_normalize"}),
        (lambda: tfcourse.SoftmaxHead(3), X, None, {"softmax", "linear"}),
        (lambda: Dropout(0.5), X, True, {"inverted_dropout"}),
    ],
)
def test_a_layer_is_two_calls_away_from_its_formulas(layer, x, training, expected):
    layer = layer()
    arguments = {} if training is None else {"training": training}
    found = distances(type(layer).call, lambda: layer(tf.constant(x), **arguments))
    assert expected <= set(found)
    assert all(found[name] <= 2 for name in expected), found


@pytest.mark.parametrize("name", COURSE_OPTIMIZERS)
def test_an_optimizer_is_three_calls_away_from_its_update(name):
    optimizer, variable = COURSE_OPTIMIZERS[name].load()(), keras.Variable(np.ones(3))
    optimizer.build([variable])
    found = distances(
        CourseOptimizer.update_step, lambda: optimizer.apply([tf.ones(3)], [variable])
    )
    assert found[name] <= 3
