"""A quick run leaves out the tests that took longest, and of most files sees something."""

import subprocess
import sys
from pathlib import Path

from tests import tiers

TESTS = Path(__file__).parent
TWO = """
import pytest

class TestOne:
    @pytest.mark.parametrize("name", ["a", "b[0]"])
    def test_cases(self, name):
        pass

def test_alone():
    pass
"""


def names(cases, budget):
    return tiers.slow_functions([(*case,) for case in cases], budget)


def test_a_function_is_as_slow_as_its_slowest_case():
    cases = [("f", "quick", 0.1), ("f", "mixed", 0.1), ("f", "mixed", 3.0), ("f", "slow", 2.0)]
    assert names(cases, 10) == []
    assert names(cases, 5.1) == ["mixed"]
    assert names(cases, 2) == ["mixed", "slow"]


def test_the_quickest_of_a_file_stays_unless_it_is_slow():
    cases = [("f", "quick", 0.1), ("g", "slow", 0.9), ("g", "slower", 0.95), ("h", "slowest", 1.1)]
    assert names(cases, 0) == ["slower", "slowest"]


def test_junit_and_pytest_spell_a_function_alike(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_two.py").write_text(TWO)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=x.xml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    cases = list(tiers.read_cases(tmp_path / "x.xml"))
    function = "tests.test_two.TestOne.test_cases"
    assert [name for _, name, _ in cases] == [function, function, "tests.test_two.test_alone"]
    assert {file for file, _, _ in cases} == {"tests.test_two"}


def test_items_are_spelled_so():
    class Item:
        nodeid = "tests/a/test_two.py::TestOne::test_cases[b[0]::c]"

    assert tiers.function_of_item(Item) == "tests.a.test_two.TestOne.test_cases"


def test_those_of_the_list_are_marked(request):
    """All that this run has collected: in a run of all that is each of the list."""
    listed = set(tiers.LIST.read_text().split())
    for item in request.session.items:
        is_listed = tiers.function_of_item(item) in listed
        assert (item.get_closest_marker("slow") is not None) == is_listed, item.nodeid


def test_the_list_names_tests_that_there_are():
    contracts = "".join(path.read_text() for path in (TESTS / "contracts").glob("*.py"))
    listed = tiers.LIST.read_text().split()
    assert listed == sorted(set(listed))
    for name in listed:
        *folders, function = name.split(".")
        module = [part for part in folders if not part.startswith("Test")]
        source = TESTS.parent.joinpath(*module).with_suffix(".py").read_text()
        assert f"def {function}(" in source + contracts, f"{name}: run python -m tests.tiers"
