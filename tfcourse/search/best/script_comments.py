"""The comments of a program that trains a trial again."""

from tfcourse.console import one_line
from tfcourse.data.sources import is_function
from tfcourse.hyperparameters import SCHEDULE_ARGUMENTS
from tfcourse.search.config.architecture import is_builtin
from tfcourse.search.config.schedules import is_scheduled, is_smoothed, training_value
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.score_at import BEST
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.types import Hyperparameters

__all__ = ["script_comments"]


def script_comments(
    config: SearchConfig, values: Hyperparameters, record: TrialRecord
) -> list[str]:
    """Return comments that say what the program that trains a trial again does and does not.

    Args:
        config: The search.
        values: The trial's hyperparameters.
        record: The trial.
    """
    training = config.training
    lines = [f'Trial {record.trial} of the search "{config.search.name}", trained again.']
    has_own = ":" in config.builder.name or is_function(config.data.source)
    if has_own and config.search.modules is None:
        lines.append("Run it where the search ran: modules are found in the current folder.")
    if not is_builtin(config.builder):
        lines.append(f"The model is what {config.builder.name} builds of these values.")
    epoch = "best" if config.search.score_at == BEST else "last"
    lines.append(f"The model ends with the weights of its {epoch} epoch.")
    if config.data.normalize != "none":
        lines.append(f'The examples are scaled by the train set ("{config.data.normalize}").')
    if training.early_stopping is not None:
        patience = training.early_stopping.patience
        monitor = training.early_stopping.monitor or config.search.objective
        lines.append(f"Early stopping: after {patience} epochs without a better {monitor}.")
    if is_scheduled(config):
        parts = {name: training_value(config, values, name) for name in SCHEDULE_ARGUMENTS}
        text = ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None)
        lines.append(f"The learning rate has a schedule over all epochs: {text}.")
    if is_smoothed(config):
        smoothing = training_value(config, values, "label_smoothing") or 0.0
        lines.append(f"Labels are smoothed by {smoothing} in the training, not on the dev set.")
    counts = {"folds": training.folds, "repeats": training.repeats}
    several = [f"{count} {name}" for name, count in counts.items() if count > 1]
    if several and record.status != "pruned":
        mean = " times ".join(several)
        lines.append(f"The score is the mean of {mean}; the model is that of the last training.")
    if record.status == "pruned" and record.scores:
        total = training.folds * training.repeats
        done = f"{len(record.scores)} of {total} trainings"
        lines.append(f"The search pruned it after {done}, which are repeated here.")
    elif record.status == "pruned":
        whole = "its first training" if several else "it"
        lines.append(f"The search pruned it; here {whole} trains to its end.")
    if config.search.caviar != "reuse":
        lines.append("Trials that were trained in a population have the same score to rounding.")
    return [f"# {one_line(line)}" for line in lines]
