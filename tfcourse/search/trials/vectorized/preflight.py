"""The check that the first trial's model can be trained in a population, before any trial."""

from tfcourse.data.splits import Split
from tfcourse.errors import InputError
from tfcourse.search.config.architecture import is_builtin
from tfcourse.search.config.metrics import LOSSES
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.trials.building import compiled_model
from tfcourse.training.population.checks import check_model
from tfcourse.training.population.fit import fit_population
from tfcourse.training.population.member import Member
from tfcourse.types import Hyperparameters, KerasModel

__all__ = ["preflight_population"]

ROWS = 4
# Metrics that can be vectorized, as the layers and losses of tfcourse's own builders can.
KNOWN_METRICS = {"accuracy"}


def preflight_population(
    config: SearchConfig, split: Split, values: Hyperparameters, model: KerasModel
) -> None:
    """Check the model and, if that is not enough, train two of its kind on a few rows.

    Args:
        config: A search with ``caviar = "population"``.
        split: The data.
        values: The trial's hyperparameters.
        model: Its model.

    Raises:
        InputError: Such models can't be trained in a population.
    """
    rows = split.train.rows(slice(ROWS))
    x, y = rows.x, rows.y
    try:
        check_model(model)
        is_known = all(
            output.loss in LOSSES and {*output.all_metrics} <= KNOWN_METRICS
            for output in config.outputs
        )
        if not is_builtin(config.builder) or not is_known:
            fit_population(
                lambda: compiled_model(config, split, values),
                [Member(0), Member(1)],
                x,
                y,
                verbose=0,
                validation_data=(x, y),
                jit_compile=False,
                check_data=False,
            )
    except InputError as error:
        raise InputError(
            f'{config.origin}: [search] caviar = "population" is not possible: {error} '
            'With caviar = "auto" each trial is trained alone.'
        ) from error
