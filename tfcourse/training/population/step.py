"""The training and the test step of one member, as pure functions of its state."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers
from tfcourse.internals.models import compute_loss, loss_tracker
from tfcourse.internals.optimizers import variable_index
from tfcourse.layers.dropout import Dropout
from tfcourse.losses import smoothing_variables
from tfcourse.optimizers.schedule import schedule_variables
from tfcourse.training.programs.finite import all_finite
from tfcourse.training.programs.step import safe_scopes
from tfcourse.training.programs.tree import first_leaf
from tfcourse.types import Array, KerasModel, Nested, SampleWeight, Tensor, TrainingData, Variable

__all__ = ["DROPOUT", "SMOOTHING", "MemberStep", "State"]

# The hyperparameter for the rate of all layers of `tfcourse.layers.dropout.Dropout`.
DROPOUT = "dropout"
# That for the labels of a `tfcourse.losses.SmoothedCrossentropy`.
SMOOTHING = "label_smoothing"


class State(NamedTuple):
    """All that a training changes, as tensors; of many members stacked along a first axis.

    Attributes:
        model: The values of ``model.variables``: weights, moving statistics, seed generators.
        optimizer: Those of ``optimizer.variables``, which are the step's number, hyperparameters
            and slots; the rates of dropout; those of a `TrainingSchedule`; the smoothing of
            labels, which a test step takes from the model.
        metrics: Those of ``model.metrics_variables``.
    """

    model: list[Tensor]
    optimizer: list[Tensor]
    metrics: list[Tensor]


class MemberStep:
    """Keras's steps and the optimizer's update, as functions from a state to the next.

    The model's layers, losses and metrics, and the optimizer's formula, read and assign the
    state instead of their variables, in a ``keras.StatelessScope``. So `tf.vectorized_map` can
    turn a step into that of many members.

    Attributes:
        variables: The variables that a `State` has the values of.
        weights: The indices of ``model.weights`` in ``variables.model``.
        trainable: The indices of the trainable ones.
        bytes: The size of a member's state.

    Args:
        model: A compiled model of one of the course's optimizers, with all its state built.
    """

    def __init__(self, model: KerasModel) -> None:
        self.model, self.optimizer = model, model.optimizer
        self._dropouts = [layer for layer in flatten_layers(model) if isinstance(layer, Dropout)]
        # Used instead of the layers' own, which all members would share.
        self._rates = [
            keras.Variable(layer.rate, dtype="float64", trainable=False) for layer in self._dropouts
        ]
        self._test_smoothing = [(v, v.numpy()) for v in smoothing_variables(model)]
        self.variables = State(
            list(model.variables),
            [
                *self.optimizer.variables,
                *self._rates,
                *schedule_variables(self.optimizer),
                *smoothing_variables(model),
            ],
            list(model.metrics_variables),
        )
        places = {id(v): place for place, v in enumerate(model.variables)}
        self.weights = [places[id(v)] for v in model.weights]
        self.trainable = [places[id(v)] for v in model.trainable_variables]
        # Under a scope the optimizer can't look up its variables.
        indices = [variable_index(self.optimizer, v) for v in model.trainable_variables]
        self._slots = [
            [variables[index] for variables in self.optimizer.slot_variables] for index in indices
        ]
        self.bytes = sum(
            math.prod(v.shape) * tf.as_dtype(v.dtype).size
            for variables in self.variables
            for v in variables
        )
        self.safe = safe_scopes(model, "train_step")
        self._total = [v is loss_tracker(model).total for v in self.variables.metrics].index(True)

    def train(self, state: State, batch: Nested) -> State:
        """Take a step as ``model.train_step`` does: forward, backward, update, metrics."""
        model = self.model
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        weights = [state.model[place] for place in self.trainable]
        with self._scope(state) as scope, self._member_rates():
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                y_pred, loss = self._forward(x, y, sample_weight, training=True)
            self._apply(scope, tape.gradient(loss, weights))
            model.compute_metrics(x, y, y_pred, sample_weight)
            return State(*([scope.get_current_value(v) for v in p] for p in self.variables))

    def test(self, model: list[Tensor], metrics: list[Tensor], batch: Nested) -> list[Tensor]:
        """Take a step as ``model.test_step`` does, and return the new metrics."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        with self._scope(State(model, [], metrics), self._test_smoothing) as scope:
            y_pred, _ = self._forward(x, y, sample_weight, training=False)
            self.model.compute_metrics(x, y, y_pred, sample_weight)
            return [scope.get_current_value(v) for v in self.variables.metrics]

    def logs(self, metrics: list[Tensor]) -> dict[str, Tensor]:
        """Return the loss and the metrics by name."""
        with self._scope(State([], [], metrics)):
            logs = self.model.get_metrics_result()
        return {name: tf.convert_to_tensor(value) for name, value in logs.items()}

    def finite_losses(self, metrics: list[Tensor]) -> Tensor:
        """Return whether all losses since the metrics' reset are finite, one bool a member."""
        return all_finite([metrics[self._total]], members=True)

    def finite_weights(self, model: list[Tensor]) -> Tensor:
        """Return whether all trainable weights are finite, one bool a member."""
        return all_finite([model[place] for place in self.trainable], members=True)

    def fresh_metrics(self) -> list[Array]:
        """Return the initial values of the metrics."""
        self.model.reset_metrics()
        return [v.numpy() for v in self.variables.metrics]

    def fresh_optimizers(
        self, members: Sequence[Mapping[str, float | str]]
    ) -> Iterator[list[Array]]:
        """Yield the values of the optimizer's variables before each member's first step.

        Args:
            members: The values by name that replace the optimizer's own, of each member.
        """
        shared = {id(v): v.numpy() for v in self.variables.optimizer}
        slots = [slot for slots in self.optimizer.slot_variables for slot in slots]
        for variable in (self.optimizer.iterations, *slots):
            shared[id(variable)] = np.zeros_like(shared[id(variable)])
        for hyperparameters in members:
            values = shared | self._own_values(hyperparameters)
            yield [np.asarray(values[id(v)]) for v in self.variables.optimizer]

    def _own_values(self, hyperparameters: Mapping[str, float | str]) -> dict[int, Array]:
        """Return the values that differ from the optimizer's own, by the id of the variable."""
        values: dict[int, Array] = {}
        for name, value in hyperparameters.items():
            if name == DROPOUT:
                values |= {id(rate): np.asarray(value, "float64") for rate in self._rates}
                continue
            if name == SMOOTHING:
                smoothings = smoothing_variables(self.model)
                values |= {id(v): np.asarray(value, "float64") for v in smoothings}
                continue
            variable, number = self.optimizer.assignment(name, value)
            values[id(variable)] = np.asarray(number, variable.dtype)
        return values

    @contextmanager
    def _member_rates(self) -> Iterator[None]:
        """Have the layers of dropout read the member's rates."""
        shared = [layer.rate_variable for layer in self._dropouts]
        for layer, rate in zip(self._dropouts, self._rates, strict=True):
            layer.use_rate_variable(rate)
        try:
            yield
        finally:
            for layer, variable in zip(self._dropouts, shared, strict=True):
                layer.use_rate_variable(variable)

    def _scope(
        self, state: State, further: Sequence[tuple[Variable, Array]] = ()
    ) -> keras.StatelessScope:
        pairs = [
            (variable, value)
            for variables, values in zip(self.variables, state, strict=True)
            for variable, value in zip(variables if values else [], values, strict=True)
        ]
        constants = [(variable, tf.constant(value)) for variable, value in further]
        return keras.StatelessScope([*pairs, *constants], collect_losses=True)

    def _forward(
        self, x: TrainingData, y: TrainingData, sample_weight: SampleWeight, training: bool
    ) -> tuple[Nested, Tensor]:
        model = self.model
        y_pred = model(x, training=training)
        loss = compute_loss(
            model, x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
        )
        examples = tf.shape(first_leaf(x))[0]
        loss_tracker(model).update_state(loss, sample_weight=examples)
        return y_pred, loss

    def _apply(self, scope: keras.StatelessScope, gradients: Sequence[Tensor | None]) -> None:
        """Update the weights as the optimizer's ``apply`` does."""
        optimizer = self.optimizer
        rate = optimizer.learning_rate
        now = {
            dtype: optimizer.step_hyperparameters(rate, dtype)
            for dtype in {v.dtype for v in self.model.trainable_variables}
        }
        updates = zip(self.model.trainable_variables, gradients, self._slots, strict=True)
        for variable, gradient, slots in updates:
            if gradient is None:  # the loss does not depend on it
                continue
            state = [scope.get_current_value(slot) for slot in slots]
            step, state = optimizer.step(gradient, state, now[variable.dtype])
            value = scope.get_current_value(variable) - step
            if variable.constraint is not None:
                value = variable.constraint(value)
            for changed, new in zip((variable, *slots), (value, *state), strict=True):
                changed.assign(new)
        optimizer.iterations.assign(optimizer.iterations + 1)
