"""A trial whose checkpoints can't be used is trained from its beginning, once."""

from types import SimpleNamespace

import pytest

from tfcourse.search.trials.resumption import resume_or_restart
from tfcourse.training.checkpoints.errors import UnusableCheckpointError

HISTORY = {"loss": [0.5, 0.25]}


def trained(ends, log):
    """The result of a trial whose trainings end so; ``log`` gets what was done, in order."""

    def fit_once(model):
        log.append(model)
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    return resume_or_restart(fit_once, "model", SimpleNamespace(clear=lambda: log.append("clear")))


def test_what_can_be_used_is_used(caplog):
    log = []
    assert trained([HISTORY], log) is HISTORY
    assert (log, caplog.text) == (["model"], "")


def test_what_is_of_no_use_is_cleared_and_told_before_it_is_trained_anew(caplog):
    log = []
    assert trained([UnusableCheckpointError("its file is cut."), HISTORY], log) is HISTORY
    assert log == ["model", "clear", "model"]
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("tfcourse", "WARNING")
    assert record.getMessage() == "A trial is trained from its beginning: its file is cut."


@pytest.mark.parametrize("before", [[], [UnusableCheckpointError("cut")]])
def test_other_errors_and_a_second_one_are_the_trials(before):
    error = UnusableCheckpointError("again") if before else ValueError("the user's")
    with pytest.raises(type(error)) as raised:
        trained([*before, error], [])
    assert raised.value is error
