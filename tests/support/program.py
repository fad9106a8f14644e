"""A program that is no part of the project, on this machine: Prometheus, Alertmanager."""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.waiting import wait_until

END_SECONDS = 20


@contextmanager
def running(name: str, command: Sequence[str], directory: Path, ready: str) -> Iterator[None]:
    """Once `ready` answers 200; its output is in a file of the directory. Ended in order when left."""
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=directory, stdout=output, stderr=output)

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(ready).status_code == 200
        return False

    try:
        wait_until(is_ready)
        yield
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        finally:
            process.kill()
