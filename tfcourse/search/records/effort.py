"""What a process's trials took: models, and programs that were traced."""

from dataclasses import asdict, dataclass

__all__ = ["Effort"]


@dataclass(frozen=True)
class Effort:
    """What the trials of one process took.

    Attributes:
        own: Trainings in a model that was compiled for them.
        reused: Trainings in the compiled model of an earlier one.
        together: Trainings as members of a population.
        traces: How often a program was traced; with XLA, each trace is compiled too.
    """

    own: int = 0
    reused: int = 0
    together: int = 0
    traces: int = 0

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(
            **{name: value + getattr(other, name) for name, value in asdict(self).items()}
        )

    def __str__(self) -> str:
        return (
            f"trained in own models: {self.own}, in reused ones: {self.reused}, "
            f"in populations: {self.together}; programs traced: {self.traces}"
        )
