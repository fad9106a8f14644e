"""A real collector with the Jaeger and the Loki that it writes to, as `make observe` starts them."""

import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from observability.stack.programs import Ports, Program, found

from tests.support.process import Running, is_free
from tests.support.waiting import wait_until

NEEDED = ("otelcol", "jaeger", "loki")
NAMES = ("Jaeger", "Loki", "OpenTelemetry Collector")
PORTS = ("collector", "jaeger", "jaeger_otlp", "loki", "loki_other")


def missing() -> list[str]:
    """Which programs are not on PATH."""
    return [name for name in NEEDED if shutil.which(name) is None]


@dataclass(frozen=True)
class Stores:
    """Their addresses."""

    collector: str
    jaeger: str
    loki: str

    def send(self, spans: list[dict[str, Any]]) -> None:
        """Spans to the collector, by OTLP."""
        name = {"key": "service.name", "value": {"stringValue": "inventory-api"}}
        document = {"resourceSpans": [{"resource": {"attributes": [name]}, "scopeSpans": [{"spans": spans}]}]}
        httpx.post(f"{self.collector}/v1/traces", json=document).raise_for_status()

    def trace(self, trace_id: str) -> str:
        """What Jaeger has of it, as its API writes it; empty where it has nothing."""
        answer = httpx.get(f"{self.jaeger}/api/v3/traces/{trace_id}")
        return answer.text if answer.status_code == 200 else ""

    def lines(self, containing: str) -> list[str]:
        """What Loki has."""
        query = {"query": f'{{service_name="inventory-api"}} |= "{containing}"', "since": "1h"}
        answer = httpx.get(f"{self.loki}/loki/api/v1/query_range", params=query).raise_for_status().json()
        return [value[1] for stream in answer["data"]["result"] for value in stream["values"]]


@contextmanager
def stores(directory: Path, log_files: Path, **environment: str) -> Iterator[Stores]:
    """Started, until left; the collector reads these log files, and has this environment."""
    ports = Ports(free_offset())
    programs = {one.name: one for one in found(directory, ports, log_files) if isinstance(one, Program)}
    with ExitStack() as stack:
        for name in NAMES:
            _start(stack, programs[name], directory / name, environment)
        yield Stores(ports.url("collector"), ports.url("jaeger"), ports.url("loki"))


def _start(stack: ExitStack, program: Program, directory: Path, environment: dict[str, str]) -> None:
    directory.mkdir()
    # Others are tested meanwhile, some of them by the clock.
    running = Running(["nice", *program.command], {**os.environ, **program.environment, **environment}, directory)
    stack.callback(running.kill_all)
    wait_until(lambda: _answers(program.ready, program.ready_status), 90)


def _answers(url: str, status: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url).status_code == status
    return False


def free_offset() -> int:
    """By which every port is one that nobody listens on, and that the system gives to nobody."""
    while True:
        offset = random.randrange(5_000, 15_000)  # noqa: S311 -- hides nothing
        if all(is_free(Ports(offset).number(name)) for name in PORTS):
            return offset


def span(trace_id: str, name: str, milliseconds: int, *, kind: int = 2, status: int = 0, **more: Any) -> dict[str, Any]:
    """As OTLP has it, of the last minute; `more` are attributes of text."""
    start = time.time_ns() - 60_000_000_000
    values = [{"key": key, "value": {"stringValue": value}} for key, value in more.items()]
    return {
        "traceId": trace_id,
        "spanId": f"{random.getrandbits(64):016x}",
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + milliseconds * 1_000_000),
        "status": {"code": status},
        "attributes": values,
    }


def log_line(request_id: str, message: str, **more: str) -> str:
    """Of now."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000Z"
    line = {"timestamp": moment, "level": "info", "service": "inventory-api", "message": message, "logger": "test"}
    return json.dumps({**line, "request_id": request_id, **more}) + "\n"
