"""A network before a server, which can be cut: the harness's side of `proxy_server.py`, which tells the modes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.support.process import free_ports

REPOSITORY = Path(__file__).parents[2]
Fault = Literal["silence", "drop", "refuse", "reset"]


class Proxy:
    """`port` of loopback leads to the Unix socket, as long as there is no fault."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.port = port
        self._process = process
        self._enter("pass")

    @contextmanager
    def fault(self, mode: Fault) -> Iterator[None]:
        """The fault holds until left."""
        self._enter(mode)
        try:
            yield
        finally:
            self._enter("pass")

    def _enter(self, mode: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{mode}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == f"{mode}\n", "the proxy has failed"


@contextmanager
def proxying(path: Path) -> Iterator[Proxy]:
    """A proxy before the Unix socket at `path`, until left."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.drills.proxy_server", str(port), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    try:
        yield Proxy(process, port)
    finally:
        process.kill()
        process.communicate()
