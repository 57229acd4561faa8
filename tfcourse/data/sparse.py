"""Rows of a SciPy sparse matrix as an array of examples, which become dense batch by batch."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tfcourse.data.frames import is_scipy_sparse
from tfcourse.data.nested import Arrays, array_items
from tfcourse.errors import InputError
from tfcourse.types import Array

__all__ = ["SparseRows", "has_sparse", "sparse_names", "sparse_rows", "stored_arrays"]

# A matrix of SciPy's, which has no types.
SciPyMatrix: TypeAlias = Any
# The most bytes that a whole matrix may take as a dense array.
MOST_BYTES = 2**30


class SparseRows:
    """Examples ``(m, features)`` in float32, of which only the numbers other than 0 are stored.

    Rows are selected as those of an array; ``numpy.asarray`` makes them dense, and
    ``numpy.concatenate`` joins them.

    Args:
        matrix: A matrix stored by rows, as SciPy's ``csr_array``.
    """

    def __init__(self, matrix: SciPyMatrix) -> None:
        self.matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of examples and of features."""
        count, features = self.matrix.shape
        return int(count), int(features)

    @property
    def ndim(self) -> int:
        """The number of axes, 2."""
        return 2

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The type of the numbers."""
        dtype: np.dtype[Any] = self.matrix.dtype
        return dtype

    @property
    def stored(self) -> tuple[Array, Array, Array]:
        """The numbers other than 0, their columns, and where each row of them begins."""
        return self.matrix.data, self.matrix.indices, self.matrix.indptr

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: "npt.NDArray[np.generic] | slice") -> "SparseRows":
        return SparseRows(self.matrix[rows])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        """Return the dense array.

        Raises:
            InputError: It would be larger than `MOST_BYTES`.
        """
        size = self.shape[0] * self.shape[1] * self.dtype.itemsize
        if size > MOST_BYTES:
            raise InputError(
                f"x is a sparse matrix of shape {self.shape}, which this needs as a dense array of "
                f"{size / 2**30:.1f} GiB. A search trains it without; leave out the setting, or "
                "give fewer columns, as scikit-learn's TruncatedSVD or SelectKBest makes them."
            )
        return np.asarray(self.matrix.toarray(), dtype)

    def __array_function__(
        self,
        function: object,
        types: object,
        arguments: Sequence[Sequence["SparseRows"]],
        options: Mapping[str, object],
    ) -> Any:
        if function is not np.concatenate or options:
            return NotImplemented
        from scipy.sparse import vstack  # type: ignore[import-untyped]  # SciPy has no types

        return SparseRows(vstack([rows.matrix for rows in arguments[0]], format="csr"))


def sparse_rows(value: object, name: str) -> SparseRows | None:
    """Return the rows of a SciPy sparse matrix as float32; None for other values.

    Args:
        value: Any value.
        name: Names it in messages.

    Raises:
        InputError: The matrix has no rows, or a number in it is not finite.
    """
    if isinstance(value, SparseRows):
        return value
    if not is_scipy_sparse(value):
        return None
    from scipy.sparse import csr_array

    matrix = csr_array(value)
    if matrix.ndim != 2 or not all(matrix.shape) or matrix.dtype.kind not in "biuf":
        raise InputError(
            f"{name} must be a sparse matrix of numbers with examples as rows. Received: shape "
            f"{matrix.shape} of {matrix.dtype}."
        )
    with np.errstate(over="ignore"):
        matrix = matrix.astype(np.float32)
    bad = int((~np.isfinite(matrix.data)).sum())
    if bad:
        raise InputError(
            f"{name} holds {bad} values that are not finite in float32. Remove or fill them."
        )
    matrix.sum_duplicates()
    return SparseRows(matrix)


def has_sparse(arrays: Arrays) -> bool:
    """Return True if an input is sparse."""
    return bool(sparse_names(arrays))


def sparse_names(arrays: Arrays) -> list[str]:
    """Return the names of the inputs that are sparse, the empty one for an input without a name."""
    items: list[tuple[str, object]] = [*array_items(arrays)]
    return [name for name, array in items if isinstance(array, SparseRows)]


def stored_arrays(values: object) -> tuple[Array, ...]:
    """Return the arrays that hold the contents of an array, or of `SparseRows`."""
    return values.stored if isinstance(values, SparseRows) else (np.asarray(values),)
