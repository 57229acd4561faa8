"""The choice of the programs that XLA compiles: the caller's, or those where it pays."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from tfcourse.errors import InputError
from tfcourse.training.data.checks import proven_embeddings
from tfcourse.training.data.feeds import Feed
from tfcourse.training.programs.jit import Auto
from tfcourse.types import KerasModel

__all__ = [
    "Compilation",
    "JitCompile",
    "can_compile",
    "compilation_of",
    "worth_compiling",
    "worth_optimizing",
]

JitCompile: TypeAlias = bool | Literal["auto"] | Auto


class Compilation(NamedTuple):
    """The choice of the programs that XLA compiles.

    Attributes:
        training: Whether it compiles the training.
        validation: Whether it compiles the validation.
        required: Whether a program that it can't compile is an error, or runs without it.
        in_range: The names of the ``Embedding`` layers whose ids are known to be in range, in the
            training.
        validation_in_range: Those in the validation.
        exact: Without XLA, whether the numbers of both are Keras's to the last bit.
        optimized: Without XLA, whether TensorFlow optimizes the graphs of both before they run.
    """

    training: bool
    validation: bool
    required: bool
    in_range: Sequence[str] = ()
    validation_in_range: Sequence[str] = ()
    exact: bool = True
    optimized: bool = True


def worth_compiling(model: KerasModel, auto: JitCompile, epochs: int, feed: Feed) -> bool:
    """Return True if XLA pays for a number of epochs of a feed, by the rule of `choose_jit`."""
    steps = feed.steps and feed.steps * epochs
    return _auto(auto).chooses(model, feed.sample, feed.batch_size, steps)


def worth_optimizing(model: KerasModel, auto: JitCompile, epochs: int, feed: Feed) -> bool:
    """Return True if TensorFlow's optimization of graphs pays, by the rule of `choose_optimized`.

    Args:
        model: The model.
        auto: As ``jit_compile``; of True and False the numbers are promised, and it always pays.
        epochs: The number of epochs.
        feed: Their data.
    """
    steps = feed.steps and feed.steps * epochs
    return isinstance(auto, bool) or _auto(auto).optimizes(
        model, feed.sample, feed.batch_size, steps
    )


def _auto(jit_compile: JitCompile) -> Auto:
    return jit_compile if isinstance(jit_compile, Auto) else Auto()


def compilation_of(
    model: KerasModel,
    train: Feed,
    validation: Feed | None,
    jit_compile: JitCompile,
    pays: Callable[[Feed], bool],
) -> Compilation:
    """Return what ``jit_compile`` means for a built model and its data.

    Args:
        model: The model.
        train: The training data.
        validation: The validation data, if any.
        jit_compile: True, False, ``"auto"`` or an `Auto`.
        pays: The choice that the last two leave open: True where XLA pays for a feed.

    Raises:
        InputError: XLA is required and can't compile programs for these data.
    """
    possible = can_compile((train, validation), jit_compile)
    if isinstance(jit_compile, bool):
        return Compilation(jit_compile, jit_compile, required=jit_compile)
    training = possible and pays(train)
    if not training:
        return Compilation(False, False, required=False, exact=False)
    in_range = proven_embeddings(model, train, "train_step")
    if validation is None or not pays(validation):
        return Compilation(True, False, required=False, in_range=in_range)
    validation_in_range = proven_embeddings(model, validation, "test_step")
    return Compilation(True, True, False, in_range, validation_in_range)


def can_compile(feeds: Sequence[Feed | None], jit_compile: JitCompile) -> bool:
    """Return True if XLA can compile programs for these data.

    Raises:
        InputError: It can't, and ``jit_compile`` is True.
    """
    static = all(feed.known_shapes for feed in feeds if feed is not None)
    if jit_compile is True and not static:
        raise InputError(
            "jit_compile=True needs dense data whose shapes are known. Received: a stream with "
            "sparse or ragged parts or of unknown shapes. Pad to one length, or leave it out."
        )
    return static
