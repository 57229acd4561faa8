"""Checkpoints that were damaged in any way: a call comes to the same, or refuses in a line."""

import copy
import io
import json
import random
import shutil
import warnings
import zipfile

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies as st

from tests.fuzz.damage import BYTES, PLACES, damage, limited_time
from tests.fuzz.mutations import changed
from tests.seeds import set_seeds
from tfcourse import Adam, InputError, SoftmaxHead, WorkFailedError, fit
from tfcourse.training.checkpoints import record
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.programs.state import state_variables

# Programs are compared with themselves here.
pytestmark = pytest.mark.usefixtures("no_graph_optimizer", "kept_programs")

EXAMPLES = hypothesis.settings().max_examples
EPOCHS = 4


@pytest.fixture(scope="module")
def train(kept_programs):
    """A small training, whose model is made once and begins with the same state each time."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(40, 3)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    stack = [keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dropout(0.3), SoftmaxHead(2)]
    model = keras.Sequential(stack)
    model.compile(Adam(0.05), "sparse_categorical_crossentropy")
    fit(model, x, y, verbose=0, jit_compile=False)
    initial = [variable.value.numpy() for variable in state_variables(model)]

    def train(folder=None, epochs=EPOCHS):
        set_seeds(0)
        for variable, value in zip(state_variables(model), initial, strict=True):
            variable.assign(value)
        plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=9.0)
        history = fit(
            model, x, y, 16, epochs, 0, [plateau], seed=1, jit_compile=False, checkpoint_dir=folder
        )  # fmt: skip
        return history.history, [variable.value.numpy() for variable in state_variables(model)]

    return train


@pytest.fixture(scope="module")
def undisturbed(train):
    return train()


@pytest.fixture(scope="module")
def whole(train, tmp_path_factory):
    """The checkpoints of a training that ended after half of its epochs."""
    folder = tmp_path_factory.mktemp("whole") / "checkpoints"
    train(folder, EPOCHS // 2)
    return folder


def train_again(train, folder, undisturbed):
    """Train in a damaged folder; return the message of the error, or of the warning, if any."""
    with warnings.catch_warnings(record=True) as warned, limited_time():
        warnings.simplefilter("always")
        try:
            found = train(folder)
        except (InputError, WorkFailedError) as error:
            text = str(error)
            assert str(folder) in text and 0 < len(text.splitlines()) <= 2 and len(text) < 1500
            assert "Delete" in text or "orrect that" in text or "must be a folder" in text
            return text
    assert found[0] == undisturbed[0]
    assert all(map(np.array_equal, found[1], undisturbed[1]))
    told = [str(w.message) for w in warned if str(folder) in str(w.message)]
    assert len(told) <= 1
    return "".join(told)


@pytest.mark.parametrize("kind", [*BYTES, *PLACES])
def test_the_newest_is_damaged(kind, whole, train, undisturbed, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "checkpoints")
    newest = folder / "checkpoint-000002.npz"
    damage(newest, kind)
    message = train_again(train, folder, undisturbed)
    told = "" if kind in ("missing", "twice") else f"{newest} can't be read ("
    assert message.startswith(told) and bool(message) == bool(told)
    assert message.endswith("checkpoint-000001.npz." * bool(told))
    # The next call finds all of its own intact: a folder that is in the way stays, and is told.
    assert bool(train_again(train, folder, undisturbed)) is False


@pytest.mark.parametrize("kind", ["empty", "twice", "missing", "folder", "loop of links", "pipe"])
def test_all_are_damaged(kind, whole, train, undisturbed, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "checkpoints")
    for path in folder.iterdir():
        damage(path, kind)
    message = train_again(train, folder, undisturbed)
    lost = kind not in ("missing", "twice")
    assert message.endswith(f"No other checkpoint is left. Delete {folder} to start again.") is lost
    if lost:
        shutil.rmtree(folder)
        assert train_again(train, folder, undisturbed) == ""


@pytest.mark.parametrize("kind", PLACES)
def test_something_in_the_place_of_the_folder(kind, whole, train, undisturbed, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "checkpoints")
    damage(folder, kind)
    message = train_again(train, folder, undisturbed)
    usable = kind in ("missing", "folder", "full folder")
    assert message.startswith("checkpoint_dir must be a folder, or creatable.") is not usable


def test_names_of_another_order(whole, train, undisturbed, tmp_path):
    """The newest by its number is an older one: what is left is trained again."""
    folder = shutil.copytree(whole, tmp_path / "checkpoints")
    shutil.copy(folder / "checkpoint-000000.npz", folder / f"checkpoint-{10**30}.npz")
    assert train_again(train, folder, undisturbed) == ""


def test_the_format_of_the_version_before(whole, train, undisturbed, tmp_path, monkeypatch):
    folder = shutil.copytree(whole, tmp_path / "checkpoints")
    for path in folder.iterdir():
        header, members = opened(path)
        written(path, {**header, "format": record.EARLIER_FORMAT}, members, b"")
    assert train_again(train, folder, undisturbed) == ""


def opened(path):
    """The header of a checkpoint, and its other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(np.load(io.BytesIO(members.pop("header.npy"))).tobytes()), members


def written(path, header, members, comment):
    """Write a checkpoint as somebody does who changes it and keeps its comment."""
    with zipfile.ZipFile(path, "w") as archive:
        content = io.BytesIO()
        text = json.dumps(header, default=str).encode("utf-8", "surrogatepass")
        np.save(content, np.frombuffer(text, "uint8"))
        archive.writestr("header.npy", content.getvalue())
        for name, member in members.items():
            archive.writestr(name, member)
        archive.comment = comment


def copied(whole, tmp_path_factory):
    """A new copy of the checkpoints, in the place of the last one."""
    folder = tmp_path_factory.getbasetemp() / "changed checkpoints"
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(whole, folder)


@hypothesis.settings(max_examples=max(EXAMPLES, 1))
@hypothesis.given(seed=st.integers(0, 2**32))
def test_a_changed_record_is_not_continued_from(whole, tmp_path_factory, seed):
    """Also where all of it is whole, and means something else."""
    generator = random.Random(seed)
    folder = copied(whole, tmp_path_factory)
    newest = folder / "checkpoint-000002.npz"
    header, members = opened(newest)
    with zipfile.ZipFile(newest) as archive:
        comment = archive.comment
    before = copy.deepcopy((header, members))
    if generator.random() < 0.7:
        header = changed(generator, header)
    else:
        one, other = generator.sample(sorted(members), 2)
        kind = generator.randrange(3)
        if kind == 0:
            members[one] = members[other]
        elif kind == 1:
            del members[one]
        else:
            members[one] = generator.randbytes(generator.choice([0, 9, 99]))
    written(newest, header, members, generator.choice([comment, b"", comment[:-1]]))
    with warnings.catch_warnings(), limited_time():
        warnings.simplefilter("ignore")
        path, _ = CheckpointFolder(folder, 3).newest()
        epochs = CheckpointFolder(folder, 3).epochs()
    if json.dumps(header, default=str) != json.dumps(before[0]) or members != before[1]:
        assert path.name == "checkpoint-000001.npz"
        assert [*epochs] == [0, 1]


@hypothesis.settings(max_examples=max(EXAMPLES, 1))
@hypothesis.given(seed=st.integers(0, 2**32))
def test_changed_bytes_are_found_or_do_no_harm(whole, tmp_path_factory, seed):
    generator = random.Random(seed)
    folder = copied(whole, tmp_path_factory)
    newest = folder / "checkpoint-000002.npz"
    expected = record.read_record(newest)
    content = bytearray(newest.read_bytes())
    for _ in range(generator.choice([1, 1, 2, 9])):
        place, count = generator.randrange(len(content)), generator.choice([0, 1, 1, 4, 99])
        content[place : place + generator.choice([1, count])] = generator.randbytes(count)
    newest.write_bytes(content)
    with warnings.catch_warnings(), limited_time():
        warnings.simplefilter("ignore")
        path, found = CheckpointFolder(folder, 3).newest()
    if path == newest:
        assert all(map(np.array_equal, found.variables, expected.variables))
        assert found.__dict__ | {"variables": 0} == expected.__dict__ | {"variables": 0}
