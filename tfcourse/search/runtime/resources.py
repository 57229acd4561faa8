"""The share of the machine that each worker gets: its threads, and its GPU."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tfcourse.errors import InputError, shown

__all__ = ["WorkerSlot", "cores", "environment", "gpus", "worker_count"]

SECONDS_FOR_THE_DRIVER = 10.0


@dataclass(frozen=True)
class WorkerSlot:
    """A worker's place among those of a machine.

    Attributes:
        number: Its number, from 0.
        workers: The number of workers.
        cores: The machine's cores.
        gpus: The GPUs to distribute; none leaves the environment's as they are.
    """

    number: int
    workers: int
    cores: int
    gpus: Sequence[str]


def worker_count(workers: int | Literal["auto"], threads: int) -> int:
    """Return the number of workers: for ``"auto"`` one a GPU, or as many as have threads.

    Raises:
        InputError: It is no number of workers.
    """
    if workers == "auto":
        return len(gpus(os.environ)) or max(cores() // threads, 1)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InputError(
            f'workers must be a whole number >= 1 or "auto". Received: {shown(workers)}.'
        )
    if workers > 1000:
        raise InputError(f"workers must be <= 1000. Received: {workers}.")
    return workers


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus(environ: Mapping[str, str]) -> list[str]:
    """Return the GPUs that this process may use, without TensorFlow, which would reserve them."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    command = ["nvidia-smi", "--list-gpus"]
    try:
        listed = subprocess.run(
            command, capture_output=True, check=True, text=True, timeout=SECONDS_FOR_THE_DRIVER
        )
    except (OSError, subprocess.SubprocessError):  # no tool, an error of it, or no answer
        return []
    return [str(number) for number in range(listed.stdout.count("GPU "))]


def environment(slot: WorkerSlot, threads: int, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker.

    Args:
        slot: The worker's place.
        threads: The number of threads that compute one operation: the same for all workers, since
            sums of convolutions round differently with it.
        environ: The parent's environment.

    Returns:
        ``environ`` with the threads; operations side by side share the cores with those of the
        other workers. With GPUs each worker sees one, and where workers may share one, each takes
        only the memory that it needs.
    """
    variables = dict(environ)
    variables["TF_NUM_INTRAOP_THREADS"] = str(threads)
    variables.setdefault("TF_NUM_INTEROP_THREADS", str(max(slot.cores // slot.workers, 1)))
    variables.setdefault("OMP_NUM_THREADS", str(threads))
    if slot.gpus:
        variables["CUDA_VISIBLE_DEVICES"] = slot.gpus[slot.number % len(slot.gpus)]
    if len(slot.gpus) < slot.workers:
        variables.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    return variables
