"""The course's optimizers: thin state around the updates of `tfcourse.formulas.updates`."""

from tfcourse.public_names import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
