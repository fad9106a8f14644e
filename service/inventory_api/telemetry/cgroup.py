"""The memory of the container, as the kernel accounts it: that of this process's control group, of version 2 or 1."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
# Where version 1 has no limit it tells the largest number that it can hold, which is not the same everywhere.
NO_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes. The working set is what is used, but for file pages that were not read lately; a limit of 0 is none."""

    working_set: int
    limit: int


@dataclass(frozen=True, slots=True)
class Version:
    """How one version of control groups calls things. `controller`: its place in a line of `MEMBERSHIP`."""

    controller: str
    directory: str
    usage: str
    limit: str
    inactive_file: str

    def read(self, root: Path, groups: dict[str, str]) -> Memory | None:
        """None where there is no such group: it has no memory controller, or is the root of all."""
        mount = root / self.directory
        # In a container without a namespace of its own the path is the host's, and the mount is the group itself.
        group = mount / groups.get(self.controller, "/").lstrip("/")
        try:
            return self._read(group if (group / self.usage).exists() else mount)
        except (OSError, ValueError):
            return None

    def _read(self, group: Path) -> Memory:
        usage = int((group / self.usage).read_text())
        limit = (group / self.limit).read_text().strip()
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        bound = 0 if limit == "max" or int(limit) >= NO_LIMIT else int(limit)
        return Memory(max(usage - int(statistics.get(self.inactive_file, 0)), 0), bound)


VERSIONS = (
    Version("", "", "memory.current", "memory.max", "inactive_file"),
    Version("memory", "memory", "memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"),
)


def memory(root: Path = ROOT, membership: Path = MEMBERSHIP) -> Memory | None:
    """What is now. None where no control group accounts for it, as on a machine without them."""
    groups = dict(_groups(membership))
    found = (version.read(root, groups) for version in VERSIONS)
    return next((read for read in found if read is not None), None)


def _groups(membership: Path) -> Iterator[tuple[str, str]]:
    """Of each controller, the path of the group; version 2 has no name."""
    lines = membership.read_text().splitlines() if membership.exists() else []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path
