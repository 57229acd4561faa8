from .places import project_file as project_file
from .script import QUICK as QUICK
from .script import over_seeds as over_seeds
from .script import save as save
from .script import spread as spread
from .script import verdict as verdict
