"""Event files, read by TensorBoard's own code: what its pages get."""

from tensorboard import context
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from tensorboard.util import tensor_util


def curve(folder, tag):
    """The points of a tag as (step, value)."""
    return [(event.step, value) for event, value in _events(folder, tag)]


def times(folder, tag):
    return [event.wall_time for event, _ in _events(folder, tag)]


def text(folder):
    """The markdown of the text ``message``."""
    ((_, value),) = _events(folder, "message")
    return value.decode()


def tags(folder):
    return set(EventAccumulator(str(folder)).Reload().Tags()["tensors"])


def _events(folder, tag):
    events = EventAccumulator(str(folder)).Reload().Tensors(tag)
    return [(event, tensor_util.make_ndarray(event.tensor_proto).item()) for event in events]


def hparams_page(folder):
    """The experiment and the session groups by name, as the HParams page asks for them."""
    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    request_context = context.RequestContext()
    experiment = backend.experiment_from_metadata(
        request_context,
        "",
        True,
        backend.hparams_metadata(request_context, ""),
        backend.hparams_from_data_provider(request_context, "", limit=None),
    )
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=10_000,
        include_metrics=True,
        allowed_statuses=api_pb2.Status.values(),
    )
    handler = list_session_groups.Handler(request_context, backend, "", request)
    return experiment, {group.name: group for group in handler.run().session_groups}


def domains(experiment):
    """The values of each hyperparameter, or the ends of its interval as a tuple."""
    found = {}
    for info in experiment.hparam_infos:
        kind = info.WhichOneof("domain")
        if kind == "domain_interval":
            found[info.name] = (info.domain_interval.min_value, info.domain_interval.max_value)
        else:
            found[info.name] = list(info.domain_discrete)
    return found


def hparams_of(group):
    return {name: getattr(v, v.WhichOneof("kind")) for name, v in group.hparams.items()}


def metrics_of(group):
    return {entry.name.tag: entry.value for entry in group.metric_values}
