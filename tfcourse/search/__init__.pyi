from .records.trial_record import TrialRecord as TrialRecord
from .results.search_result import SearchResult as SearchResult
from .retest import retest as retest
from .run import Search as Search
from .space.hp_scales import log_uniform as log_uniform
from .space.hp_scales import one_minus_log as one_minus_log
from .store.errors import SearchFailedError as SearchFailedError
