"""The commands: what they print, where they write, and how they end."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import tfcourse
from tfcourse.cli import app
from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.run import Search

PACKAGE = Path(tfcourse.__file__).parent
DIGITS = Path(__file__).parents[1] / "tuner_configs" / "digits.toml"
SMALL = """
[search]
name = "small"
trials = 3

[model]
layers = 1
units = 8

[training]
epochs = 5
batch_size = 256

[space.learning_rate]
low = 1e-3
high = 0.1
scale = "log"
"""


def run(*arguments, **kwargs):
    """The command in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"}, **kwargs)


HEAVY = {"tensorflow", "keras", "keras_tuner", "sklearn", "matplotlib", "scipy"}
# What the installed `tfcourse` runs, and at its end a line of what of HEAVY it had imported.
# (Not -X importtime: the commands hide stderr while TensorFlow is imported.)
WATCHED = f"""
import atexit, sys
from tfcourse.__main__ import main
atexit.register(lambda: print("imported:", *({HEAVY} & set(sys.modules)), file=sys.stderr))
main()
"""


def process(*arguments, start=("-m", "tfcourse")):
    """The command in a process of its own, as a user's shell starts it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    command = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def watched(*arguments):
    """`process`, what it wrote to stderr, and which of `HEAVY` it imported."""
    ended = process(*arguments, start=("-c", WATCHED))
    (line,) = (said for said in ended.stderr.splitlines() if said.startswith("imported:"))
    return ended, ended.stderr.replace(line, ""), set(line.split()[1:])


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


class TestToy:
    def test_the_figures_of_the_course(self):
        result = run("toy")
        assert result.exit_code == 0
        assert [line.split()[-1] for line in result.stdout.splitlines()] == [
            "0.0",
            "0.099999994",
            "4.9999886",
        ]

    def test_another_quadratic(self):
        result = run("toy", "--coefficients", "1,-20,100")
        assert result.stdout.splitlines()[-1].split() == [
            *("w", "after", "1000", "steps"),
            "9.999977",
        ]

    def test_options_reach_the_toy(self):
        result = run(
            "toy", "--optimizer", "adam", "--learning-rate", 0.1, "--steps", 20, "--start", 1
        )
        expected = tfcourse.minimize_quadratic(
            optimizer="adam", learning_rate=0.1, steps=20, start=1.0
        )
        assert [line.split()[-1] for line in result.stdout.splitlines()] == [
            str(expected.w_history[step]) for step in (0, 1, 20)
        ]

    def test_with_xla(self):
        last = run("toy", "--jit-compile").stdout.split()[-1]
        assert float(last) == pytest.approx(4.9999886, abs=1e-5)

    @pytest.mark.parametrize("steps", [0, 1])
    def test_few_steps_are_shown_once(self, steps):
        assert len(run("toy", "--steps", steps).stdout.splitlines()) == steps + 1

    def test_a_long_label_ends_before_its_number(self, monkeypatch):
        history = np.zeros(1_000_001, np.float32)
        fake = lambda *_: types.SimpleNamespace(w_history=history)  # noqa: E731
        monkeypatch.setattr("tfcourse.toy.minimize_quadratic", fake)
        lines = run("toy", "--steps", 1_000_000).stdout.splitlines()
        assert lines[-1].split() == ["w", "after", "1000000", "steps", "0.0"]
        assert len({line.index("0.0") for line in lines[:2]} | {len(lines[-1]) - 3}) == 1

    def test_a_table(self):
        result = run("toy", "--steps", 250, "--every", 100)
        rows = re.findall(r"^[│|] *(\d+) *[│|] *(\S+) *[│|] *(\S+) *[│|]$", result.stdout, re.M)
        expected = tfcourse.minimize_quadratic(steps=250)
        assert rows == [
            (str(step), str(expected.w_history[step]), str(expected.cost_history[step]))
            for step in (0, 100, 200, 250)
        ]

    def test_a_plot(self, tmp_path):
        import matplotlib.image

        path = tmp_path / "toy.png"
        result = run("toy", "--plot", path)
        assert result.exit_code == 0
        assert str(path) in result.stdout.replace("\n", "")
        picture = matplotlib.image.imread(path)
        assert picture.min() < picture.max()

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--coefficients", "1,-10"], "coefficients must be three finite numbers a, b, c"),
            (["--coefficients", "a,b,c"], "three numbers a,b,c. Received: 'a,b,c'."),
            (["--coefficients", "0,1,2"], "The first coefficient a must be > 0"),
            (["--coefficients", "1,nan,2"], "coefficients must be three finite numbers a, b, c"),
            (["--optimizer", "adma"], 'Did you mean "adam"?'),
            (
                ["--steps", "100000000000"],
                "which take about 110 bytes of memory.",
            ),
            (["--steps", "-1"], "steps must be a whole number >= 0. Received: -1."),
            (["--learning-rate", "-1"], "learning_rate must be a number >= 0. Received: -1.0."),
            (["--plot", "no_such_folder/toy.png"], "The plot's folder does not exist"),
            (["--plot", "toy.gif"], "must be a .png, .svg or .pdf file. Received: toy.gif."),
            (["--every", "1", "--steps", "20001"], "Give --every 3 or more."),
            (["--every", "0"], "Invalid value for '--every'"),
            (["--steps", "many"], "Invalid value for '--steps'"),
        ],
        ids=" ".join,
    )
    def test_wrong_input_ends_with_2(self, arguments, said):
        result = run("toy", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
        assert "Traceback" not in result.stderr

    def test_divergence_ends_with_1(self):
        result = run("toy", "--learning-rate", "2")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: Diverged: w is not finite after step")
        assert "Choose a smaller learning rate" in result.stderr

    def test_nothing_of_tensorflows_is_on_stderr(self):
        ended = process("toy", "--steps", 1)
        assert (ended.returncode, ended.stderr) == (0, "tfcourse: loading TensorFlow\n")
        assert ended.stdout.splitlines()[-1].endswith(" 0.099999994")


class TestTracebacks:
    def test_only_with_debug(self, tmp_path):
        plain = run("check", tmp_path / "no.toml")
        assert "Traceback" not in plain.stderr
        assert len(plain.stderr.splitlines()) == 1
        debug = process("check", tmp_path / "no.toml", "--debug")
        assert "Traceback (most recent call last)" in debug.stderr
        assert "InputError: " in debug.stderr
        assert (plain.exit_code, debug.returncode) == (2, 2)

    def test_an_error_of_ours_is_never_hidden(self, small, monkeypatch):
        """Only wrong input and failed work are told in a line; the rest is a bug to be seen."""
        monkeypatch.setattr(Search, "from_toml", lambda *a, **k: 1 / 0)
        result = run("search", small)
        assert isinstance(result.exception, ZeroDivisionError)

    def test_square_brackets_are_not_taken_for_markup(self, tmp_path):
        (tmp_path / "small.toml").write_text(SMALL.replace("trials = 3", "trials = 0"))
        assert "[search] trials" in run("check", tmp_path / "small.toml").stderr


class TestCheck:
    def test_a_valid_config(self):
        result = run("check", DIGITS)
        assert (result.exit_code, result.stderr) == (0, "")
        assert f"{DIGITS} is valid." in result.stdout
        for shown in (
            "digits: random search, 24 trials, val_accuracy (max)",
            *("0.0001 to 1", "32 to 128, step 32", "1 to 3", "one_minus_log"),
        ):
            assert shown in result.stdout

    def test_an_invalid_config(self, tmp_path):
        path = tmp_path / "broken.toml"
        path.write_text(SMALL.replace("learning_rate", "lerning_rate").replace("3", "0"))
        result = run("check", path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{path}: [search] trials: must be" in result.stderr
        assert 'Did you mean "learning_rate"?' in result.stderr

    def test_a_hypermodel_is_checked_in_peace(self, tmp_path):
        """It brings TensorFlow, whose start says much."""
        (tmp_path / "mine.py").write_text(
            "import keras\ndef build(hp):\n    units = hp.Int('units', 4, 8)\n"
            "    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(units)])\n"
        )
        text = SMALL.replace("layers = 1\nunits = 8", 'builder = "mine:build"')
        (tmp_path / "small.toml").write_text(text, encoding="utf-8")
        program = (
            f"import os, sys; os.chdir({str(tmp_path)!r}); from tfcourse.cli import app; app()"
        )
        ended = process("check", "small.toml", start=("-c", program))
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "units" in ended.stdout

    def test_data_of_ones_own_is_read(self, tmp_path):
        (tmp_path / "data.csv").write_text("a,y\n1,0\n2,nan\n")
        (tmp_path / "csv.toml").write_text(SMALL + "[data]\nsource = 'csv'\npath = 'data.csv'\n")
        result = run("check", tmp_path / "csv.toml")
        assert result.exit_code == 2
        assert f"{tmp_path / 'csv.toml'}: [data] " in result.stderr
        assert 'values are missing: "y" 1 of 2 rows, the first in line 3.' in result.stderr

    def test_more_folds_than_examples(self, tmp_path):
        rows = "".join(f"{i},{i % 2}\n" for i in range(20))
        (tmp_path / "data.csv").write_text(f"a,y\n{rows}")
        text = SMALL.replace("epochs = 5", "epochs = 5\nfolds = 20")
        (tmp_path / "csv.toml").write_text(f"{text}[data]\nsource = 'csv'\npath = 'data.csv'\n")
        result = run("check", tmp_path / "csv.toml")
        assert result.exit_code == 2
        assert "folds must be <= 16, the number of examples in train and dev." in result.stderr

    def test_square_brackets_are_shown(self, tmp_path):
        (tmp_path / "mine.py").write_text("def build(shape, classes, kind, **arguments): ...\n")
        text = SMALL.replace("layers = 1\nunits = 8", 'builder = "mine:build"')
        path = tmp_path / "my[old].toml"
        path.write_text(f"{text}\n[space.kind]\nvalues = ['[relu]', '[/b]']\n", encoding="utf-8")
        start = (
            f"import os; os.chdir({str(tmp_path)!r}); from tfcourse.__main__ import main; main()"
        )
        ended = process("check", path, start=("-c", start))
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "[relu], [/b]" in ended.stdout
        assert f"{path} is valid." in ended.stdout

    @pytest.mark.parametrize("command", ["check", "search"])
    def test_no_such_file(self, command, tmp_path):
        result = run(command, tmp_path / "no.toml")
        assert result.exit_code == 2
        assert "no.toml can't be read: No such file or directory." in result.stderr


ADVICE = {
    "coarse to fine": (
        'strategy = "coarse_to_fine"',
        'Warning: [search] strategy "coarse_to_fine" begins with 8 quasi-random trials. '
        "With trials = 3 the search is quasi-random.",
    ),
    "coarse to fine by another rule": (
        'strategy = "coarse_to_fine"\n[search.coarse_to_fine]\nkeep = 0.25',
        'Warning: [search.coarse_to_fine] keep has no effect with rule = "posterior". Remove it, '
        'or set rule = "halving".',
    ),
    "gp": ('strategy = "gp"', '"gp" begins with 8 quasi-random trials.'),
    "bayesian": ('strategy = "bayesian"', '"bayesian" begins with 3 random trials.'),
    "tpe": ('strategy = "tpe"', '"tpe" begins with 10 random trials.'),
    "workers": (
        'strategy = "gp"\nworkers = 3',
        "Warning: [search.gp] parallel = 1: after the first trials no more run at a time. With "
        "workers = 3, set it to 3.",
    ),
    "cma_es": (
        'strategy = "cma_es"\n[space.units]\nvalues = [4, 8]',
        'Warning: [search] strategy "cma_es": CMA-ES learns nothing about choices and '
        "hyperparameters with a condition, whose values are random (units). Strategies ",
    ),
    "optuna": (
        'strategy = "optuna"\n[search.optuna]\nsampler = "NSGAIISampler"',
        '"optuna" begins with 50 random trials. With trials = 3 the search is random.',
    ),
    "hyperband": ('strategy = "hyperband"', '"hyperband" begins with 5 random trials.'),
    "hyperband of few epochs": (
        'strategy = "hyperband"\n[search.hyperband]\nfactor = 6',
        "[training] epochs 5 is less than [search.hyperband] factor 6: no trial is continued",
    ),
    "direction": (
        'strategy = "random"\ndirection = "min"',
        'Warning: [search] direction "min" looks for the worst val_accuracy: "max" is better.',
    ),
    "one value": (
        "[space.units]\nlow = 8\nhigh = 16\nstep = 16",
        "Warning: [space.units] has one value only, 8: step 16 is larger than the range.",
    ),
    "early stopping": (
        "[training.early_stopping]\npatience = 5",
        "[training.early_stopping] can't end a training before epoch 6. With epochs = 5 ",
    ),
}


@pytest.mark.parametrize(("line", "said"), ADVICE.values(), ids=ADVICE)
def test_check_warns_of_what_has_no_effect(line, said, tmp_path):
    path = tmp_path / "small.toml"
    text = SMALL.replace("trials = 3", f"trials = 3\n{line}") if "strategy" in line else SMALL
    path.write_text(text if "strategy" in line else f"{SMALL}\n{line}\n", encoding="utf-8")
    result = run("check", path)
    assert result.exit_code == 0
    assert said in result.stdout
    assert f"{path} is valid." in result.stdout


def test_our_configs_are_valid_and_need_no_advice():
    configs = sorted(DIGITS.parent.glob("*.toml"))
    assert configs
    for config in configs:
        result = run("check", config)
        assert result.exit_code == 0, config
        assert "is valid" in result.stdout
        assert "Warning" not in result.stdout
        assert "Hint" not in result.stdout


def test_check_gives_hints_about_the_number_of_trials(tmp_path):
    path = tmp_path / "few.toml"
    path.write_text(DIGITS.read_text(encoding="utf-8").replace("trials = 24", "trials = 8"))
    assert (
        "Hint: [search] trials = 8: with fewer than 10 trials search the learning rate alone. "
        "Leave out [space.beta_1], [space.units], [space.layers], or give 24 trials."
    ) in run("check", path).stdout


def test_check_warns_of_the_data(tmp_path):
    rows = "\n".join(f"{2**24 + i},{i % 2}" for i in range(40))
    (tmp_path / "data.csv").write_text(f"id,label\n{rows}\n", encoding="utf-8")
    path = tmp_path / "small.toml"
    path.write_text(f'{SMALL}[data]\nsource = "csv"\npath = "data.csv"\n', encoding="utf-8")
    result = run("check", path)
    assert result.exit_code == 0
    said = 'Warning: [data] the column "id" needs more digits than float32 has: float32 keeps 21 of'
    assert said in result.stdout


def test_retest(tmp_path):
    """The trials of a finished search again, as a user runs them."""
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8")
    out = ("--trials", 2, "--epochs", 1, "--out", tmp_path / "out")
    assert run("search", tmp_path / "small.toml", *out).exit_code == 0
    record = tmp_path / "out" / "small"
    result = run("retest", record, "--top", 2, "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    for shown in (
        r"trial +val_accuracy then +now +rank then +now",
        r"The data is the same as when the search began\.\nThe order holds\.\n"
        r"Every score is the same\.",
        rf"retest +{re.escape(str(record / 'retest.csv'))}",
    ):
        assert re.search(shown, result.stdout), result.stdout
    result = run("retest", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "is not a run directory" in result.stderr


def test_the_config_with_folds(tmp_path):
    """Ours for cross-validation, of two trials of two epochs."""
    config = DIGITS.with_name("digits_cross_validation.toml")
    result = run("search", config, "--trials", 2, "--epochs", 2, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    for shown in (
        r"dev set +val_f1_score 0\.\d{4} ± 0\.\d{4}, 3 trainings \(trial \d, epoch \d\)",
        r"test set +f1_score 0\.\d{4}, accuracy 0\.\d{4}, loss \d+\.\d{4} \(measured once\)",
    ):
        assert re.search(shown, result.stdout), result.stdout


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search of one trial and one epoch, run as a user runs it: its folder, and how it ended."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "small.toml").write_text(SMALL, encoding="utf-8")
    return folder, *watched(*again(folder), "--verbose")


def again(folder):
    return ("search", folder / "small.toml", *OVERRIDES, "--out", folder / "out")


OVERRIDES = ("--trials", 1, "--epochs", 1)


class TestSearch:
    def test_end_to_end(self, searched):
        folder, ended, _, _ = searched
        assert ended.returncode == 0, ended.stderr
        record = folder / "out" / "small"
        assert {path.name for path in record.iterdir()} >= {"best.keras", "results.csv"}
        assert len((record / "history.csv").read_text().splitlines()) == 2
        for shown in (
            r"The best trial",
            r"dev set +val_accuracy 0\.\d{4} \(trial 0, epoch 1\)",
            r"test set +accuracy 0\.\d{4}, loss \d+\.\d{4} \(measured once\)",
            rf"best model +{re.escape(str(record / 'best.keras'))}",
            rf"results +{re.escape(str(record / 'results.csv'))}",
            rf"record +{re.escape(str(record))}\n",
            r"main +trained in own models: 1, in reused ones: 0, in populations: 0; "
            r"programs traced: \d",
        ):
            assert re.search(shown, ended.stdout), ended.stdout
        assert "complete" not in ended.stdout

    def test_only_the_progress_is_on_stderr(self, searched):
        _, _, said, _ = searched
        assert re.search(r"^small: 1 of 1 trials, best 0\.\d{4}, \d+ s$", said, re.MULTILINE)
        said = said.replace("small: loading TensorFlow", "")
        for noise in ("warning", "tensorflow", "onednn", "cuda", "absl", "traceback"):
            assert noise not in said.lower()

    def test_again_it_is_complete_without_tensorflow(self, searched):
        folder, first, _, imported = searched
        assert "tensorflow" in imported  # a positive control
        ended, said, imported = watched(*again(folder))
        assert (ended.returncode, said.strip(), imported) == (0, "", set())
        assert "The search is complete: all 1 trials are on record." in ended.stdout
        result, _ = first.stdout.split("main  ")  # what --verbose adds
        assert ended.stdout.endswith(result[result.index("dev set") :])

    @pytest.fixture
    def record(self, searched, tmp_path):
        """A copy of the finished record, and the arguments that search it again."""
        shutil.copytree(searched[0], tmp_path, dirs_exist_ok=True)
        return tmp_path / "out" / "small"

    @pytest.fixture
    def not_run(self, monkeypatch):
        """Ends a search that would train, and says whether it was to start over."""
        asked = []

        def stop(config, directory, finished, verbose, fresh, accept_changes):
            asked.append(fresh)
            raise WorkFailedError("stopped by the test")

        monkeypatch.setattr("tfcourse.search.runtime.execution.execute", stop)
        return asked

    def test_fresh_asks_and_no_keeps_everything(self, record, not_run, tmp_path):
        before = {path: path.stat().st_mtime_ns for path in record.rglob("*")}
        result = run(*again(tmp_path), "--fresh", input="n\n")
        assert result.exit_code == 1
        assert f"Delete {record} and start over?" in result.output.replace("\n", "")
        assert {path: path.stat().st_mtime_ns for path in record.rglob("*")} == before
        assert not_run == []

    def test_fresh_without_a_terminal_names_yes(self, record, not_run, tmp_path):
        result = run(*again(tmp_path), "--fresh")
        assert (result.exit_code, not_run, record.exists()) == (2, [], True)
        assert f"\nError: --fresh deletes {record}, and there is no terminal" in result.stderr
        assert "Add --yes." in result.stderr

    @pytest.mark.parametrize(("options", "typed"), [(["--yes"], None), ([], "y\n")])
    def test_fresh_starts_over_when_it_is_told_to(self, record, not_run, tmp_path, options, typed):
        result = run(*again(tmp_path), "--fresh", *options, input=typed)
        assert (result.exit_code, not_run) == (1, [True])
        assert ("start over?" in result.output) == (typed is not None)

    def test_yes_alone_deletes_nothing(self, record, not_run, tmp_path):
        assert run(*again(tmp_path), "--yes").exit_code == 0
        assert (record / "best.keras").is_file()

    def test_another_config_is_told(self, record, not_run, tmp_path):
        result = run(*again(tmp_path), "--seed", 1, "--strategy", "gp")
        assert result.exit_code == 2
        assert "search.seed is 0 there and 1 here" in result.stderr
        assert "search.strategy is 'random' there and 'gp' here" in result.stderr
        assert "--fresh" in result.stderr

    def test_fresh_deletes_no_folder_of_another_kind(self, small, tmp_path):
        (tmp_path / "small").mkdir()
        (tmp_path / "small" / "thesis.txt").write_text("mine")
        result = run("search", small, "--out", tmp_path, "--fresh", "--yes")
        assert result.exit_code == 2
        assert "is not a run directory" in result.stderr
        assert (tmp_path / "small" / "thesis.txt").read_text() == "mine"

    def test_overrides_reach_the_search(self, small, tmp_path, monkeypatch):
        asked = []

        def stop(search, verbose, fresh, workers, accept_changes, on):
            asked.append((search, workers))
            raise WorkFailedError("stopped by the test")

        monkeypatch.setattr(Search, "run", stop)
        overrides = ["--trials", 7, "--epochs", 2, "--seed", 5, "--strategy", "gp"]
        overrides += ["--out", tmp_path / "o"]
        assert run("search", small, *overrides, "--workers", "auto").exit_code == 1
        assert run("search", small, *overrides, "--workers", 3).exit_code == 1
        assert [workers for _, workers in asked] == ["auto", 3]
        search = asked[0][0]
        config = search.config
        assert (config.search.trials, config.training.epochs, config.search.seed) == (7, 2, 5)
        assert config.study.strategy == "gp"
        assert search.directory == tmp_path / "o" / "small"

    def test_an_override_is_checked(self, small):
        result = run("search", small, "--trials", 0)
        assert result.exit_code == 2
        assert "[search] trials" in result.stderr

    @pytest.mark.parametrize("workers", ["0", "-1", "two", "1.5"])
    def test_workers_are_checked(self, small, workers):
        result = run("search", small, f"--workers={workers}")
        assert result.exit_code == 2
        assert '--workers must be a whole number >= 1 or "auto". Received: ' in result.stderr

    @pytest.mark.parametrize(
        ("has_begun", "said"),
        [
            (True, "The same command resumes from there."),
            (False, "No trial had begun. The same command starts from the beginning."),
        ],
    )
    def test_an_interruption_ends_with_130(self, small, tmp_path, monkeypatch, has_begun, said):
        def interrupted(search, verbose, fresh, workers, accept_changes, on):
            if has_begun:
                (search.directory / "trials").mkdir(parents=True)
            raise KeyboardInterrupt

        monkeypatch.setattr(Search, "run", interrupted)
        result = run("search", small, "--out", tmp_path)
        assert result.exit_code == 130
        assert said in result.stderr
        assert (str(tmp_path) in result.stderr) == has_begun

    @pytest.mark.parametrize(("error", "code"), [(InputError, 2), (WorkFailedError, 1)])
    def test_exit_codes(self, small, tmp_path, monkeypatch, error, code):
        def fail(search, verbose, fresh, workers, accept_changes, on):
            raise error("what was wrong")

        monkeypatch.setattr(Search, "run", fail)
        result = run("search", small, "--out", tmp_path)
        assert (result.exit_code, result.stderr) == (code, "Error: what was wrong\n")


class TestMachines:
    @pytest.mark.parametrize("address", ["8700", "host:", ":80", "host:port", "host:70000"])
    def test_addresses_are_checked(self, small, address):
        for arguments in (
            ["chief", small, "--bind", address],
            ["worker", small, "--connect", address, "--id", "a"],
        ):
            result = run(*arguments)
            assert result.exit_code == 2
            assert "must be HOST:PORT, such as 127.0.0.1:8700. Received: " in result.stderr

    def test_a_public_chief_needs_a_token(self, small, tmp_path):
        result = run("chief", small, "--bind", "0.0.0.0:0", "--out", tmp_path / "o")
        assert result.exit_code == 2
        assert "can be reached from other machines and needs --token" in result.stderr
        assert not (tmp_path / "o").exists()

    @pytest.mark.parametrize("token", ["ä", "a\tb"])
    def test_tokens_are_checked(self, small, tmp_path, token):
        for arguments in (
            ["chief", small, "--out", tmp_path / "o"],
            ["worker", small, "--connect", "127.0.0.1:1", "--id", "a"],
        ):
            result = run(*arguments, "--token", token)
            assert result.exit_code == 2
            assert "--token must be printable ASCII" in result.stderr
            assert token not in result.stderr

    @pytest.mark.parametrize(
        ("efforts", "said"),
        [
            ({"a": 0}, "Trials trained by a: 1. No trial is left: the chief concludes the search"),
            ({}, "Trials trained by a: 1. The search in {} is complete."),
        ],
    )
    def test_a_worker_says_how_it_ended(self, small, tmp_path, monkeypatch, efforts, said):
        def supervised(supervisor):
            supervisor.display.ended("a", 3)
            supervisor.efforts.update(efforts)

        monkeypatch.setattr("tfcourse.search.runtime.supervisor.Supervisor.run", supervised)
        out = ["--out", tmp_path / "[red]"]
        result = run("worker", small, "--connect", "127.0.0.1:1", "--id", "a", *out)
        assert (result.exit_code, result.stderr) == (0, "")
        assert said.format(tmp_path / "[red]" / "small") in result.stdout

    @pytest.mark.parametrize("name", ["", "a b", "../a", "wörker"])
    def test_names_are_checked(self, small, name):
        result = run("worker", small, "--connect", "127.0.0.1:1", "--id", name)
        assert result.exit_code == 2
        assert (
            "--id must be letters, digits, '.', '-' and '_', and not begin with '.'. "
            in result.stderr
        )


class TestBench:
    def test_they_are_listed(self):
        from tfcourse.bench import BENCHES, DESCRIPTIONS

        result = run("bench")
        assert result.exit_code == 0
        assert [line.split()[0] for line in result.stdout.splitlines()] == list(BENCHES)
        assert list(BENCHES) == list(DESCRIPTIONS)
        words = {line.split(maxsplit=1)[1] for line in result.stdout.splitlines()}
        assert words == set(DESCRIPTIONS.values())

    def test_an_unknown_name(self):
        result = run("bench", "toi")
        assert result.exit_code == 2
        assert 'Did you mean "toy"?' in result.stderr

    def test_one_is_run_and_shown(self, monkeypatch):
        module = importlib.import_module("tfcourse.bench.startup")
        ask = {}

        def bench(**kwargs):
            ask.update(kwargs)
            return []

        monkeypatch.setattr(module, "bench", bench)
        assert run("bench", "startup", "--repeats", 3).exit_code == 0
        assert ask == {"repeats": 3}


class TestLint:
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        import keras

        folder = tmp_path_factory.mktemp("models")
        for name, use_bias in (("good", False), ("bad", True)):
            blocks = [keras.layers.Dense(4, use_bias=use_bias, name="hidden"), tfcourse.BatchNorm()]
            model = keras.Sequential([keras.Input((3,)), *blocks, tfcourse.SoftmaxHead(2)])
            model.compile("sgd", "sparse_categorical_crossentropy")
            model.save(folder / f"{name}.keras")
        (folder / "broken.keras").write_text("no model")
        return folder

    def test_a_finding_has_the_layer_the_reason_and_the_fix(self, folder):
        result = run("lint", folder / "bad.keras")
        assert result.exit_code == 1
        assert re.match(
            r"\[useless_bias\] hidden: .*Fix: .*use_bias=False", result.stdout, re.DOTALL
        )

    def test_no_finding(self, folder):
        result = run("lint", folder / "good.keras")
        assert (result.exit_code, result.stdout[:11]) == (0, "No findings")

    def test_the_planned_steps_are_used(self, folder):
        result = run("lint", folder / "good.keras", "--steps", 10)
        assert result.exit_code == 1
        assert "[slow_average] batch_norm" in result.stdout

    @pytest.mark.parametrize("name", ["broken.keras", "missing.keras"])
    def test_no_model(self, folder, name):
        result = run("lint", folder / name)
        assert result.exit_code == 2
        assert "FILE must be a model saved as .keras." in result.stderr
        assert name in result.stderr


def test_the_version():
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"tfcourse {tfcourse.__version__}\n")


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_help_lists_the_commands(arguments):
    result = run(*arguments)
    assert result.exit_code == (0 if arguments else 2)
    for command in ("toy", "search", "check", "bench"):
        assert re.search(rf"^  {command} ", result.stdout, re.M)


COMMANDS = [
    *("toy", "search", "check", "lint", "bench"),
    *(
        "course",
        "show",
        "best",
        "compare",
        "watch",
        "report",
        "export",
        "chief",
        "worker",
        "retest",
    ),
    *("babysit", "nudge", "rollback", "pause", "resume", "note", "journal"),
    "doctor",
]


def help_of(monkeypatch, *arguments):
    """A command's help as on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    return result.stdout


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_the_short_option_for_help(command, monkeypatch):
    arguments = [command] * (command is not None)
    assert help_of(monkeypatch, *arguments, "-h") == help_of(monkeypatch, *arguments, "--help")


def test_every_command_is_described_in_whole_sentences(monkeypatch):
    described = help_of(monkeypatch, "--help").partition("Commands:")[2].strip().splitlines()
    assert [line.split()[0] for line in described] == COMMANDS
    assert all(line.endswith(".") and not line.endswith("...") for line in described)


def test_the_names_of_tables_are_in_the_help(monkeypatch):
    said = help_of(monkeypatch, "search", "--help")
    for option, replaced in (
        ("trials", "[search] trials"), ("epochs", "[training] epochs"), ("seed", "[search] seed")
    ):  # fmt: skip
        assert re.search(rf"--{option} <int> +Replaces {re.escape(replaced)}\.", said)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_explained(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    options = re.findall(
        r"^ +(?:-h, )?--([a-z-]+) +(?:[A-Z<].*? {2,})?(\S?.*)$", result.stdout, re.M
    )
    assert {"debug", "help"} <= {name for name, _ in options}
    assert all(text.strip() for _, text in options)


def test_an_unknown_command():
    result = run("serach")
    assert result.exit_code == 2
    assert "No such command" in result.stderr


# Runs the commands in turn, and prints how each ended and what of HEAVY is imported by then.
IN_TURN = f"""
import contextlib, json, os, sys
from tfcourse.__main__ import main

ended = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["tfcourse", *arguments]
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        with contextlib.redirect_stderr(nothing):
            try:
                main()
            except SystemExit as end:
                ended.append((end.code, sorted({HEAVY} & set(sys.modules))))
print(json.dumps(ended))
"""


def test_what_needs_no_tensorflow_does_not_import_it():
    codes = {
        "--help": 0,
        "--version": 0,
        "toy --help": 0,
        "retest --help": 0,
        "compare no_run no_other": 2,
        "watch no_run": 2,
        "worker -h": 0,
        "check tuner_configs/digits.toml": 0,
        "check no.toml": 2,
        "search no.toml": 2,
        "bench": 0,
    }
    commands = [command.replace("tuner_configs", str(DIGITS.parent)).split() for command in codes]
    ended = process(json.dumps(commands), start=("-c", IN_TURN))
    found = dict(zip(codes, json.loads(ended.stdout), strict=True))
    assert found == {command: [code, []] for command, code in codes.items()}


def test_from_the_command_to_a_trials_values_it_is_five_files(tmp_path, monkeypatch):
    """A reader finds the place where they are made; keras-tuner's own frames do not count."""
    from tfcourse.search.strategies import proposals

    random, stacks = proposals.STRATEGIES["random"], []

    def values(study, trial, records, memo):
        frame, files = sys._getframe(1), []
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if PACKAGE in path.parents:
                files.append(str(path.relative_to(PACKAGE)))
            frame = frame.f_back
        stacks.append(list(dict.fromkeys(reversed(files))))
        return random.values(study, trial, records, memo)

    monkeypatch.setitem(proposals.STRATEGIES, "random", replace(random, values=values))
    config = tmp_path / "small.toml"
    config.write_text(SMALL)
    assert run("search", config, "--out", tmp_path).exit_code == 0
    assert stacks[-1] == [
        "cli/search.py",
        "search/run.py",
        "search/runtime/execution.py",
        "search/engine/tuner.py",
        "search/strategies/proposals.py",
    ]
