"""tfcourse: hyperparameter tuning, batch normalization and softmax for TensorFlow 2 and Keras 3.

Each public name is loaded on first use, so that importing the package, and the command line's
help, cost no TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from tfcourse.errors import InputError, WorkFailedError
    from tfcourse.formulas.regularization import l1_factor, l2_factor
    from tfcourse.layers.batch_norm import BatchNorm
    from tfcourse.layers.softmax_head import SoftmaxHead
    from tfcourse.models.fold import fold_batch_norm, fold_report
    from tfcourse.models.gradient_check import GradientCheck, gradient_check
    from tfcourse.models.lint import Finding, lint
    from tfcourse.models.many_classes import ManyClassModel
    from tfcourse.models.recalibrate import recalibrate
    from tfcourse.models.saving import load_model
    from tfcourse.models.swap import swap
    from tfcourse.optimizers.adam import Adam
    from tfcourse.optimizers.gradient_descent import GradientDescent
    from tfcourse.optimizers.momentum import Momentum
    from tfcourse.optimizers.rmsprop import RMSprop
    from tfcourse.search.retest import retest
    from tfcourse.search.run import Search
    from tfcourse.search.space.hp_scales import log_uniform, one_minus_log
    from tfcourse.search.store.errors import SearchFailedError
    from tfcourse.toy import DivergedError, minimize_quadratic
    from tfcourse.training.evaluate import evaluate
    from tfcourse.training.fit import fit
    from tfcourse.training.non_finite.guard import NonFiniteLossError
    from tfcourse.training.population.fit import fit_population
    from tfcourse.training.population.member import Member
    from tfcourse.training.predict import predict

_MODULES = {
    "Adam": "tfcourse.optimizers.adam",
    "BatchNorm": "tfcourse.layers.batch_norm",
    "DivergedError": "tfcourse.toy",
    "Finding": "tfcourse.models.lint",
    "GradientCheck": "tfcourse.models.gradient_check",
    "GradientDescent": "tfcourse.optimizers.gradient_descent",
    "InputError": "tfcourse.errors",
    "ManyClassModel": "tfcourse.models.many_classes",
    "Member": "tfcourse.training.population.member",
    "Momentum": "tfcourse.optimizers.momentum",
    "NonFiniteLossError": "tfcourse.training.non_finite.guard",
    "RMSprop": "tfcourse.optimizers.rmsprop",
    "Search": "tfcourse.search.run",
    "SoftmaxHead": "tfcourse.layers.softmax_head",
    "SearchFailedError": "tfcourse.search.store.errors",
    "WorkFailedError": "tfcourse.errors",
    "evaluate": "tfcourse.training.evaluate",
    "fit": "tfcourse.training.fit",
    "fit_population": "tfcourse.training.population.fit",
    "fold_batch_norm": "tfcourse.models.fold",
    "fold_report": "tfcourse.models.fold",
    "gradient_check": "tfcourse.models.gradient_check",
    "l1_factor": "tfcourse.formulas.regularization",
    "l2_factor": "tfcourse.formulas.regularization",
    "lint": "tfcourse.models.lint",
    "load_model": "tfcourse.models.saving",
    "log_uniform": "tfcourse.search.space.hp_scales",
    "minimize_quadratic": "tfcourse.toy",
    "one_minus_log": "tfcourse.search.space.hp_scales",
    "predict": "tfcourse.training.predict",
    "recalibrate": "tfcourse.models.recalibrate",
    "retest": "tfcourse.search.retest",
    "swap": "tfcourse.models.swap",
}

__all__ = [
    "Adam",
    "BatchNorm",
    "DivergedError",
    "Finding",
    "GradientCheck",
    "GradientDescent",
    "InputError",
    "ManyClassModel",
    "Member",
    "Momentum",
    "NonFiniteLossError",
    "RMSprop",
    "Search",
    "SearchFailedError",
    "SoftmaxHead",
    "WorkFailedError",
    "evaluate",
    "fit",
    "fit_population",
    "fold_batch_norm",
    "fold_report",
    "gradient_check",
    "l1_factor",
    "l2_factor",
    "lint",
    "load_model",
    "log_uniform",
    "minimize_quadratic",
    "one_minus_log",
    "predict",
    "recalibrate",
    "retest",
    "swap",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # 50 ms, which only --version needs

        return version("tfcourse")
    if name not in _MODULES:
        raise AttributeError(f"module 'tfcourse' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
