"""Keras layers: thin state around the formulas."""

from tfcourse.layers.batch_norm import BatchNorm
from tfcourse.layers.softmax_head import SoftmaxHead

__all__ = ["BatchNorm", "SoftmaxHead"]
