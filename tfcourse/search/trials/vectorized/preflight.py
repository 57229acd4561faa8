"""Whether the first trial's model can be trained in a population, before any trial is."""

from collections.abc import Mapping
from typing import Any

from tfcourse.data.splits import Split
from tfcourse.errors import InputError
from tfcourse.search.config.architecture import is_ours
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.trials.building import compiled_model
from tfcourse.training.population.checks import check_model
from tfcourse.training.population.fit import fit_population
from tfcourse.training.population.member import Member

__all__ = ["preflight_population"]

ROWS = 4
# They are known to be vectorizable, as our builders' layers and losses are.
KNOWN_METRICS = {"accuracy"}


def preflight_population(
    config: SearchConfig, split: Split, values: Mapping[str, Any], model: Any
) -> None:
    """Looks at the model and, where a look does not tell, trains two of its kind on a few rows.

    Args:
        config: A search with ``caviar = "population"``.
        split: The data.
        values: The trial's hyperparameters.
        model: Its model.

    Raises:
        InputError: A population can't have such models.
    """
    x, y = split.train.x[:ROWS], split.train.y[:ROWS]
    try:
        check_model(model)
        if not is_ours(config.builder) or {*config.training.metrics} - KNOWN_METRICS:
            fit_population(
                lambda: compiled_model(config, values, split.train.x.shape[1:], split.classes),
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
            f'{config.origin}: [search] caviar = "population" can\'t be had: {error} '
            'With caviar = "auto" it is trained as without.'
        ) from error
