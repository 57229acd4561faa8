from .babysitter import Babysitter as Babysitter
