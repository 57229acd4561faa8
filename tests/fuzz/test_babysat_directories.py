"""The directory of a babysitter that was damaged in any way: continued to the same, or refused."""

import shutil
import warnings

import pytest

from tests.babysit.trainings import X, Y, build
from tests.fuzz.damage import BYTES, PLACES, damage, limited_time
from tests.seeds import set_seeds
from tfcourse import InputError, WorkFailedError
from tfcourse.babysit.babysitter import Babysitter
from tfcourse.training.programs.state import state_variables

# Programs are compared with themselves here.
pytestmark = pytest.mark.usefixtures("no_graph_optimizer", "kept_programs")

FILES = ("journal.jsonl", "checkpoints/checkpoint-000002.npz")
FOLDERS = ("checkpoints", "commands", "answers", "../.run.lock")


@pytest.fixture(scope="module")
def babysit(kept_programs):
    """A training that is watched, whose model is made once; nudged after its first epoch."""
    model = build()
    initial = []

    def babysit(folder, epochs, nudged=False):
        set_seeds(0)
        for variable, value in zip(state_variables(model), initial, strict=bool(initial)):
            variable.assign(value)
        model.layers[3].rate = 0.3
        sitter = Babysitter(model, X, Y, folder, batch_size=25, verbose=False)
        if nudged:
            sitter.train(1)
            sitter.nudge(learning_rate=0.02)
        history = sitter.train(epochs)
        return history["loss"], [v.value.numpy().tolist() for v in state_variables(model)]

    return babysit, model, initial


@pytest.fixture(scope="module")
def whole(babysit, tmp_path_factory):
    """The folder of a training that has two more epochs to go, and what it comes to."""
    train, model, initial = babysit
    folder = tmp_path_factory.mktemp("whole")
    train(folder / "first", 1)
    initial += [v.value.numpy() for v in state_variables(model)]
    train(folder / "run", 2, nudged=True)
    shutil.copytree(folder / "run", folder / "alone")
    return folder, train(folder / "alone", 4)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, kind) for name in FILES for kind in [*BYTES, *PLACES]),
        *((name, kind) for name in FOLDERS for kind in PLACES),
    ],
)
def test_any_damage(name, kind, whole, babysit, tmp_path):
    train = babysit[0]
    run = shutil.copytree(whole[0] / "run", tmp_path / "run")
    (tmp_path / ".run.lock").touch()
    damage(run / name, kind)
    before = {path: path.read_bytes() for path in run.glob("checkpoints/*.npz") if path.is_file()}
    with warnings.catch_warnings(), limited_time(60):
        warnings.simplefilter("ignore")
        try:
            found = train(run, 4)
        except (InputError, WorkFailedError) as error:
            text = str(error)
            assert str(tmp_path) in text and 0 < len(text.splitlines()) <= 2 and len(text) < 1500
            assert any(word in text for word in ("estore", "elete", "emove", "hoose", "must be"))
            kept = {path: path.read_bytes() for path in before}
            assert kept == before, "what was computed is lost"
            return
    assert found == whole[1]
