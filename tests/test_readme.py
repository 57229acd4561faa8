"""The code of the README and of the pages runs, and what they say of the project is so."""

import re
from pathlib import Path

import pytest

from tests import processes

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "tfcourse/course/pages").glob("*.md"))
TEXTS = {path: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *PAGES]}
README = TEXTS[ROOT / "README.md"]
EVERYTHING = "\n".join(TEXTS.values())


def blocks(language, text):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [block for name, block in fenced if name == language]


PROGRAMS = [
    pytest.param(code, id=f"{path.stem}-{number}")
    for path, text in TEXTS.items()
    for number, code in enumerate(blocks("python", text), 1)
]


def test_the_readme_is_a_front_door():
    assert len(README.splitlines()) <= 150
    assert len(PAGES) >= 10
    for paragraph in re.split(r"\n\n|```.*?```", README, flags=re.DOTALL):
        if not paragraph.lstrip().startswith(("|", "<", "#", "[ -d")):
            assert len(paragraph.split()) <= 60, paragraph


@pytest.mark.parametrize("code", PROGRAMS)
def test_python_blocks_run(code, tmp_path):
    (tmp_path / "tuner_configs").symlink_to(ROOT / "tuner_configs")
    strict = f"import warnings; warnings.simplefilter('error', FutureWarning)\n{code}"
    done = processes.run(["-c", strict], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for figures in re.findall(r"print\(.*?\)  # (.*)", code):
        assert figures in done.stdout


def test_toy_figures():
    """The figures beside the toy's commands are those that it prints."""
    commands = re.findall(r"^tfcourse (toy.*?)\s+# .*?([\d.]+)$", README, flags=re.MULTILINE)
    assert len(commands) == 3
    from tfcourse import minimize_quadratic

    results = [
        minimize_quadratic(),
        minimize_quadratic((1, -20, 100)),
        minimize_quadratic(optimizer="adam", learning_rate=0.1),
    ]
    assert [figure for _, figure in commands] == [str(result.w) for result in results]


def test_the_lines_of_a_search_are_what_it_prints():
    """The values are those of the trial; its scores depend on the machine and are not checked."""
    from tfcourse.search.config.load import load_config
    from tfcourse.search.records.trial_record import TrialRecord
    from tfcourse.search.results.search_result import SearchResult
    from tfcourse.search.store.summary import Measurement, Summary
    from tfcourse.search.strategies.proposals import propose

    section = README.partition("## Searches\n")[2]
    assert section.lstrip().startswith('<img src=".github/report.png"')
    lines = blocks("text", section)[0].splitlines()
    trial, score, epoch, *_ = lines[1].split()
    test = {name: float(value) for name, value in re.findall(r"(\w+) (\d\.\d+)", lines[2])}
    config = load_config(ROOT / "tuner_configs/digits.toml")
    assert int(trial) < config.trials and int(epoch) <= config.training.epochs
    values = propose(config.study, int(trial), {})
    record = TrialRecord(int(trial), "completed", values, float(score), int(epoch))
    once = (Measurement(int(trial), config.trials, test),)
    summary = Summary(int(trial), config.search.objective, float(score), test, once)
    result = SearchResult(Path("runs/digits"), {int(trial): record}, [record], summary, False)
    printed = result.text(width=80).splitlines()
    for line in lines:
        assert line.rstrip() in printed


def test_every_place_on_the_map_exists():
    text = (ROOT / ".github/CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = next(block for block in blocks("", text) if block.startswith("tfcourse/"))
    top = ""
    for line in tree.splitlines():
        name = line.split()[0]
        if not re.fullmatch(r"[\w.]+(/|\.py)", name):
            continue
        if not line.startswith(" "):
            top = name
            assert (ROOT / top).is_dir(), top
        elif line.startswith("  ") and not line.startswith("   "):
            assert (ROOT / top / name).exists(), name


def test_the_names_of_the_package_exist():
    import tfcourse

    names = {*re.findall(r"\btfcourse\.([A-Za-z]\w*)", EVERYTHING)}
    assert len(names) > 10
    assert names <= {*dir(tfcourse)}


def test_links_and_formulas_exist():
    for path, text in TEXTS.items():
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            assert (path.parent / target).exists(), (path, target)
    import importlib

    for module, name in re.findall(r"`(formulas\.\w+)\.(\w+)`", EVERYTHING):
        assert hasattr(importlib.import_module(f"tfcourse.{module}"), name)
