"""The memory of processes, as the kernel has kept count of it: no peak is missed."""

from collections.abc import Sequence
from pathlib import Path

import psutil

MIB = 1024 * 1024


def resident(processes: Sequence[psutil.Process]) -> int:
    """Bytes that are resident now, of all of them."""
    return sum(process.memory_info().rss for process in processes)


def reset_peak(processes: Sequence[psutil.Process]) -> None:
    """What `peak` tells begins again from now."""
    for process in processes:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak(processes: Sequence[psutil.Process]) -> int:
    """The most bytes that were resident; the peaks of several need not have been at one time."""
    return sum(_high_water(process.pid) for process in processes)


def _high_water(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (found,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found) * 1024
