"""What each worker gets of the machine: its threads, and its GPU."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Literal

__all__ = ["cores", "environment", "gpus", "worker_count"]

CORES_OF_A_WORKER = 2


def worker_count(workers: int | Literal["auto"]) -> int:
    """How many workers ``"auto"`` means here: one a GPU, or else one for every two cores."""
    if workers != "auto":
        return workers
    return len(gpus(os.environ)) or max(cores() // CORES_OF_A_WORKER, 1)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus(environ: Mapping[str, str]) -> list[str]:
    """The GPUs that this process may use, found without TensorFlow: it would reserve them."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    listed = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        return []
    return [str(number) for number in range(listed.stdout.count("GPU "))]


def environment(
    number: int, workers: int, cores: int, gpus: Sequence[str], environ: Mapping[str, str]
) -> dict[str, str]:
    """The environment of worker ``number`` (from 0) of ``workers``.

    The cores are shared out, so that the threads of all workers together are no more than they
    are; what the user's environment says about threads stays. With GPUs each worker sees one,
    and where workers share one, each takes only the memory that it needs.
    """
    threads = str(max(cores // workers, 1))
    chosen = {
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        **environ,
    }
    if gpus:
        chosen["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    if len(gpus) < workers:
        chosen.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    return chosen
