"""The register has every claim of the course, and each script is one of its claims'."""

import re
from collections import Counter

import pytest

from tfcourse.course.listing import without_script
from tfcourse.course.register import LANGUAGES, claim_of, claims, sections
from tfcourse.course.scripts import script_of, scripts
from tfcourse.errors import InputError

# The rows of the course's sections, the chapter on what came later, and the errata.
ROWS = {"1": 8, "2": 8, "3": 6, "4": 6, "5": 13, "6": 7, "M": 6, "E": 11}
# The number of claims that still wait for a script. Lower it with each new one.
WITHOUT_SCRIPT = 0


def test_every_claim_is_there_in_the_courses_order():
    numbers = [f"{key}.{n + 1}" if key.isdigit() else f"{key}{n + 1}"
               for key, count in ROWS.items() for n in range(count)]  # fmt: skip
    assert list(claims()) == numbers
    assert sum(ROWS[key] for key in "123456") == 48
    assert Counter(claim.section for claim in claims().values()) == ROWS
    assert list(sections()) == list(ROWS)


@pytest.mark.parametrize("number", claims())
def test_a_claim_has_a_short_title_in_each_language(number):
    claim = claims()[number]
    assert set(claim.titles) == set(LANGUAGES)
    assert all(0 < len(title) <= 75 for title in claim.titles.values())
    assert (
        re.search("[\u4e00-\u9fff]", claim.titles["zh"]) or claim.titles["en"] == claim.titles["zh"]
    )
    assert set(claim.forms) <= {"wrong", "right", "wrong_zh", "right_zh"}
    assert ({"wrong", "right"} <= set(claim.forms)) == (claim.section == "E")


def test_an_erratum_in_chinese_where_it_has_words():
    assert claims()["E3"].form("wrong", "zh") == r"$m: 64 \to 512$ 减弱 dropout 的正则化"
    assert claims()["E1"].form("wrong", "zh") == claims()["E1"].form("wrong", "en")


def test_the_scripts_claims_are_registered():
    assert [s.name for s in scripts() if not set(s.claims) <= set(claims())] == []


def test_few_claims_have_no_script():
    missing = without_script()
    assert len(missing) <= WITHOUT_SCRIPT, f"no script yet: {', '.join(missing)}"
    for number in set(claims()) - set(missing):
        assert number in script_of(number).claims


def test_the_scripts_stand_in_the_courses_order():
    order = [script.claims[0] for script in scripts()]
    assert order == sorted(order, key=list(claims()).index)


def test_a_number_without_a_claim():
    assert claim_of("e5") is claims()["E5"]
    with pytest.raises(InputError) as error:
        claim_of("2.9")
    assert str(error.value) == (
        "CLAIM must be a number that `tfcourse course` lists: 1.1 to 1.8, 2.1 to 2.8, 3.1 to 3.6, "
        "4.1 to 4.6, 5.1 to 5.13, 6.1 to 6.7, M1 to M6, E1 to E11. Received: '2.9'."
    )


def test_a_claim_without_a_script(monkeypatch):
    monkeypatch.setattr("tfcourse.course.scripts.scripts", list)
    with pytest.raises(InputError, match=r"Claim 1\.2 has no script yet\. `tfcourse course` lists"):
        script_of("1.2")
