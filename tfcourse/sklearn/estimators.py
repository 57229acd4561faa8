"""A search as a classifier or a regressor of scikit-learn's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from tfcourse.models.build import BUILDERS
from tfcourse.search.best.predictor import class_probabilities, predict_outputs
from tfcourse.search.results.search_result import SearchResult
from tfcourse.search.run import Search
from tfcourse.sklearn.columns import check_columns
from tfcourse.sklearn.runs import global_generators, model_from_bytes, model_to_bytes, run_folder
from tfcourse.types import Array, KerasModel, TensorLike

__all__ = ["SearchClassifier", "SearchRegressor"]

# The parameters that are settings of `tfcourse.Search` by the same names.
_SETTINGS = (
    *("trials", "strategy", "objective", "epochs", "batch_size", "optimizer", "loss", "metrics"),
    *("normalize", "split", "folds", "early_stopping"),
)
# The shares of train and dev set by default: scikit-learn scores on examples of its own.
SHARES = (0.8, 0.2)
# The space without one, for tfcourse's own builders.
_RATE = {"learning_rate": {"low": 1e-4, "high": 0.1, "scale": "log"}}


class _SearchEstimator(BaseEstimator):
    """A search with scikit-learn's interface: its parameters, and the model in a pickle."""

    search_result_: SearchResult
    model_: KerasModel

    def __init__(
        self,
        space: Mapping[str, Mapping[str, Any]] | None = None,
        build: Any = "mlp",
        *,
        arguments: Mapping[str, Any] | None = None,
        trials: int = 10,
        strategy: str | None = None,
        objective: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: str | None = None,
        loss: str | None = None,
        metrics: Sequence[str] | None = None,
        normalize: str | None = None,
        split: Sequence[float] | None = None,
        folds: int | None = None,
        early_stopping: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = 0,
        out: str | Path | None = None,
        name: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.space = space
        self.build = build
        self.arguments = arguments
        self.trials = trials
        self.strategy = strategy
        self.objective = objective
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.loss = loss
        self.metrics = metrics
        self.normalize = normalize
        self.split = split
        self.folds = folds
        self.early_stopping = early_stopping
        self.settings = settings
        self.random_state = random_state
        self.out = out
        self.name = name
        self.verbose = verbose

    def _settings(self, loss: str | None) -> dict[str, Any]:
        """Return the settings of the search that are set, and the default loss."""
        own = {name: getattr(self, name) for name in _SETTINGS}
        own = {name: value for name, value in own.items() if value is not None}
        settings = dict(self.settings or {})
        parameters = self.get_params(deep=False)
        twice = [name for name in settings if name in parameters or name in ("seed", "data")]
        if twice:
            name = {"seed": "random_state", "data": "X and y of fit"}.get(twice[0], twice[0])
            raise ValueError(f"settings: give {twice[0]!r} as the argument {name} instead.")
        return {"loss": loss, "split": SHARES, **own, **settings}

    def _search(self, x: Array, y: Array, weight: TensorLike, loss: str | None = None) -> None:
        """Run the search, and set its result and its best model."""
        space = self.space
        if space is None and isinstance(self.build, str) and self.build in BUILDERS:
            space = _RATE
        seed = self.random_state
        if not isinstance(seed, int | np.integer) or isinstance(seed, bool):
            seed = check_random_state(seed).randint(2**31)
        settings = self._settings(loss)
        with run_folder(self.out, self.name) as folder, global_generators():
            search = Search(
                space=space,
                build=self.build,
                arguments=self.arguments,
                data=(x, y) if weight is None else (x, y, _weights(weight, len(x))),
                seed=int(seed),
                name=self.name or "search",
                out=folder,
                **settings,
            )
            result = search.run(verbose=self.verbose)
            self.model_ = result.best_model()
        self.search_result_ = result
        self.best_params_ = dict(result.best.values)
        self.best_score_ = result.best.score

    def _outputs(self, x: TensorLike) -> Array:
        check_is_fitted(self)
        check_columns(x)
        x = validate_data(self, x, reset=False, allow_nd=True)
        return np.asarray(predict_outputs(self.model_, x))

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = model_to_bytes(self.model_)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "model_" in state:
            state = {**state, "model_": model_from_bytes(state["model_"])}
        super().__setstate__(state)


def _weights(weight: TensorLike, count: int) -> Array:
    """Return the weights of the examples; raise ValueError if they are not one for each."""
    weights: Array = check_array(
        weight,
        ensure_2d=False,
        dtype="numeric",
        ensure_non_negative=True,
        input_name="sample_weight",
    )
    if weights.shape != (count,):
        raise ValueError(
            f"sample_weight must have one weight for each of {count} examples. Received: the shape "
            f"{weights.shape}."
        )
    if not weights.any():
        raise ValueError("sample_weight must not be zero for all examples.")
    return weights


class SearchClassifier(ClassifierMixin, _SearchEstimator):
    """A search for a classifier, as an estimator of scikit-learn's.

    Its predictions are those of the best model, which learned from the train set; the search
    compared the models on the dev set.

    Args:
        space: The tables of ``[space]`` by name, as for `tfcourse.Search`. None is a learning rate
            in [0.0001, 0.1] on a log scale; a builder of keras-tuner's has ranges of its own.
        build: The builder, as for `tfcourse.Search`.
        arguments: Fixed arguments of ``build``.
        trials: The number of trials.
        strategy, objective, epochs, batch_size, optimizer, loss, metrics, normalize, split, folds,
            early_stopping: Settings of `tfcourse.Search`; None is its default, but that of
            ``split`` is (0.8, 0.2), a train and a dev set.
        settings: Further settings of `tfcourse.Search` by name.
        random_state: The seed of the search; None draws another one for every ``fit``.
        out: A folder for the run directory; by default a temporary one is deleted when ``fit``
            ends. With it a ``fit`` that was interrupted continues, and one with the same data
            and parameters reads its result.
        name: The name of the run directory in ``out``; with it ``out`` is ``"runs"`` by default.
        verbose: True to show a progress bar.

    Attributes:
        best_params_: The hyperparameters of the best trial.
        best_score_: Its score on the dev set.
        model_: The best model, a compiled ``keras.Model``.
        search_result_: The `tfcourse.search.SearchResult`.
        n_features_in_: The number of features.
        feature_names_in_: Their names, if X was a table whose columns have texts as names.
        classes_: The classes in the order of the columns of ``predict_proba``.
    """

    def fit(self, X: TensorLike, y: TensorLike, sample_weight: TensorLike = None) -> Self:
        """Search hyperparameters on examples X, (examples, features, ...), of the classes y.

        ``sample_weight`` has the weight of each example in the loss.

        Raises:
            ValueError: X, y or the weights are not usable, or y has one class alone.
        """
        check_columns(X)
        X, y = validate_data(self, X, y, allow_nd=True, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y must have at least 2 classes. Received: one class, {self.classes_[0]!r}."
            )
        self._search(X, numbers, sample_weight)
        return self

    def predict_proba(self, X: TensorLike) -> Array:
        """Return the probability of each class, of shape (examples, classes)."""
        return class_probabilities(self._outputs(X))

    def predict(self, X: TensorLike) -> Array:
        """Return the most probable class of each example."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[numbers])


class SearchRegressor(RegressorMixin, _SearchEstimator):
    """A search for a regression, as an estimator of scikit-learn's.

    Its loss is the mean squared error by default. Arguments and attributes are those of
    `SearchClassifier`, without ``classes_``:

    Args:
        space, build, arguments, trials, random_state, out, name, verbose: See there.
        strategy, objective, epochs, batch_size, optimizer, loss, metrics, normalize, split, folds,
            early_stopping, settings: See there.
    """

    def fit(self, X: TensorLike, y: TensorLike, sample_weight: TensorLike = None) -> Self:
        """Search hyperparameters on examples X, (examples, features, ...), of the numbers y.

        ``sample_weight`` has the weight of each example in the loss.

        Raises:
            ValueError: X, y or the weights are not usable.
        """
        check_columns(X)
        X, y = validate_data(
            self, X, y, allow_nd=True, multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        self._is_one_number = y.ndim == 1
        self._search(X, y, sample_weight, loss="mse")
        return self

    def predict(self, X: TensorLike) -> Array:
        """Return the numbers of each example, in the shape of y in ``fit``."""
        outputs = self._outputs(X).astype(np.float64)
        return outputs[:, 0] if self._is_one_number else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
