"""A control group with a limit of memory, for a process to run in, as a container does."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .waiting import wait_until

ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """`bound`: the file that the limit is written to."""

    directory: Path
    bound: str

    def command(self, command: Sequence[str]) -> list[str]:
        """That runs the other in it."""
        return ["sh", "-c", f'echo $$ > {self.directory}/cgroup.procs; exec "$@"', "sh", *command]

    def limit(self, size: int) -> None:
        """In bytes."""
        (self.directory / self.bound).write_text(str(size))


def can_limit_memory() -> bool:
    """Whether there are control groups for memory, of version 1 or 2, and this account may make one."""
    return _place() is not None


@contextmanager
def memory_group() -> Iterator[MemoryGroup]:
    """Without a limit; it is removed when nobody runs in it any more."""
    place = _place()
    assert place is not None, "ask can_limit_memory() first"
    parent, bound = place
    group = MemoryGroup(parent / f"inventory-api-drill-{os.getpid()}-{uuid.uuid4().hex[:6]}", bound)
    group.directory.mkdir()
    try:
        yield group
    finally:
        wait_until(lambda: not (group.directory / "cgroup.procs").read_text())
        group.directory.rmdir()


def _place() -> tuple[Path, str] | None:
    passed_on = ROOT / "cgroup.subtree_control"
    if passed_on.exists() and "memory" in passed_on.read_text().split():
        place = ROOT, "memory.max"
    else:
        place = ROOT / "memory", "memory.limit_in_bytes"
    return place if place[0].is_dir() and os.access(place[0], os.W_OK) else None
