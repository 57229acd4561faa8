"""Seeds set without TensorFlow forgetting the programs that it has prepared."""

from unittest.mock import patch

import keras

__all__ = ["set_seeds"]


def set_seeds(seed):
    """``keras.utils.set_random_seed``, after which compiled programs needn't be prepared again.

    That is 0.1 s or more a program. It is for tests that draw nothing from TensorFlow's global
    generator: its random kernels, which are kept as well, go on where they were.
    """
    with patch("tensorflow.python.eager.context.pywrap_tfe.TFE_ContextClearCaches"):
        keras.utils.set_random_seed(seed)
