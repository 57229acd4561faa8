"""The course's λ as the factors of Keras's regularizers (course section 5.5).

Keras's regularizers multiply a sum over the weights by a fixed factor; the course divides its λ by
the number of examples m.
"""

from tfcourse.errors import InputError, shown
from tfcourse.hyperparameters import Hyperparameter

__all__ = ["l1_factor", "l2_factor"]

_ARGUMENTS = (Hyperparameter("lambda_", float, 0), Hyperparameter("examples", int, 1))


def l1_factor(lambda_: float, examples: int) -> float:
    """Return ``λ/m``, the factor of ``keras.regularizers.L1`` (course 5.5).

    The cost gets the course's ``λ/m Σ|w|``, and ``dw`` gets ``λ/m sign(w)``, which moves
    weights to 0 and makes them sparse.

    Args:
        lambda_: The course's λ >= 0.
        examples: The number of examples m, as for `l2_factor`.

    Raises:
        InputError: λ or m is not admissible.
    """
    _check("l1_factor", lambda_, examples)
    return float(lambda_) / int(examples)


def l2_factor(lambda_: float, examples: int) -> float:
    """Return ``λ/(2m)``, the factor of ``keras.regularizers.L2`` (course 5.5).

    The cost gets the course's ``λ/(2m) Σ‖W‖²``, and ``dW`` gets ``λ/m W``::

        keras.regularizers.L2(tfcourse.l2_factor(0.7, examples=60_000))

    Args:
        lambda_: The course's λ >= 0.
        examples: The number of examples m of the training set. Where a mini-batch's cost is
            written with λ over the mini-batch's own m, pass that; the same λ then has more
            weight in smaller mini-batches.

    Raises:
        InputError: λ or m is not admissible.
    """
    _check("l2_factor", lambda_, examples)
    return float(lambda_) / (2 * int(examples))


def _check(owner: str, *values: float) -> None:
    for argument, value in zip(_ARGUMENTS, values, strict=True):
        if not argument.admits(value):
            raise InputError(
                f"{owner}: {argument.name} must be {argument.admissible}. Received: {shown(value)}."
            )
