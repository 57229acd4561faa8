"""The files of a babysat training that are damaged or changed: it goes on, or is refused in a line.

With a sound journal, whatever happened to the checkpoints, it ends as an undisturbed one.
"""

import json
import random
import shutil
import warnings

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.babysit.trainings import MODELS, Run, assert_same
from tests.fuzz.damage import PLACES, damage, limited_time
from tests.fuzz.mutations import changed, damaged, value
from tfcourse import InputError, WorkFailedError
from tfcourse.babysit.journal import read_journal
from tfcourse.training.checkpoints.errors import UnusableCheckpointError

pytestmark = pytest.mark.usefixtures("no_graph_optimizer", "kept_programs")

EXAMPLES = hypothesis.settings().max_examples
EPOCHS, DONE = 7, 5
FIELDS = ("kind", "time", "epoch", "loss", "logs", "values", "run", "id", "to", "text")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of five epochs that was nudged and rolled back, and the state after seven."""
    folder = tmp_path_factory.mktemp("whole")
    for name, epochs in (("undisturbed", EPOCHS), ("run", DONE)):
        run = Run(folder / name)
        commands = {
            2: lambda run=run: run.send("nudge", changes={"learning_rate": 0.02}),
            4: lambda run=run: run.send("rollback", to=2, changes={"learning_rate": 0.005}),
        }
        run.train(epochs, commands)
        assert {"nudge", "rollback"} <= {*run.kinds}
        if name == "undisturbed":
            state = run.state
        MODELS.restart()
    return folder, state


def is_short(error):
    """Return True for a message of at most two lines that names a file."""
    return str(error).count("\n") <= 1 and len(str(error)) < 1500 and "/" in str(error)


def changed_lines(generator, content):
    """The journal with lines that say something else, in another order, or twice."""
    lines = content.decode().splitlines()
    for _ in range(generator.choice([1, 1, 3])):
        place = generator.randrange(len(lines))
        kind = generator.randrange(5)
        if kind < 2:
            entry = json.loads(lines[place])
            entry = changed(generator, entry, FIELDS) if isinstance(entry, dict) else [entry]
            lines[place] = json.dumps(entry, default=str)
        elif kind == 2:
            lines.insert(generator.randrange(len(lines)), lines[place])
        elif kind == 3 and len(lines) > 1:
            del lines[place]
        else:
            lines[place] = json.dumps(value(generator), default=str)
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def disturb_journal(generator, run):
    path = run / "journal.jsonl"
    if generator.random() < 0.1:
        damage(path, generator.choice([*PLACES]))
    else:
        change = generator.choice([damaged, changed_lines])
        path.write_bytes(change(generator, path.read_bytes()))


def disturb_checkpoints(generator, run):
    files = sorted((run / "checkpoints").iterdir())
    for path in generator.sample(files, generator.randint(1, len(files))):
        if generator.random() < 0.2:
            path.unlink()
        else:
            path.write_bytes(damaged(generator, path.read_bytes()))


def disturb_commands(generator, run):
    """Put files among the commands that are none, or say something that nobody means."""
    for number in range(generator.choice([1, 3])):
        path = run / "commands" / f"{number}.json"
        command = {
            "id": str(number),
            "kind": "nudge",
            "changes": {"learning_rate": 0.1},
            "run": "x",
        }
        path.write_text(json.dumps(changed(generator, command, FIELDS), default=str))
        kind = generator.randrange(4)
        if kind == 0:
            path.write_bytes(damaged(generator, path.read_bytes()))
        elif kind == 1:
            damage(path, generator.choice([*PLACES]))


@hypothesis.settings(max_examples=max(EXAMPLES, 300))
@hypothesis.given(seed=st.integers(0, 2**32))
def test_a_journal_is_read_or_refused(whole, seed):
    folder = whole[0] / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole[0] / "run", folder)
    disturb_journal(random.Random(seed), folder)
    with limited_time():
        try:
            read_journal(folder / "journal.jsonl")
        except InputError as error:
            assert is_short(error)


@pytest.mark.parametrize("seed", range(max(40, EXAMPLES // 50)))
@pytest.mark.parametrize("disturb", [disturb_checkpoints, disturb_commands])
def test_a_training_goes_on(whole, disturb, seed, tmp_path):
    MODELS.restart()
    folder = shutil.copytree(whole[0] / "run", tmp_path / "run")
    disturb(random.Random(seed), folder)
    with limited_time(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*can't be read")
        run = Run(folder)
        try:
            run.train(EPOCHS)
        except UnusableCheckpointError as error:
            assert disturb is disturb_checkpoints
            assert f"Delete {folder / 'checkpoints'} to start again." in str(error)
            shutil.rmtree(folder / "checkpoints")
            run = Run(folder).train(EPOCHS)
    assert_same(run.state, whole[1])


@pytest.mark.parametrize("seed", range(max(40, EXAMPLES // 50)))
def test_with_a_changed_journal_it_goes_on_or_is_refused(whole, seed, tmp_path):
    MODELS.restart()
    folder = shutil.copytree(whole[0] / "run", tmp_path / "run")
    disturb_journal(random.Random(seed), folder)
    with limited_time(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Run(folder).train(EPOCHS)
        except (InputError, WorkFailedError) as error:
            assert is_short(error)
