"""The parts that all members share: the model that the program is traced from, and the program."""

from collections.abc import Callable
from typing import Any

import keras

from tfcourse.errors import InputError, shown
from tfcourse.training.data.compilation import Compilation
from tfcourse.training.population.checks import check_model
from tfcourse.training.population.fresh import FreshValues, preserved_generators
from tfcourse.training.population.program import PopulationProgram
from tfcourse.training.population.step import MemberStep
from tfcourse.training.programs.building import build_state
from tfcourse.training.programs.step import outputs_on
from tfcourse.types import KerasModel, Nested

__all__ = ["Population"]


class Population:
    """An architecture and its compiled programs, for `tfcourse.fit_population`.

    Passed as ``build``, it trains the members of many calls without another compilation, as long
    as the sizes (of the batch, the data, and the number of slots) stay the same.

    Args:
        build: See `tfcourse.fit_population`.

    Raises:
        InputError: A population can't train such models.
    """

    def __init__(self, build: Callable[[], KerasModel] | KerasModel) -> None:
        if isinstance(build, keras.Model):
            self.model, self._build = build, lambda: type(build).from_config(build.get_config())
        elif callable(build):
            self._build = build
            with preserved_generators():
                self.model = build()
        else:
            raise InputError(
                "build must be a compiled keras.Model or a function that returns one. "
                f"Received: {shown(build)}."
            )
        check_model(self.model)
        self._prepared: tuple[MemberStep, FreshValues] | None = None
        self._programs: dict[tuple[Any, ...], PopulationProgram] = {}

    def prepare(self, batch: Nested) -> tuple[MemberStep, FreshValues]:
        """Return the step of a member, and the source of its initial values.

        Args:
            batch: A batch of the data, or symbols of one, from which unknown shapes come.
        """
        if self._prepared is None:
            build_state(self.model, batch)
            x, _, _ = keras.utils.unpack_x_y_sample_weight(batch)

            def build() -> KerasModel:
                model: KerasModel = self._build()
                if not model.built:
                    outputs_on(model, model, x, training=False)
                return model

            shapes = [tuple(variable.shape) for variable in self.model.variables]
            self._prepared = MemberStep(self.model), FreshValues(build, shapes)
        return self._prepared

    def program(
        self, step: MemberStep, batch_size: int, test_batch_size: int, jit: Compilation
    ) -> PopulationProgram:
        """Return the programs for these sizes, from an earlier call if there was one.

        Not from one that continued without XLA, where it is required.
        """
        key = batch_size, test_batch_size, jit.training, tuple(jit.in_range)
        program = self._programs.get(key)
        if program is None or (jit.required and program.jit_compile != jit.training):
            program = self._programs[key] = PopulationProgram(step, *key)
        program.required = jit.required
        return program
