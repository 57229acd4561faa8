"""The models and programs that the trials of a process took."""

from dataclasses import asdict, dataclass

__all__ = ["Effort"]


@dataclass(frozen=True)
class Effort:
    """The trainings of a process's trials by their kind, and the traces of their programs.

    Attributes:
        own: Trainings in a model that was compiled for them.
        reused: Trainings in the compiled model of an earlier trial.
        vectorized: Trainings as members of a population.
        traces: The number of times that a program was traced; with XLA each trace is compiled too.
    """

    own: int = 0
    reused: int = 0
    vectorized: int = 0
    traces: int = 0

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(
            **{name: value + getattr(other, name) for name, value in asdict(self).items()}
        )

    def __str__(self) -> str:
        return (
            f"trained in own models: {self.own}, in reused ones: {self.reused}, "
            f"in populations: {self.vectorized}; programs traced: {self.traces}"
        )
