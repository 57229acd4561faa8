"""Which programs of a training XLA compiles: as asked for, or where it pays."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tfcourse.errors import InputError
from tfcourse.training.data.checks import proven_embeddings
from tfcourse.training.data.feeds import Feed
from tfcourse.training.programs.jit import Auto

__all__ = ["Compilation", "can_compile", "compilation_of"]


class Compilation(NamedTuple):
    """Which programs XLA compiles.

    Attributes:
        training: Whether it compiles the training.
        validation: Whether it compiles the validation.
        required: Whether it must, or what it can't compile goes without.
        in_range: The names of the ``Embedding`` layers whose ids are known to be in range, in the
            training.
        validation_in_range: Those in the validation.
    """

    training: bool
    validation: bool
    required: bool
    in_range: Sequence[str] = ()
    validation_in_range: Sequence[str] = ()


def compilation_of(
    model: Any, train: Feed, validation: Feed | None, epochs: int, jit_compile: Any
) -> Compilation:
    """What ``jit_compile`` means for a built model, its data and so many epochs.

    Raises:
        InputError: XLA is asked for and can't be had for these data.
    """
    possible = can_compile((train, validation), jit_compile)
    if isinstance(jit_compile, bool):
        return Compilation(jit_compile, jit_compile, required=jit_compile)
    auto = jit_compile if isinstance(jit_compile, Auto) else Auto()

    def pays(feed: Feed) -> bool:
        steps = feed.steps and feed.steps * epochs
        return possible and auto.chooses(model, feed.sample, feed.batch_size, steps)

    training = pays(train)
    also = training and validation is not None and pays(validation)
    return Compilation(
        training,
        also,
        required=False,
        in_range=proven_embeddings(model, train, "train_step") if training else (),
        validation_in_range=proven_embeddings(model, validation, "test_step") if also else (),
    )


def can_compile(feeds: Sequence[Feed | None], jit_compile: Any) -> bool:
    """Whether XLA can be had for these data.

    Raises:
        InputError: It can't, and ``jit_compile`` is True.
    """
    known = all(feed.known_shapes for feed in feeds if feed is not None)
    if jit_compile is True and not known:
        raise InputError(
            "jit_compile=True needs dense data whose shapes are known. Received: a stream with "
            "sparse or ragged parts or of unknown shapes. Pad to one length, or leave it out."
        )
    return known
