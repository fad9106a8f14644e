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
    """`url` leads over a port of loopback to the server, as long as there is no fault."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.url = url
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
def proxying(url: str) -> Iterator[Proxy]:
    """A proxy before an embedded PostgreSQL or Redis, whose URLs name a Unix socket; until left."""
    (port,) = free_ports(1)
    if url.startswith("unix://"):
        path, proxied = url.removeprefix("unix://"), f"redis://127.0.0.1:{port}"
    else:
        database, _, directory = url.partition("@/")[2].partition("?host=")
        path = f"{directory}/.s.PGSQL.5432"
        proxied = f"postgresql://postgres@127.0.0.1:{port}/{database}?sslmode=disable"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.proxy_server", str(port), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    try:
        yield Proxy(process, proxied)
    finally:
        process.kill()
        process.communicate()
