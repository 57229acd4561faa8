"""``[search.ray]``: the cluster of a search on Ray, and the share of it that a worker gets."""

from pydantic import Field

from tfcourse.search.config.table import Table

__all__ = ["RayTable"]


class RayTable(Table):
    """``[search.ray]``: the cluster of a search on Ray, and the share of it that a worker gets.

    Attributes:
        address: ``"ray"`` or ``"ray://HOST:PORT"``, as for ``--on``.
        cpus: The CPUs of each worker; as many as ``[search] threads`` if it is not set.
        gpus: The GPUs of each worker; with 0.5 two workers share one.
    """

    address: str = Field(default="ray", pattern=r"^ray(://[^:]+:\d+)?$")
    cpus: float | None = Field(default=None, gt=0)
    gpus: float = Field(default=0, ge=0)
