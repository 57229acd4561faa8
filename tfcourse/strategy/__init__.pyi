from .diagnosis import Diagnosis as Diagnosis
from .diagnosis import diagnose as diagnose
from .diagnosis import diagnose_model as diagnose_model
from .gaps import Gap as Gap
from .splits import TrainDevSplit as TrainDevSplit
from .splits import split_with_train_dev as split_with_train_dev
from .variety import Variety as Variety
from .variety import check_variety as check_variety
