from .adam import Adam as Adam
from .gradient_descent import GradientDescent as GradientDescent
from .momentum import Momentum as Momentum
from .rmsprop import RMSprop as RMSprop
