"""The trials of a search as event files of TensorBoard's, for its HParams and scalars pages.

Each trial is a run, and a session of HParams. It has the curve of each metric by epoch, from 1, and
single points: ``trial/score``, ``trial/best_epoch``, ``trial/seconds``, with several trainings
``trial/score_std``, and ``at_best_epoch/METRIC`` for the other metrics at the best epoch: HParams
itself shows the last value of a curve. A trial that was pruned, or breaks a limit, has curves and
no score.

A choice has a discrete domain, a range an interval. HParams has no scale for a β: it becomes
``one_minus_NAME``, the value of 1-β, for which its parallel coordinates have a logarithmic axis. A
status of HParams is success for a completed trial, failure for a failed one, and unknown for
others; the text ``message`` has the reason.

The record has the end of a trial and its seconds, from which the times of the epochs are computed
as if all took equally long.
"""

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.rows import common_type
from tfcourse.search.space.parameters import Choice, Parameter
from tfcourse.types import Hyperparameter

__all__ = ["experiment_file", "scalars_of", "trial_file"]

_STATUSES = {"completed": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}

Points = Sequence[tuple[int, float]]


def experiment_file(space: Mapping[str, Parameter], objective: str, tags: Iterable[str]) -> bytes:
    """Return the event file that tells HParams the domains and the metrics.

    Args:
        space: The parameters by name.
        objective: The name of the score.
        tags: The tags that trials have, see `scalars_of`.
    """
    metrics = [_metric(tag, objective) for tag in tags if "/" in tag]
    domains = [
        hparams.HParam(_name_of(name, parameter), _domain(parameter))
        for name, parameter in space.items()
    ]
    return _event_file([(0, 0.0, hparams.hparams_config_pb(domains, metrics))], 0.0)


def trial_file(
    record: TrialRecord, space: Mapping[str, Parameter], objective: str, end: float
) -> bytes:
    """Return the event file of a trial.

    Args:
        record: The trial.
        space: The parameters by name.
        objective: The name of the score.
        end: The time at which it ended, in seconds since 1970.
    """
    start, epochs = end - record.seconds, _epochs(record)
    values = {
        _name_of(name, space[name]): _value(space[name], value)
        for name, value in record.values.items()
        if name in space
    }
    name = f"trial_{record.trial:04d}"
    events = [(0, start, _in_order(hparams.hparams_pb(values, name, start)))]
    for tag, points in scalars_of(record, objective).items():
        for step, value in points:
            time = end if "/" in tag else start + record.seconds * step / epochs
            events.append((step, time, scalar_pb(tag, value)))
    if record.message:
        # Indented lines are code in Markdown, and stay as they are.
        text = "".join(f"    {line}\n" for line in record.message.splitlines())
        events.append((epochs, end, text_pb("message", text)))
    status = _STATUSES.get(record.status, api_pb2.STATUS_UNKNOWN)
    return _event_file([*events, (epochs, end, _session_end(status, end))], start)


def scalars_of(record: TrialRecord, objective: str) -> dict[str, Points]:
    """Return the points (step, value) of each tag; values that are not finite are left out."""
    curves = {
        name: [
            (epoch, value)
            for epoch, value in enumerate(values, start=1)
            if value is not None and math.isfinite(value)
        ]
        for name, values in record.history.items()
    }
    epoch = record.best_epoch
    single: dict[str, float | None] = {}
    if record.status == "completed" and epoch is not None:
        single = {"trial/score": record.score, "trial/score_std": record.score_std}
        single |= {"trial/best_epoch": float(epoch)}
        others = [name for name in curves if name != objective]
        values = record.metrics_at_score
        single |= {f"at_best_epoch/{name}": values.get(name) for name in others}
    single["trial/seconds"] = record.seconds
    step = epoch or _epochs(record)
    points = {tag: [(step, value)] for tag, value in single.items() if value is not None}
    return {**curves, **points}


def _epochs(record: TrialRecord) -> int:
    return max(map(len, record.history.values()), default=0)


def _metric(tag: str, objective: str) -> hparams.Metric:
    group, _, name = tag.partition("/")
    title = name
    if group == "trial":
        title = name.replace("score", objective).replace("_epoch", " epoch")
    kind = hparams.Metric.VALIDATION if "val_" in title else None
    return hparams.Metric(tag, display_name=title, dataset_type=kind)


def _name_of(name: str, parameter: Parameter) -> str:
    is_beta = not isinstance(parameter, Choice) and parameter.scale == "one_minus_log"
    return f"one_minus_{name}" if is_beta else name


def _domain(parameter: Parameter) -> hparams.Domain:
    if isinstance(parameter, Choice):
        return hparams.Discrete([_value(parameter, value) for value in parameter.values])
    if parameter.scale == "one_minus_log":
        return hparams.RealInterval(1 - parameter.high, 1 - parameter.low)
    if parameter.kind == "int":
        return hparams.IntInterval(int(parameter.low), int(parameter.high))
    return hparams.RealInterval(float(parameter.low), float(parameter.high))


def _value(parameter: Parameter, value: Hyperparameter) -> Hyperparameter:
    if isinstance(parameter, Choice):
        kind = common_type(parameter.values)
        return value if kind is None else kind(value)
    return 1 - float(value) if parameter.scale == "one_minus_log" else value


def _in_order(summary: summary_pb2.Summary) -> summary_pb2.Summary:
    """Return the start of a session with its values sorted: their order is the process's own."""
    data = summary.value[0].metadata.plugin_data
    content = plugin_data_pb2.HParamsPluginData.FromString(data.content)
    data.content = content.SerializeToString(deterministic=True)
    return summary


def _session_end(status: int, end: float) -> summary_pb2.Summary:
    """Return the end of a session, for which TensorBoard has a function that needs TensorFlow."""
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=end)
    content = plugin_data_pb2.HParamsPluginData(session_end_info=info)
    summary = summary_pb2.Summary()
    summary.value.add(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(content),
        tensor=metadata.NULL_TENSOR,
    )
    return summary


def _event_file(events: Iterable[tuple[int, float, summary_pb2.Summary]], start: float) -> bytes:
    """Return the bytes of a file of events (step, time, summary)."""
    file = io.BytesIO()
    writer = RecordWriter(file)
    for event in _events(events, start):
        writer.write(event.SerializeToString())
    return file.getvalue()


def _events(
    events: Iterable[tuple[int, float, summary_pb2.Summary]], start: float
) -> Iterator[event_pb2.Event]:
    yield event_pb2.Event(wall_time=start, file_version="brain.Event:2")
    for step, time, summary in events:
        yield event_pb2.Event(wall_time=time, step=step, summary=summary)
