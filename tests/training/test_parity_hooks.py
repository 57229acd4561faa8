"""The hooks of callbacks are called in Keras's order, with its numbers; the progress bar is its."""

import re
import warnings

import keras
import pytest

from tests.training.data_forms import X, Y, rows, sgd, unknown
from tests.training.parity import assert_same, both_again, keras_fit, small
from tfcourse import fit

pytestmark = pytest.mark.usefixtures("kept_programs")

callbacks = keras.callbacks
EPOCH_HOOKS = ["train_begin", "train_end", "epoch_begin", "epoch_end", "test_begin", "test_end"]
BATCH_HOOKS = ["train_batch_begin", "train_batch_end", "test_batch_begin", "test_batch_end"]


class Recorder(callbacks.Callback):
    """Writes down every hook that is called, and the logs it was given."""

    def __init__(self, hooks):
        super().__init__()
        self.calls = []
        for hook in hooks:
            setattr(self, f"on_{hook}", self._recorder(hook))

    def _recorder(self, hook):
        def record(*index, logs=None):
            if index and not isinstance(index[-1], int):
                *index, logs = index
            assert logs is None or all(type(v) is float for v in logs.values())
            self.calls.append((hook, *index, list((logs or {}).items())))

        return record


def recorded(make_callback, data=(X, Y), make=small, **kwargs):
    """What the callback of each of the two wrote down, and the two trainings."""
    made = []

    def new():
        made.append(make_callback())
        return [made[-1]]

    runs = both_again(make, data, callbacks=new, **{"validation_data": (X, Y), **kwargs})
    assert_same(runs)
    return [callback.calls for callback in made]


DATA = {
    "arrays": ((X, Y), {}),
    "dataset": (lambda: (rows(X, Y),), {}),
    "steps": (lambda: (rows(X, Y).repeat(),), {"steps_per_epoch": 3}),
    "no validation": ((X, Y), {"validation_data": None}),
    "some validations": ((X, Y), {"validation_freq": 2, "validation_steps": 2}),
}


@pytest.mark.parametrize("hooks", [EPOCH_HOOKS, EPOCH_HOOKS + BATCH_HOOKS], ids=["epoch", "batch"])
@pytest.mark.parametrize("name", DATA)
def test_every_hook(name, hooks):
    data, arguments = DATA[name]
    theirs, ours = recorded(lambda: Recorder(hooks), data, **arguments)
    assert ours == theirs
    assert len(ours) > len(hooks) - 4


def test_every_hook_where_the_length_is_unknown():
    """A batch begins that isn't there: only then the end is known."""
    calls = []
    for train in (keras_fit, fit):
        keras.utils.set_random_seed(7)
        recorder = Recorder(EPOCH_HOOKS + BATCH_HOOKS)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Your input ran out of data")
            train(
                sgd(), unknown(rows(X, Y)), epochs=2, verbose=0, shuffle=False, callbacks=[recorder]
            )
        calls.append(recorder.calls)
    assert calls[1] == calls[0]


@pytest.mark.parametrize("steps", [2, 5])
def test_every_hook_with_several_steps_in_an_execution(steps):
    """The number of the last batch is its own; Keras counts on to a multiple."""
    make = {2: two_steps, 5: five_steps}[steps]
    theirs, ours = recorded(lambda: Recorder(EPOCH_HOOKS + BATCH_HOOKS), make=make)
    last = dict.fromkeys(("train_batch_end", "test_batch_end"), 4)
    assert ours == [(hook, *_at_most(last.get(hook), rest)) for hook, *rest in theirs]


def _at_most(last, rest):
    return rest if last is None else [min(rest[0], last), *rest[1:]]


def two_steps():
    return small(steps_per_execution=2)


def five_steps():
    return small(steps_per_execution=5)


class OldStyle(callbacks.Callback):
    """Uses the hooks that were there before those of training and testing."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_batch_begin(self, batch, logs=None):
        self.calls.append(batch)

    def on_batch_end(self, batch, logs=None):
        self.calls.append(logs)


class OwnBar(OldStyle, callbacks.ProgbarLogger):
    """Keras's own bar needs no batches, but this one does."""

    def __init__(self):
        super().__init__()
        self.calls, self.save_freq = [], "epoch"

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(batch)


@pytest.mark.parametrize("kind", [OldStyle, OwnBar])
def test_hooks_of_old_and_of_a_subclass(kind):
    theirs, ours = recorded(kind)
    assert ours == theirs
    assert len(ours) == 20


@pytest.mark.parametrize(
    "hook", ["on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end"]
)
def test_lambda_callback(hook):
    calls = []

    def make():
        calls.append([])
        mine = calls[-1]

        def called(number, logs=None):
            mine.append((number, logs))

        return [callbacks.LambdaCallback(**{hook: called})]

    assert_same(both_again(small, (X, Y), callbacks=make))
    assert calls[1] == calls[0]
    assert len(calls[1]) == (10 if "batch" in hook else 2)


class Acting(callbacks.Callback):
    """Does something to the model at a batch."""

    def __init__(self, hook, act):
        super().__init__()
        setattr(self, hook, lambda number=None, logs=None: act(self.model, number))


def stop_training(model, number):
    model.stop_training = number == 1


def stop_training_now(model, number):
    model.stop_training = True


def stop_evaluating(model, number):
    model.stop_evaluating = number == 1


def stop_evaluating_now(model, number):
    model.stop_evaluating = True


def lower_the_rate(model, number):
    model.optimizer.learning_rate = 0.1 / (number + 1)


def halve_the_weights(model, number):
    model.set_weights([w / 2 for w in model.get_weights()])


def evaluate_and_predict(model, number):
    model.evaluate(X[:20], Y[:20], verbose=0)
    model.predict(X[:20], verbose=0)


def count_an_example(model, number):
    model.metrics[0].update_state(9.0)


ACTIONS = {
    "stop at a batch": ("on_train_batch_end", stop_training),
    "stop before a batch": ("on_train_batch_begin", stop_training),
    "stop at an epoch": ("on_epoch_end", stop_training),
    "stop before the training": ("on_train_begin", stop_training_now),
    "stop before an epoch": ("on_epoch_begin", stop_training),
    "stop before a validation": ("on_test_begin", stop_evaluating_now),
    "stop a validation": ("on_test_batch_end", stop_evaluating),
    "learning rate by batch": ("on_train_batch_begin", lower_the_rate),
    "learning rate by epoch": ("on_epoch_begin", lower_the_rate),
    "weights by batch": ("on_train_batch_end", halve_the_weights),
    "weights by epoch": ("on_epoch_begin", halve_the_weights),
    "evaluate and predict": ("on_epoch_end", evaluate_and_predict),
    "evaluate after a batch": ("on_train_batch_end", evaluate_and_predict),
    "change a metric after a batch of a validation": ("on_test_batch_end", count_an_example),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_what_a_callback_does_takes_effect_when_it_does_under_keras(name):
    make = lambda: [Acting(*ACTIONS[name])]  # noqa: E731
    assert_same(both_again(small, (X, Y), callbacks=make, validation_data=(X, Y), epochs=3))


def test_a_history_and_a_callback_list_of_ones_own():
    own, model = callbacks.History(), small()
    assert fit(model, X, Y, verbose=0, callbacks=[own]) is own is model.history
    several = callbacks.CallbackList([own], model=model, epochs=1)
    assert fit(model, X, Y, verbose=0, callbacks=several) is own


def without_times(text):
    """What is shown of every epoch at last, without what depends on the time."""
    last = [re.split("[\b\r]", line)[-1] for line in text.split("\n")]
    shown = [re.sub(r"\x1b\[\d+m", "", line) for line in last]
    # Where no terminal is, every update has a line of its own, and time decides which are shown.
    shown = [line for line in shown if not re.match(r"\s*(\d+)/(?!\1 )", line)]
    return [re.sub(r"\d+(s|ms|us)\b", "", line).rstrip() for line in shown if line.strip()]


@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize(
    ("data", "arguments", "steps"),
    [
        (lambda: (X, Y), {"batch_size": 16, "validation_data": (X, Y)}, 5),
        (lambda: (rows(X, Y),), {}, 5),
        (lambda: (rows(X, Y).repeat(),), {"steps_per_epoch": 12}, 12),
        (lambda: (unknown(rows(X, Y)),), {}, 5),
    ],
    ids=["arrays", "known", "steps", "unknown"],
)
def test_the_progress_bar(data, arguments, steps, verbose, capsys):
    both_again(sgd, data, verbose=verbose, **arguments)
    shown = without_times(capsys.readouterr().out)
    assert shown[4:] == shown[:4]
    assert shown[0] == "Epoch 1/2"
    assert shown[1].startswith(f"{steps}/{steps}")
    assert "accuracy" in shown[1] and "loss" in shown[1]
    assert len(shown) == 8


def test_one_epoch_and_silence(capsys):
    both_again(sgd, (X, Y), verbose=1, epochs=1)
    shown = without_times(capsys.readouterr().out)
    assert len(shown) == 2 and shown[0] == shown[1]
    both_again(sgd, (X, Y), verbose=0)
    assert capsys.readouterr().out == ""


def test_callbacks_are_those_of_this_keras():
    """A new one must be added to the tests. OrbaxCheckpoint needs a package of its own."""
    bases = {"Callback", "CallbackList", "History", "ProgbarLogger", "LambdaCallback"}
    tested = {
        "BackupAndRestore", "CSVLogger", "EarlyStopping", "LearningRateScheduler",
        "ModelCheckpoint", "ReduceLROnPlateau", "RemoteMonitor", "SwapEMAWeights", "TensorBoard",
        "TerminateOnNaN",
    }  # fmt: skip
    found = {name for name in vars(callbacks) if name[0].isupper()}
    assert found - bases - tested <= {"OrbaxCheckpoint"}
