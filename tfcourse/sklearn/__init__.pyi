from .estimators import SearchClassifier as SearchClassifier
from .estimators import SearchRegressor as SearchRegressor
