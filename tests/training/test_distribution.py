"""`fit` under ``MirroredStrategy``: two devices give what one gives, or an error says why not.

Cases run in processes of their own (``two_devices.py``), on two logical CPUs.
"""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from tests import processes
from tfcourse import InputError
from tfcourse.training.data.distributed import whole_batches

PROGRAM = Path(__file__).with_name("two_devices.py")

# Sums in another order: a few units in the last place of float32, weights and losses being about 1.
TOLERANCE = 2e-6

EQUAL = [
    "everything_at_once",
    "clipped",
    "clipped_accumulated_and_averaged",
    "loss_scaled",
    "loss_scaled_and_clipped",
    "several_inputs_and_outputs",
    "sparse_gradients",
    "sparse_gradients_clipped",
    "dataset",
    "dataset_of_known_shapes",
    "py_dataset",
    "distributed_dataset",
    "distributed_by_a_function",
    "one_replica",
    "own_train_step",
    "many_classes",
    "own_metrics",
    "stops_early_inside_the_scope",
]
# Keras weighs the parts of an uneven batch alike in the losses of single outputs, which it only
# reports; it knows no batch size in a compiled loop.
REPORTED_LOOSELY = {"several_inputs_and_outputs": ["c_loss", "r_loss"]}

WITHIN = (
    r"was not created in the scope of its tf\.distribute strategy\. Create and compile the model "
    r"within `with strategy\.scope\(\):`, its optimizer and metrics too\."
)
EACH = r"Every batch must hold an example for each of the 2 replicas\."
OPTIONS = "Clipping, gradient_accumulation_steps and ema_overwrite_frequency"
ERRORS = {
    "error_jit_compile": r"jit_compile=True does not work under MirroredStrategy: XLA .*out\.",
    "error_run_eagerly": r"run_eagerly=True does not work under MirroredStrategy\. .*one device\.",
    "error_strategy": r"fit trains under MirroredStrategy and MultiWorkerMirroredStrategy\. "
    r"Received: CentralStorageStrategy\.",
    "error_model_outside": rf"The model {WITHIN}",
    "error_optimizer_outside": rf'The variable "momentum_\d+/iteration" {WITHIN}',
    "error_metric_outside": rf'The variable "sparse_categorical_accuracy/total" {WITHIN}',
    "error_reduction": r"a loss must be the mean over the batch, of which each replica computes a "
    r'part: reduction="sum_over_batch_size"\. Received: "sum"\.',
    "error_clipping_inside": rf"{OPTIONS} need fit to be called outside `with strategy\.scope",
    "error_accumulation_in_own_step": rf"{OPTIONS} do not work .* in a model's own train_step\.",
    "error_small_batch": rf"{EACH} Change batch_size: one holds 1\.",
    "error_small_last_batch": rf"{EACH} Change batch_size: one holds 1\.",
    "error_small_validation_batch": rf"{EACH} Change validation_batch_size: one holds 1\.",
    "error_uneven_batch_of_an_own_step": r"its own train_step needs batches that 2 replicas can "
    r"share equally, because each of them counts alike\. Change batch_size: one holds 11\.",
    "error_small_batch_of_a_dataset": EACH,
    "error_small_batch_of_known_shape": rf"{EACH} Received: a batch of 1\.",
    "error_distributed_dataset_of_sparse_tensors": r"A distributed dataset must hold dense tensors",
    "error_distributed_dataset_without_end": r"The data never ends: set the length of an epoch ",
    "error_loss_not_finite": r"not finite in epoch 1, batch \d, at learning rate 1e\+38\.",
    "rollback": r"not finite in epoch 1, batch \d after 3 rollbacks",
    "error_second_strategy": r"mixed up the messages of two tf\.distribute strategies .* Create "
    r"one strategy in a process, and use it for all models\.",
}
TYPES = {
    "error_loss_not_finite": "NonFiniteLossError",
    "rollback": "NonFiniteLossError",
    "error_second_strategy": "WorkFailedError",
}


def run(cases):
    """What came of the cases, by their names."""
    done = processes.run([PROGRAM, *cases], timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = {line["case"]: line for line in lines}
    assert set(found) == set(cases)
    return found


def test_two_devices_equal_one(subtests):
    results = run(EQUAL)
    for name, found in results.items():
        with subtests.test(name):
            assert found["epochs"] >= 3
            assert found["weights"] < TOLERANCE
            assert found["slots"] < TOLERANCE
            assert found["copies"] == 0, "the devices have other weights"
            loosely = REPORTED_LOOSELY.get(name, [])
            for metric, difference in found["of each"].items():
                assert difference < (0.01 if metric in loosely else TOLERANCE), metric
    names = {"loss", "accuracy", "weighted_accuracy"}
    assert set(results["everything_at_once"]["of each"]) == names | {f"val_{n}" for n in names}
    assert results["stops_early_inside_the_scope"]["epochs"] < 12


def test_the_comparison_sees_a_difference():
    """Positive controls: without synchronized statistics, and with uneven parts counted alike."""
    statistics, shares = "control_without_synchronized_batch_norm", "control_without_shares"
    results = run([statistics, shares])
    assert results[statistics]["weights"] > 1e-2
    assert results[shares]["weights"] > 1e-3


def test_what_cant_be_had_is_said(subtests):
    results = run(["every_batch_has_its_callback", *ERRORS])
    for name, message in ERRORS.items():
        with subtests.test(name):
            assert results[name]["type"] == TYPES.get(name, "InputError")
            assert re.search(message, results[name]["message"])
    assert results["rollback"]["warnings"] == 3
    assert results["every_batch_has_its_callback"]["calls"] == 3 * 5


def test_a_dataset_distributed_over_machines_is_refused():
    """A machine sees only its own part of a batch."""
    strategy = object.__new__(tf.distribute.MultiWorkerMirroredStrategy)
    with pytest.raises(InputError, match="over several machines can't be taken: pass the dataset"):
        whole_batches(SimpleNamespace(_strategy=strategy))
