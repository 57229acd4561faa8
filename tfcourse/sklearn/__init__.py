"""Searches as estimators of scikit-learn, for its pipelines, cross-validation and grids.

``from tfcourse.sklearn import SearchClassifier`` needs scikit-learn. Each name is loaded on first
use.
"""

import importlib.util

from tfcourse.public_names import attach_stub

if importlib.util.find_spec("sklearn") is None:
    raise ModuleNotFoundError(
        "tfcourse.sklearn needs scikit-learn. Install it: pip install scikit-learn, or tfcourse "
        "with its extra data.",
        name="sklearn",
    )

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
