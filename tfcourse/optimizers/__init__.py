"""The course's optimizers: thin state around the updates of `tfcourse.formulas.updates`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
