"""The memory of a control group, of both versions: as files, and one that the kernel made."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory_api.telemetry import cgroup
from inventory_api.telemetry.cgroup import Memory, memory

MIB = 1 << 20
IN_V2 = {"memory.current": "1000", "memory.max": "5000", "memory.stat": "anon 1\ninactive_file 300\nactive_file 2"}
IN_V1 = {
    "memory.usage_in_bytes": "1000",
    "memory.limit_in_bytes": "5000",
    "memory.stat": "inactive_file 1\ntotal_inactive_file 300",
}
OF_V1 = "4:memory:{0}\n3:cpu,cpuacct:/\n0::/\n"
# Joins the group, holds memory, reads a file once, and tells what it finds.
MEMBER = """
import sys
from pathlib import Path
from inventory_api.telemetry.cgroup import memory
Path(sys.argv[1], "cgroup.procs").write_text("0")
held = b"x" * int(sys.argv[2])
print(memory().working_set, memory().limit)
"""


def machine(root: Path, group: str, files: dict[str, str], membership: str) -> Path:
    """The file of membership, beside a tree of control groups with one that has these files."""
    (root / "fs" / group).mkdir(parents=True)
    for name, text in files.items():
        (root / "fs" / group / name).write_text(f"{text}\n")
    (root / "membership").write_text(membership)
    return root / "membership"


@pytest.mark.parametrize(
    ("group", "files", "membership"),
    [
        pytest.param(".", IN_V2, "0::/\n", id="2, seen from the container"),
        pytest.param("system.slice/a.service", IN_V2, "0::/system.slice/a.service\n", id="2, seen from the machine"),
        pytest.param(".", IN_V2, "0::/kubepods/pod1/c1\n", id="2, without a namespace"),
        pytest.param("memory", IN_V1, OF_V1.format("/"), id="1, seen from the container"),
        pytest.param("memory/docker/c1", IN_V1, OF_V1.format("/docker/c1"), id="1, seen from the machine"),
        pytest.param("memory", IN_V1, OF_V1.format("/kubepods/pod1/c1"), id="1, without a namespace"),
    ],
)
def test_pages_of_files_that_can_be_dropped_are_not_of_the_working_set(
    tmp_path: Path, group: str, files: dict[str, str], membership: str
) -> None:
    assert memory(tmp_path / "fs", machine(tmp_path, group, files, membership)) == Memory(700, 5000)


@pytest.mark.parametrize(
    ("group", "files"),
    [
        (".", {**IN_V2, "memory.max": "max"}),
        ("memory", {**IN_V1, "memory.limit_in_bytes": "9223372036854771712"}),
        ("memory", {**IN_V1, "memory.limit_in_bytes": "9223372036854710272"}),
    ],
)
def test_no_limit_is_0(tmp_path: Path, group: str, files: dict[str, str]) -> None:
    assert memory(tmp_path / "fs", machine(tmp_path, group, files, "0::/\n")) == Memory(700, 0)


def test_more_that_can_be_dropped_than_is_used_is_no_less_than_0(tmp_path: Path) -> None:
    """They are not of the same moment."""
    files = {**IN_V2, "memory.current": "200"}
    assert memory(tmp_path / "fs", machine(tmp_path, ".", files, "0::/\n")) == Memory(0, 5000)


@pytest.mark.parametrize("files", [{}, {"memory.current": "1"}, {**IN_V2, "memory.max": "?"}])
def test_there_is_nothing_where_no_group_accounts_for_memory(tmp_path: Path, files: dict[str, str]) -> None:
    """As in the root of version 2, which has no such files."""
    assert memory(tmp_path / "fs", machine(tmp_path, ".", files, "0::/\n")) is None
    assert memory(tmp_path / "nowhere", tmp_path / "nowhere") is None


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of this test with a limit of 256 MiB, where the machine lets it make one."""
    parents = (cgroup.ROOT / version.directory for version in cgroup.VERSIONS)
    found = [parent / f"inventory-api-test-{os.getpid()}" for parent in parents if (parent / "cgroup.procs").exists()]
    with contextlib.ExitStack() as stack:
        for path in found:
            with contextlib.suppress(OSError):
                path.mkdir()
                stack.callback(path.rmdir)
            for version in cgroup.VERSIONS:
                if (path / version.limit).exists():
                    (path / version.limit).write_text(str(256 * MIB))
                    yield path
                    return
        pytest.skip("this machine lets no control group be made")


def test_a_process_finds_the_group_that_it_is_in(group: Path) -> None:
    command = [sys.executable, "-c", MEMBER, str(group), str(64 * MIB)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    working_set, limit = map(int, told.split())
    assert limit == 256 * MIB
    assert 64 * MIB <= working_set < 128 * MIB
