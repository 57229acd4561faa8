"""The tables of a search's TOML file as pydantic models."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, Strict, create_model
from pydantic_core import PydanticCustomError

from tfcourse.data.tables.table_options import TABLES
from tfcourse.search.config.column_tables import TableKeys
from tfcourse.search.config.limits import LARGEST, LONGEST_NAME
from tfcourse.search.config.optimizers import ALL_ARGUMENTS, ARGUMENTS, FLAGS
from tfcourse.search.config.pruning import PruningTable
from tfcourse.search.config.ray import RayTable
from tfcourse.search.config.satisficing import LimitsTable
from tfcourse.search.config.split_tables import SplitKeys
from tfcourse.search.config.stream_tables import StreamKeys
from tfcourse.search.config.table import Table
from tfcourse.search.config.weight_tables import Names, Weight, WeightKeys
from tfcourse.search.records.score_at import BEST, is_score_at

__all__ = [
    "DataTable",
    "EarlyStoppingTable",
    "ModelTable",
    "SearchTable",
    "SpaceTable",
    "Table",
    "TrainingTable",
]

Number = int | float
Kind = Literal["labels", "one_hot", "binary", "numbers"]
Method = Literal["none", "standardize", "min_max", "rescale"]


def _score_at(value: str) -> str:
    if not is_score_at(value):
        demand = 'must be "best", "last" or "mean_last_K" with a whole K, such as "mean_last_3"'
        raise PydanticCustomError("score_at", demand)
    return value


class SearchTable(Table):
    """``[search]``: the objective, the strategy and the extent of the search.

    Attributes:
        objectives: Several objectives, see `tfcourse.search.config.objectives`: as tables with
            ``name`` and perhaps ``direction``. ``objective`` is the first of them.
        score_at: The epochs of a training that its score is of, see
            `tfcourse.search.records.score_at`. With ``"best"`` the model has the weights of the
            best epoch, otherwise those of the last one, at which early stopping may have ended it.
        engine: Where the workers are: processes of this machine, or those of a Ray cluster.
        workers: The number of processes that train.
        trial_timeout: The seconds after which a trial counts as failed. The data, the first model
            and the import of their modules are refused if they take longer (for imports see
            `tfcourse.time_limits.limited`).
        max_seconds: The seconds after which no trial begins; those that run end as usual. Earlier
            runs of the search count, see `tfcourse.search.strategies.stopping`.
        target: The objective that ends the search, for the first n trials of which one has it.
        patience: The number of trials without a better one that ends the search, as Keras's
            ``EarlyStopping`` does for epochs; a score must be better by more than ``min_delta``.
        threads: The number of threads of one operation in every process; with another number the
            sums of convolutions are rounded differently.
        reuse_models: The number of compiled models that are kept for later trials; with 0 each
            trial builds its own.
        caviar: ``"population"`` trains trials of one architecture together, ``"reuse"`` one after
            the other, and ``"auto"`` estimates which is quicker. The results agree to rounding,
            not to the last bit.
        start: ``[[search.start]]`` tables: the values of the first trials, such as the best known
            ones; hyperparameters that a table leaves out are drawn.
        checkpoints: ``"all"`` keeps every trial's model on disk, ``"best"`` only the best one's.
        pruning: ``[search.pruning]``; without it all trials train to their last epoch.
        limits: ``[search.limits]``; without it the score alone decides which trial is the best.
        ray: ``[search.ray]``, of the engine ``"ray"``.
        modules: A folder in which Python finds the modules that the config names, after all
            others. Not set: that of the config, if one of them is there.
        tensorboard: A folder for event files, see `tfcourse.search.results.tensorboard`.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=LONGEST_NAME)
    objective: str = "val_accuracy"
    direction: Literal["max", "min"] | None = None
    objectives: Annotated[tuple[dict[str, Any], ...], Strict(False)] | None = None
    score_at: Annotated[str, AfterValidator(_score_at)] = BEST
    strategy: Literal[
        "random",
        "quasi_random",
        "coarse_to_fine",
        "grid",
        "bayesian",
        "gp",
        "tpe",
        "cma_es",
        "optuna",
        "hyperband",
    ] = "random"
    trials: int = Field(ge=1, le=1_000_000)
    seed: int = Field(default=0, ge=0)
    engine: Literal["processes", "ray"] = "processes"
    workers: Literal["auto"] | Annotated[int, Field(ge=1, le=1000)] = 1
    trial_timeout: float | None = Field(default=None, gt=0)
    max_seconds: float | None = Field(default=None, gt=0)
    target: float | None = None
    patience: int | None = Field(default=None, ge=1)
    min_delta: float = Field(default=0.0, ge=0)
    threads: int = Field(default=1, ge=1, le=1000)
    reuse_models: int = Field(default=16, ge=0)
    caviar: Literal["auto", "population", "reuse"] = "reuse"
    start: Annotated[tuple[dict[str, Any], ...], Strict(False)] = ()
    checkpoints: Literal["best", "all"] = "best"
    pruning: PruningTable | None = None
    limits: LimitsTable | None = None
    ray: RayTable | None = None
    modules: str | None = None
    tensorboard: str | None = None


class DataTable(TableKeys, StreamKeys, SplitKeys):
    """``[data]``: the source of the examples, and their split into train, dev and test set.

    ``normalize``: see `tfcourse.data.scaling.fit_scaling`; the best model begins with it. A table
    names the inputs that are scaled, of several; without one those of floats are.
    ``sample_weight``: a column of a table or an array of an npz with the weight of each example in
    the losses, of the training as of the dev and the test set. Metrics are not weighed. Both as
    Keras's ``fit`` does it with ``sample_weight`` and ``validation_data=(x, y, sample_weight)``.
    """

    source: str = "digits"
    path: str | None = None
    label: str | None = None
    normalize: dict[str, Method] | Method = "none"
    sample_weight: str | None = None
    seed: int = Field(default=0, ge=0)

    @property
    def is_prepared(self) -> bool:
        """True if x may differ from what a model is trained on: it is scaled, or of a table."""
        return self.normalize != "none" or self.source in TABLES


class ModelTable(Table):
    """``[model]``: the builder; every other key is one of its arguments."""

    model_config = ConfigDict(extra="allow")
    builder: str = "mlp"

    @property
    def arguments(self) -> dict[str, Any]:
        """The builder's fixed arguments."""
        return dict(self.__pydantic_extra__ or {})


class EarlyStoppingTable(Table):
    """``[training.early_stopping]``: ends a training whose ``monitor`` no longer gets better.

    As Keras's ``EarlyStopping``: after ``patience`` epochs without an improvement of more than
    ``min_delta``, counted from epoch ``start_from_epoch`` on. ``monitor`` is the objective if it
    is not set. Which epoch's weights the model keeps does not depend on it, see ``score_at`` of
    `SearchTable`.
    """

    patience: int = Field(default=3, ge=1)
    min_delta: float = Field(default=0.0, ge=0)
    monitor: str | None = None
    start_from_epoch: int = Field(default=0, ge=0)


class _TrainingTable(WeightKeys):
    """``[training]``: the loss, the optimizer, its fixed hyperparameters, epochs and batch size.

    Attributes:
        loss: Keras's name, or ``package.module:name``; of several outputs a table of them by
            output, in which one may be missing.
        metrics: Likewise.
        targets: The targets that the loss takes; not set: those that it is known to take.
        callbacks: The names of callbacks, or their tables of arguments by name, see
            `tfcourse.search.trials.own_callbacks.make_callbacks`.
        loss_weights: The weights of the losses of several outputs in their sum; 1 if not set.
        dtype_policy: Keras's global policy for the models; not set: the one at the time.
        folds: The number of folds of train and dev set together, each the dev set of one
            training; with 1 the sets stay as they are.
        repeats: The number of trainings on each fold, each with a seed of its own.
        schedule: The learning rate over the trial's epochs, from ``learning_rate`` down:
            ``"constant"``; ``"cosine"`` or ``"linear"`` to 0, step by step; ``"inverse_time"``,
            ``α₀/(1 + decay_rate · epoch)``, epoch by epoch, see
            `tfcourse.formulas.schedules.scheduled_rate`.
        warmup: The share of the steps in which the rate rises from 0, in [0, 1).
        decay_rate: The rate of ``"inverse_time"``, 1 if it is not set.
        label_smoothing: The share of each target that is spread over all classes, in [0, 1), as
            Keras's argument. It is for the training alone: ``val_loss`` and the test are of the
            targets themselves, so that trials can be compared.
    """

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=64, ge=1, le=LARGEST["batch_size"])
    loss: dict[str, str] | str = "sparse_categorical_crossentropy"
    metrics: dict[str, Names] | Names = ("accuracy",)
    targets: dict[str, Kind] | Kind | None = None
    loss_weights: dict[str, Weight] | None = None
    callbacks: list[str] | dict[str, dict[str, Any]] | None = None
    dtype_policy: Literal["float32", "mixed_float16", "mixed_bfloat16"] | None = None
    folds: int = Field(default=1, ge=1, le=1_000_000)
    repeats: int = Field(default=1, ge=1, le=1_000_000)
    early_stopping: EarlyStoppingTable | None = None
    optimizer: str = "adam"
    jit_compile: Literal["auto", True, False] = "auto"
    schedule: Literal["constant", "cosine", "linear", "inverse_time"] | None = None
    warmup: float | None = None
    decay_rate: float | None = None
    label_smoothing: float | None = None


if TYPE_CHECKING:
    TrainingTable = _TrainingTable
else:
    # The fields include the arguments of all registered optimizers.
    _FIELDS = {name: (bool if name in FLAGS else float) | None for name in ALL_ARGUMENTS}
    TrainingTable = create_model(
        "TrainingTable",
        __base__=_TrainingTable,
        __module__=__name__,
        __doc__=_TrainingTable.__doc__,
        optimizer=(Literal[tuple(ARGUMENTS)], "adam"),
        **{name: (kind, None) for name, kind in _FIELDS.items()},
    )


class SpaceTable(Table):
    """``[space.NAME]``: low, high and optionally step and scale; or the values of a choice.

    ``when`` makes it depend on the values of others; ``points`` is for the grid.
    """

    low: Number | None = None
    high: Number | None = None
    step: Number | None = Field(default=None, gt=0)
    scale: str | None = None
    values: list[Any] | None = None
    points: int | None = Field(default=None, ge=1)
    when: dict[str, Any] | None = None
