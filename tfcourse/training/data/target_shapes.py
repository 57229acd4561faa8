"""The check that y and an output have one shape, where they are compared number by number."""

from tfcourse.errors import InputError

__all__ = ["NUMBER_BY_NUMBER", "check_same_shape"]

# Keras's functions that do so, after a last axis of length 1 was dropped or added.
NUMBER_BY_NUMBER = (
    "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error", "huber", "log_cosh", "cosine_similarity", "hinge",
    "squared_hinge", "poisson", "kl_divergence", "categorical_hinge",
    "categorical_focal_crossentropy", "dice", "tversky",
)  # fmt: skip


def check_same_shape(
    name: str, compares: str, shape: tuple[int | None, ...], wanted: tuple[int | None, ...]
) -> None:
    """Refuse targets that a loss or metric would broadcast; one number for all outputs is taken.

    Args:
        name: What the target is called in messages.
        compares: The loss or metric.
        shape: The target's shape.
        wanted: The output's.

    Raises:
        InputError: They don't fit.
    """
    row, output = shape[1:], wanted[1:]
    if len(row) == len(output) + 1 and row[-1] == 1:
        row = row[:-1]
    elif len(output) == len(row) + 1 and output[-1] == 1:
        output = output[:-1]
    fits = len(row) == len(output) and all(
        a in (b, 1) or None in (a, b) for a, b in zip(row, output, strict=True)
    )
    if fits or not wanted or not shape:
        return
    way = "Give both the same shape."
    if len(row) == len(output) == 1:
        way = f"Give the model {row[0]} outputs, or y {output[0]} columns."
    raise InputError(
        f"{name} has shape {shape}, the model's output {wanted}: {compares} would compare them as "
        f"if they were repeated to one shape, or not at all. {way}"
    )
