"""What a search shows: its progress, and tables."""

import io
import sys

from tfcourse.search.display import SearchProgress


def test_the_progress_takes_names_as_they_are(quick, monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    config = quick().config
    named = config.search.model_copy(update={"name": "[red]x[/] {task}"})
    object.__setattr__(config, "search", named)
    with SearchProgress(config, {}) as bar:
        bar.began("[/w1]", 0)
    assert "[red]x[/] {task}" in written.getvalue()
    assert "[/w1]: 0" in written.getvalue()
