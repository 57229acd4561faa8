"""Types, names and docstrings that say what they mean: the counts of `tests.prose` keep limits.

Each limit is what has been reached.
"""

import functools

import pytest

from tests import prose

ANY_PERCENT = 1.2
PARTICIPLES_PER_THOUSAND = 1.7
QUESTIONS = 0
BANNED = 0


@functools.cache
def counts():
    return prose.count()


def test_parameters_have_types_that_say_what_they_are():
    assert counts().any_percent <= ANY_PERCENT, "\n".join(counts().any_parameters)


def test_identifiers_are_not_bare_participles():
    places = "\n".join(counts().participles)
    assert counts().participles_per_thousand <= PARTICIPLES_PER_THOUSAND, places


def test_docstrings_do_not_begin_with_a_question():
    assert len(counts().questions) <= QUESTIONS, "\n".join(counts().questions)


def test_no_private_idioms():
    assert len(counts().banned) <= BANNED, "\n".join(counts().banned)


CODE = '''
"""How it is counted."""

def given(value: Any, other: int, more: Any | None = None, *rest: list[Any]) -> Any:
    """Whether it is so."""
    kept = value  # mend it
    self.lost = f"begins anew {kept}"
    return [hidden for hidden in other]


class Kept:
    """Holds what is kept."""

    def keep(self, value: "Any | None"):
        """Return it. It goes on."""
'''


@pytest.fixture
def code(tmp_path):
    file = tmp_path / "code.py"
    file.write_text(CODE)
    return file


def places(entries):
    return [entry.split("code.py:")[1] for entry in entries]


def test_what_is_counted(code):
    found = prose.count([code])
    assert places(found.any_parameters) == ["4: given(value)", "4: given(more)", "14: keep(value)"]
    assert places(found.questions) == ["2: How it is counted.", "5: Whether it is so."]
    assert sorted(places(found.participles)) == ["11: Kept", "4: given", "6: kept", "7: lost"]
    assert sorted(places(found.banned)) == ["15: goes on", "6: mend", "7: anew"]
    assert (found.parameters, found.docstrings) == (5, 4)


def test_a_text_is_counted_by_its_words(tmp_path):
    file = tmp_path / "text.md"
    file.write_text("A recommendation.\n\nIt is mended in\none go.\n")
    assert prose.count([file]).banned == [f"{file}:3: mended", f"{file}:3: in one go"]


def test_the_places_are_listed(code, capsys):
    prose.main([str(code)])
    out = capsys.readouterr().out
    assert "code.py:4: given(value)\n" in out
    assert "parameters typed Any: 3 of 5 (60.0 %)\n" in out
