"""Logs as callbacks get them are those that Keras makes."""

import numpy as np
import pytest
import tensorflow as tf
from keras.src.utils.python_utils import pythonify_logs

from tfcourse.training.callbacks import numbers_of

LOGS = {
    "none": None,
    "empty": {},
    "floats of NumPy": {"loss": np.float32(0.1), "acc": np.float64(1 / 3), "half": np.float16(0.1)},
    "floats of Python": {"val_loss": 0.25, "loss": float("nan"), "b": float("inf")},
    "whole numbers": {"z": 3, "count": np.int64(7), "flag": np.bool_(True)},
    "tensors": {"loss": tf.constant(0.1), "acc": np.float32(0.5)},
    "an array": {"loss": np.float32(0.1), "by_class": np.ones(3, np.float32)},
    "an array of one number": {"loss": np.ones((), np.float32), "one": np.ones(1)},
    "nested": {"loss": np.float32(1), "f1": {"b": np.float32(0.2), "a": np.float32(0.1)}},
}


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.filterwarnings("ignore:Conversion of an array with ndim > 0:DeprecationWarning")
def test_all_kinds(name):
    numbers, expected = numbers_of(LOGS[name]), pythonify_logs(LOGS[name])
    assert [*numbers] == [*expected]
    for key, value in expected.items():
        assert type(numbers[key]) is type(value)
        np.testing.assert_array_equal(numbers[key], value)
