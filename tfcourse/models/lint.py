"""Mistakes in a model that are visible before it is trained (course 2.4, 2.8, 3.1 to 3.5)."""

import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras

from tfcourse.errors import InputError, shown
from tfcourse.hyperparameters import is_number
from tfcourse.models.graph import (
    WITH_BIAS,
    Call,
    Graph,
    activation_of,
    calls_as,
    is_batch_norm,
    named_layers,
    nearest,
    trace,
)
from tfcourse.models.lint_rules import (
    Complaint,
    Output,
    describe_outputs,
    loss_and_labels,
    output_and_loss,
    sigmoid_classes,
)
from tfcourse.types import KerasModel, Layer, Nested

__all__ = ["Finding", "lint"]

_DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    *(getattr(keras.layers, f"SpatialDropout{n}D") for n in (1, 2, 3)),
)
_RESHAPING = tuple(
    getattr(keras.layers, name) for name in ("Flatten", "Identity", "Permute", "Reshape")
)
REMAINDER = 0.05  # the share of the initial statistics in averages that count as settled


@dataclass(frozen=True)
class Finding:
    """A finding of `lint`: ``str(finding)`` is ``[rule] layer: message Fix: fix``.

    Args:
        rule: The rule's name.
        layer: The layer's name, qualified by the nested models around it: ``"encoder/dense"``.
        message: The reason why it matters.
        fix: The remedy.
    """

    rule: str
    layer: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"[{self.rule}] {self.layer}: {self.message} Fix: {self.fix}"


def lint(model: KerasModel, steps: int | None = None, y: Nested = None) -> list[Finding]:
    """Find likely mistakes in a Keras model without running it.

    The rules, by the names in `Finding.rule`:

    - ``useless_bias``: a bias right before batch norm, which the mean cancels (course 2.4).
    - ``output_and_loss``: probabilities in a loss with ``from_logits=True``, or logits in one
      without (3.5).
    - ``loss_and_labels``: a cross-entropy that does not fit the number of classes, or ``y``.
    - ``sigmoid_classes``: sigmoids for exclusive classes (3.1).
    - ``dropout_before_batch_norm``: the variance differs between training and test (Li et al.
      2018, "Understanding the Disharmony between Dropout and Batch Normalization").
    - ``slow_average``: the momentum leaves more than 5 % of the initial statistics after
      ``steps``: ``momentum**steps > 0.05`` (2.8). Not with ``bias_correction=True``.
    - ``moving_statistics``: batch norm that trains between frozen layers, or that is called with
      ``training=False``, which ``fit`` overrides (6.6).
    - ``not_visible``: a subclassed model, or a subclassed layer with batch norm inside, whose
      graph is not visible to the rules above (only ``slow_average`` works there).

    Args:
        model: A Keras model; the rules on losses need it compiled.
        steps: The number of training steps that are planned, for ``slow_average``.
        y: The labels, for ``loss_and_labels``: an array, or a list or dict of one per output.

    Returns:
        The findings, rule by rule; none for a model without any.

    Raises:
        InputError: ``model`` is not a Keras model, ``steps`` not a whole number >= 1, or ``y``
            not arrays of numbers.
    """
    if not isinstance(model, keras.Model):
        raise InputError(f"lint: model must be a Keras model. Received: {type(model).__name__}.")
    if steps is not None and (not is_number(steps, numbers.Integral) or steps < 1):
        raise InputError(f"lint: steps must be a whole number >= 1. Received: {shown(steps)}.")
    graph = trace(model)
    complaints: list[tuple[str, Iterator[Complaint]]] = []
    if graph is not None:
        outputs = describe_outputs(model, graph, y)
        complaints += [(name, rule(graph)) for name, rule in _GRAPH_RULES.items()]
        complaints += [(name, rule(outputs)) for name, rule in _OUTPUT_RULES.items()]
    if steps is not None:
        complaints.append(("slow_average", slow_average(model, graph, int(steps))))
    complaints.append(("not_visible", not_visible(model, graph)))
    return [Finding(rule, *complaint) for rule, group in complaints for complaint in group]


def useless_bias(graph: Graph) -> Iterator[Complaint]:
    """Find biases that the mean of the batch norm right after them cancels (course 2.4)."""
    for calls in graph.by_layer():
        layer = calls[0].layer
        if _adds_a_bias(layer) and all(_is_cancelled(call) for call in calls):
            batch_norm = calls[0].consumers[0].name
            yield (
                calls[0].name,
                f'its bias is cancelled by the mean of "{batch_norm}": its gradient is 0, and the '
                "β there replaces it (course 2.4).",
                "use_bias=False.",
            )


def _adds_a_bias(layer: Layer) -> bool:
    """Return whether a layer ends with a bias that is trained for the layers after it alone."""
    return (
        calls_as(layer, WITH_BIAS)
        and layer.use_bias
        and layer.trainable
        and layer.activity_regularizer is None
        and activation_of(layer) == "linear"
    )


def _is_cancelled(call: Call) -> bool:
    """Return whether all consumers of a call are batch norms over its own channels."""
    first = getattr(call.layer, "data_format", "channels_last") == "channels_first"
    rank = len(call.shape)
    channels = 1 if first else rank - 1
    return (
        not call.is_output
        and bool(call.consumers)
        and all(
            is_batch_norm(c.layer) and c.layer.trainable and c.layer.axis % rank == channels
            for c in call.consumers
        )
    )


def dropout_before_batch_norm(graph: Graph) -> Iterator[Complaint]:
    """Find dropout right before batch norm, whose statistics differ at test time (5.6, 2.8)."""
    for call in graph.calls:
        if not (is_batch_norm(call.layer) and call.layer.trainable):
            continue
        for before in nearest(call, "inputs", lambda c: not isinstance(c.layer, _RESHAPING)):
            if isinstance(before.layer, _DROPOUTS) and before.layer.rate > 0:
                yield (
                    before.name,
                    f'dropout raises the variance that "{call.name}" records in training; at test '
                    "time there is none, and the recorded variance is too large (Li et al. 2018).",
                    "dropout behind the batch norm, or behind the last one.",
                )


def slow_average(model: KerasModel, graph: Graph | None, steps: int) -> Iterator[Complaint]:
    """Find moving averages that stay near their initial values in the planned steps (2.8)."""
    calls = {id(group[0].layer): len(group) for group in graph.by_layer()} if graph else {}
    for name, layer in named_layers(model):
        if not (is_batch_norm(layer) and layer.trainable):
            continue
        updates = steps * calls.get(id(layer), 1)
        share = layer.momentum**updates
        if share > REMAINDER and not getattr(layer, "bias_correction", False):
            yield (
                name,
                f"momentum={layer.momentum} leaves {share:.0%} of the initial statistics in its "
                f"averages after {updates} updates, and predictions use them.",
                f"momentum={_settling(updates)} or less, more steps, recalibrate after training, "
                "or BatchNorm(bias_correction=True).",
            )


def _settling(updates: int) -> float:
    """Return a momentum that leaves at most `REMAINDER`; 1 minus it has two significant digits."""
    rate = -math.expm1(math.log(REMAINDER) / updates)
    unit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return round(1 - math.ceil(rate / unit) * unit, 15)


def moving_statistics(graph: Graph) -> Iterator[Complaint]:
    """Find batch norm that trains although the model around it is frozen (6.6).

    Either every layer with weights next before it, and one next behind it, is frozen
    (``trainable=False``; other batch norms are looked past), or it was called with
    ``training=False``, which the ``training=True`` of ``fit`` overrides. Batch norm on top of a
    frozen base, with trained layers after it, is neither.
    """
    for calls in graph.by_layer():
        layer, name = calls[0].layer, calls[0].name
        if not (is_batch_norm(layer) and layer.trainable):
            continue
        why = ""
        if any(_stands_in_frozen(call) for call in calls):
            why = "the layers before and behind it are frozen"
        elif any(call.inference for call in calls):
            why = "it was called with training=False, which fit's training=True overrides"
        if why:
            yield name, f"{why}, but its statistics still move in training.", _FREEZE


_FREEZE = "trainable=False on it, which is inference mode too; then compile again."


def _stands_in_frozen(call: Call) -> bool:
    def has_weights(other: Call) -> bool:
        return bool(getattr(other.layer, "weights", ())) and not is_batch_norm(other.layer)

    before = nearest(call, "inputs", has_weights)
    behind = nearest(call, "consumers", has_weights)
    frozen = [not other.layer.trainable for other in before]
    return all(frozen) and bool(frozen) and any(not other.layer.trainable for other in behind)


def not_visible(model: KerasModel, graph: Graph | None) -> Iterator[Complaint]:
    """Name the parts of a model whose graph is not visible to the rules."""
    hidden = "its graph is not visible: only the momentum of the batch norms inside was checked."
    if graph is None:
        unbuilt = isinstance(model, keras.Sequential) and not model.built
        fix = "model.build(input_shape) first." if unbuilt else "lint its functional parts alone."
        yield model.name, hidden, fix
    for call in graph.calls if graph else ():
        inside = named_layers(call.layer) if isinstance(call.layer, keras.Layer) else ()
        if any(is_batch_norm(layer) for _, layer in inside):
            yield call.name, hidden, "lint its functional parts alone."


_GRAPH_RULES: dict[str, Callable[[Graph], Iterator[Complaint]]] = {
    rule.__name__: rule for rule in (useless_bias, dropout_before_batch_norm, moving_statistics)
}
_OUTPUT_RULES: dict[str, Callable[[Sequence[Output]], Iterator[Complaint]]] = {
    rule.__name__: rule for rule in (output_and_loss, loss_and_labels, sigmoid_classes)
}
