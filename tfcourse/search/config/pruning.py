"""``[search.pruning]``: the table, its checks, and advice about it."""

from typing import ClassVar, Literal

from pydantic import Field

from tfcourse.search.config.table import RuleTable
from tfcourse.search.strategies.pruning import Asha, Median

__all__ = ["PruningTable"]


class PruningTable(RuleTable):
    """``[search.pruning]``: ends trials at epochs at which they are behind earlier ones.

    A pruned trial is one of the search's ``trials``, and never its best. With folds or repeats it
    ends in its first training, or after a later one by the mean of its scores. See
    `tfcourse.search.strategies.pruning` for the rules. In Optuna the settings are
    ``reduction_factor`` (4 by default), ``min_resource``, ``n_warmup_steps``,
    ``n_startup_trials`` and ``interval_steps``.

    On 20 times 48 random trainings of the digits, of 960 epochs in all, the best trial was the
    same as without pruning in 8 with ``"asha"`` (213 epochs), in 14 with ``min_epochs = 2`` (294),
    in 15 with ``"median"`` (284), and in 18 with ``warmup_epochs = 2`` (370); the best loss was 9,
    3, 4 and 2 % larger in the mean. An epoch took 3 ms there and a trial's new model 25 ms, so that
    the last took 54 % of the CPU time: the longer an epoch, the closer the two shares. Strategies
    that learn take the score so far of a pruned trial: on a surrogate of such trainings tpe with
    ``"median"`` gained as with random search, and gp was better without pruning at the same number
    of epochs.

    Attributes:
        rule: ``"asha"`` (asynchronous successive halving) with ``reduction_factor`` and
            ``min_epochs``, or ``"median"`` with ``warmup_epochs``, ``startup_trials`` and
            ``interval``.
        parallel: The number of trials of a batch, which are not compared with each other. As many
            can run at a time; the number of workers does not change which trials are pruned. The
            smaller it is, the more is known: with 1, 4, 16 ``"asha"`` trained 148, 200, 461 of
            960 epochs in other searches of the digits, and ``"median"`` 258, 262, 278.
    """

    KEYS: ClassVar = {
        "asha": ("reduction_factor", "min_epochs"),
        "median": ("warmup_epochs", "startup_trials", "interval"),
    }
    rule: Literal["asha", "median"]
    reduction_factor: int = Field(default=3, ge=2)
    min_epochs: int = Field(default=1, ge=1)
    warmup_epochs: int = Field(default=0, ge=0)
    startup_trials: int = Field(default=5, ge=1)
    interval: int = Field(default=1, ge=1)
    parallel: int = Field(default=4, ge=1)

    @property
    def settings(self) -> Asha | Median:
        """The rule with its settings."""
        if self.rule == "asha":
            return Asha(self.reduction_factor, self.min_epochs)
        return Median(self.warmup_epochs, self.startup_trials, self.interval)

    @property
    def most_at_a_time(self) -> int:
        """The most trials that can run at a time."""
        return max(self.settings.startup_trials, self.parallel)

    def problems(self, strategy: str, epochs: int, trainings: int) -> list[str]:
        """Return a line for each reason for which the search can't have this pruning.

        Args:
            strategy: The search's strategy.
            epochs: The most epochs of a trial.
            trainings: The number of trainings of a trial.
        """
        other = "median" if self.rule == "asha" else "asha"
        lines = [
            f'[search.pruning] {key} is for rule "{other}" only. Received: "{self.rule}".'
            for key in self.unused
            if key in self.model_fields_set
        ]
        if strategy == "hyperband":
            lines.append(
                '[search.pruning] is not possible with strategy "hyperband", which ends trials by '
                "a schedule of its own. Leave it out, or use another strategy."
            )
        key, least = ("min_epochs", 0) if self.rule == "asha" else ("warmup_epochs", 1)
        value: int = getattr(self, key)
        # The number of epochs, of all trainings, after which a trial can be pruned last.
        last = epochs - 1 if trainings == 1 else (trainings - 1) * epochs
        if last < 1:
            lines.append(
                "[search.pruning] needs trials of at least 2 epochs, as none is pruned after its "
                f"last one. Received: {epochs}. Leave it out, or give [training] more epochs."
            )
        elif value + least > last:
            number = f"{epochs} epochs" if trainings == 1 else f"{trainings} times {epochs} epochs"
            lines.append(
                f"[search.pruning] {key} must be < {last + 1 - least}, as trials train at most "
                f"{number} and are compared after epoch {value + least} first. Received: "
                f"{value}. Lower it, or give [training] more epochs."
            )
        return lines

    def advice(self, trials: int, caviar: str, strategy: str) -> list[str]:
        """Return a line for each setting that has no effect, or an unlikely one.

        Args:
            trials: The number of trials.
            caviar: ``[search] caviar``.
            strategy: ``[search] strategy``.
        """
        lines = []
        if strategy == "gp":
            lines.append(
                '[search.pruning] with strategy "gp": it learns from the scores so far of pruned '
                "trials, which mislead it. Fewer trials without pruning gave better scores."
            )
        if self.most_at_a_time >= trials:
            lines.append(
                f"[search.pruning] compares no trial before trial {self.most_at_a_time}. With "
                f"trials = {trials} it has no effect."
            )
        if caviar == "population":
            lines.append(
                '[search.pruning] saves little time with caviar = "population": the program of a '
                'group runs until its last trial ends. Use caviar = "reuse".'
            )
        return lines
