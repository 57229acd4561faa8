"""The course's claims, and the tools with which a script in `examples/` states its result.

Importing it imports neither TensorFlow nor matplotlib. Each name is loaded on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
