"""A small training under supervision in this process."""

from collections import Counter, defaultdict

import keras
import numpy as np

from tests.seeds import set_seeds
from tfcourse import Adam, BatchNorm, SoftmaxHead
from tfcourse.babysit.client import address
from tfcourse.babysit.folders import RunFolder
from tfcourse.babysit.journal import read_journal
from tfcourse.babysit.rule import Rule
from tfcourse.babysit.runner import Runner, Training
from tfcourse.layers.dropout import Dropout
from tfcourse.training.data.arrays import Arrays
from tfcourse.training.programs.building import build_state
from tfcourse.training.programs.state import state_variables

rng = np.random.default_rng(0)
X = rng.normal(size=(50, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")


def build(optimizer=None, rate=0.3):
    set_seeds(0)
    stack = [keras.Input((4,)), keras.layers.Dense(6), BatchNorm(), keras.layers.ReLU()]
    stack += [Dropout(rate)] if rate else []
    model = keras.Sequential([*stack, SoftmaxHead(2)])
    model.compile(optimizer or Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Reusable:
    """A model that is as new at each call, with the programs that it has."""

    def __init__(self, rate=0.3):
        self.model, self.rate = build(rate=rate), rate
        build_state(self.model, Arrays.of(X[:16], Y[:16]).data, Arrays.of(X[:16], Y[:16]).data)
        self.initial = [v.value.numpy() for v in state_variables(self.model)]

    def __call__(self):
        for variable, value in zip(state_variables(self.model), self.initial, strict=True):
            variable.assign(value)
        if self.rate:
            self.model.layers[3].rate = self.rate
        return self.model


class Models:
    """Models of `build`, each another one within a test, and as new: see `Reusable`.

    Nothing is compiled anew, which is most of the time of a test.
    """

    def __init__(self):
        self.models, self.used = defaultdict(list), Counter()

    def __call__(self, rate=0.3):
        models, index = self.models[rate], self.used[rate]
        self.used[rate] += 1
        if index == len(models):
            models.append(Reusable(rate))
        return models[index]()

    def restart(self):
        """Let the next test have the same models."""
        self.used.clear()


MODELS = Models()


class Run:
    """A run in a folder, by default with a model as a new process has one."""

    def __init__(self, path, model=None, rule=None, replay=None, **options):
        self.path, self.model = path, MODELS() if model is None else model
        training = Training(
            self.model, X, Y, validation_data=(X, Y), batch_size=16, seed=1, **options
        )
        self.messages = []
        self.runner = Runner(
            training,
            RunFolder(path),
            rule or Rule(),
            on_entry=self._on_entry,
            on_message=self.messages.append,
            replay=replay,
        )
        self.plan = {}

    def train(self, epochs, plan=None):
        """Train; ``plan`` has functions to call after the n-th epoch of the journal."""
        self.plan = dict(plan or {})
        try:
            self.runner.train(epochs)
        finally:
            self.runner.close()
        return self

    def _on_entry(self, entry):
        if entry.kind == "epoch":
            count = sum(e.kind == "epoch" for e in self.journal)
            if count in self.plan:
                self.plan.pop(count)()

    def send(self, kind, **fields):
        command = address(self.path, kind, **fields)
        self.runner.folder.send(command)
        return command

    @property
    def refusals(self):
        texts = [text for text in self.messages if text.startswith("Refused: ")]
        return [text.removeprefix("Refused: ") for text in texts]

    @property
    def journal(self):
        return read_journal(self.path / "journal.jsonl")

    @property
    def kinds(self):
        return [entry.kind for entry in self.journal]

    @property
    def state(self):
        variables = enumerate(state_variables(self.model, metrics=False))
        return {n: v.value.numpy() for n, v in variables}


def assert_same(state, wanted):
    assert state.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(state[name], value, err_msg=name)


def traces(model):
    return {kind: p.traces for (kind, *_), p in model._tfcourse_programs.programs.items()}
