"""tfcourse: hyperparameter tuning, batch normalization and softmax for TensorFlow 2 and Keras 3.

As in Keras, names are grouped in packages: `tfcourse.layers`, `tfcourse.optimizers`,
`tfcourse.formulas`, `tfcourse.models`, `tfcourse.training`, `tfcourse.search`,
`tfcourse.strategy` and `tfcourse.babysit`; those most used are here as well. Each is loaded on
first use, so that TensorFlow is imported neither with the package nor for the command line's help.
"""

from typing import Any

from tfcourse.public_names import attach_stub

_load, __dir__, __all__ = attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # 50 ms, which only --version needs

        return version("tfcourse")
    return _load(name)
