from .batch_norm import BatchNorm as BatchNorm
from .dropout import Dropout as Dropout
from .softmax_head import SoftmaxHead as SoftmaxHead
