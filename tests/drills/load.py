"""A load on the service, and a prober of its probes: the harness's side of `generator.py`."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.support.service import AUTHORIZATION, ITEM
from tests.support.waiting import wait_until

from .outcomes import Outcome, Outcomes, parse

REPOSITORY = Path(__file__).parents[2]
LONGEST_SECONDS = 240
PATIENCE_SECONDS = 15.0
PROBES_PER_SECOND = 20

_serial = itertools.count()


@dataclass(frozen=True)
class Request:
    """One kind of request. `{n}` in path, headers and body becomes a number that no other request of the load has."""

    name: str
    method: str
    path: str
    body: str = ""
    weight: int = 1
    headers: Mapping[str, str] = field(default_factory=lambda: AUTHORIZATION)


def mixed(skus: Sequence[str]) -> list[Request]:
    """Six reads, three patches of a name and one new item in ten; the items must be there."""
    reads = [Request("GET", "GET", f"/inventory/{sku}", weight=6) for sku in skus]
    patches = [Request("PATCH", "PATCH", f"/inventory/{sku}", '{"name": "Name {n}"}', weight=3) for sku in skus]
    new = Request("PUT", "PUT", "/inventory/NEW-{n}", json.dumps(ITEM), weight=len(skus))
    return [*reads, *patches, new]


class Load:
    """A generator that runs. Its outcomes can be read at any time; those of the last 50 ms may be missing."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, prefix: str) -> None:
        self.prefix = prefix
        self._process = process
        self._output = output
        self._read_bytes = 0
        self._outcomes: list[str] = []

    def outcomes(self) -> Outcomes:
        assert self._process.poll() in {None, 0}, "the generator has failed"
        return Outcomes(parse(self._lines()))

    def request_id(self, outcome: Outcome) -> str:
        return f"{self.prefix}{outcome.number:09d}"

    def wait_for(self, count: int) -> None:
        """Until so many more requests than now have ended."""
        wanted = len(self._lines()) + count
        wait_until(lambda: len(self._lines()) >= wanted)

    def stop(self) -> Outcomes:
        """End the schedule, wait for what is on its way, and tell all."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        assert self._process.wait(PATIENCE_SECONDS * 2) == 0, "the generator has failed"
        return self.outcomes()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _lines(self) -> list[str]:
        if self._output.exists():
            with self._output.open("rb") as file:
                file.seek(self._read_bytes)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._read_bytes += len(whole) + len(newline)
            self._outcomes += whole.decode().splitlines()
        return self._outcomes


@contextmanager
def loading(
    directory: Path,
    port: int,
    requests: Sequence[Request],
    *,
    host: str = "127.0.0.1",
    rate: float = 0,
    clients: int = 0,
    connections: int = 2000,
    patience: float = PATIENCE_SECONDS,
    keep: bool = True,
    reads_state: bool = False,
    nice: int = 0,
) -> Iterator[Load]:
    """Send until left: so many a second, or by so many clients that ask again as soon as they are answered.

    `keep`: on kept connections; `reads_state`: read also what answers of 200 say; `nice`: by how much the generator
    yields to others on its core.
    """
    serial = next(_serial)
    output = directory / f"outcomes-{serial}"
    prefix = f"load-{serial}-"
    plan = {
        "host": host,
        "port": port,
        "rate": rate,
        "clients": clients,
        "connections": connections,
        "patience": patience,
        "longest": LONGEST_SECONDS,
        "keep": keep,
        "nice": nice,
        "reads_state": reads_state,
        "prefix": prefix,
        "output": str(output),
        "kinds": [asdict(request) for request in requests],
    }
    # A session of its own: Ctrl-C ends it in order, by the end of its stdin.
    module = "tests.drills.clients" if clients else "tests.drills.generator"
    process = subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(plan)],
        stdin=subprocess.PIPE,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    load = Load(process, output, prefix)
    try:
        yield load
    finally:
        load.kill()


@contextmanager
def probing(directory: Path, management_port: int) -> Iterator[Load]:
    """Ask for liveness and readiness, each every 100 ms, each on a new connection, as the kubelet does."""
    probes = [Request(name, "GET", f"/system/{name}", headers={}) for name in ("live", "ready")]
    with loading(directory, management_port, probes, rate=PROBES_PER_SECOND, keep=False, reads_state=True) as prober:
        yield prober
