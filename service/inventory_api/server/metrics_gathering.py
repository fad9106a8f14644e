"""The metrics of all server workers in one answer, whichever of them is scraped.

Each worker keeps an ordinary registry and gives it to its siblings on a Unix socket; a sibling that does not answer
in time is left out and told by `server_worker_up`. Every sample carries `server_worker`, but for what is of all of
them: when the container began, and its memory.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from prometheus_client import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Exemplar

from inventory_api.server.slot import Slot
from inventory_api.telemetry import cgroup
from inventory_api.telemetry.metrics import (
    CGROUP_MEMORY_LIMIT,
    CGROUP_MEMORY_WORKING_SET,
    SERVER_WORKER_EXITS,
    SERVER_WORKER_UP,
    SERVICE_START,
    Metric,
    Metrics,
)

Found = TypeVar("Found")

ANSWER_SECONDS = 0.2
LABEL = "server_worker"
# When a series began: twice the series for what a restart of the process tells too.
CREATED = "_created"


class MetricsGatherer:
    """Gives this worker's metrics to its siblings, and gathers theirs."""

    def __init__(self, metrics: Metrics, slot: Slot) -> None:
        self._metrics = metrics
        self._slot = slot
        # The event loop would stand still for some 25 ms, and in its common threads names are looked up, which can hang
        # long. It ends with this object, since the management port answers until the very end.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="metrics")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Answer the siblings until left."""
        server = await self._listen()
        try:
            yield
        finally:
            if server is not None:
                server.close()

    async def render(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type: OpenMetrics or Prometheus text, by the Accept header."""
        numbers = self._slot.expected()
        answers = await asyncio.gather(*(self._families(number) for number in numbers))
        encoder, content_type = choose_encoder(accept)
        exits = [*self._slot.exits()]

        def encode() -> bytes:
            gathered = _Gathered()
            gathered.add_exits(exits)
            gathered.add_once(SERVICE_START, self._slot.began)
            if memory := cgroup.memory():
                gathered.add_once(CGROUP_MEMORY_WORKING_SET, memory.working_set)
                gathered.add_once(CGROUP_MEMORY_LIMIT, memory.limit)
            for number, families in zip(numbers, answers, strict=True):
                gathered.add(number, families)
            return bytes(encoder(gathered))

        return await self._in_thread(encode), content_type

    async def _in_thread(self, work: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _dumped(self) -> list[Any]:
        return _dump(self._metrics.registry.collect())

    async def _families(self, number: int) -> list[Any] | None:
        if number == self._slot.number:
            return await self._in_thread(self._dumped)
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._slot.socket(number))
                try:
                    return list(json.loads(await reader.read()))
                finally:
                    writer.close()
        return None

    async def _listen(self) -> asyncio.Server | None:
        path = self._slot.socket(self._slot.number)
        if path is None:
            return None
        path.unlink(missing_ok=True)
        return await asyncio.start_unix_server(self._answer, path)

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(await self._in_thread(lambda: json.dumps(self._dumped()).encode()))
            await writer.drain()
        writer.close()


class _Gathered:
    """The families of all workers, as an encoder reads a registry."""

    def __init__(self) -> None:
        self._up = Family(SERVER_WORKER_UP.name, SERVER_WORKER_UP.help, "gauge")
        # Kept by the supervisor, so that the end of a server worker is not the end of its count.
        self._exits = Family(SERVER_WORKER_EXITS.name.removesuffix("_total"), SERVER_WORKER_EXITS.help, "counter")
        self._families: dict[str, Family] = {}

    def add_exits(self, exits: Iterable[tuple[int, str, int]]) -> None:
        for number, reason, count in exits:
            labels = {"reason": reason, LABEL: str(number)}
            self._exits.add_sample(SERVER_WORKER_EXITS.name, labels, float(count))

    def add_once(self, metric: Metric, value: float) -> None:
        """What is of the container."""
        family = self._families[metric.name] = Family(metric.name, metric.help, metric.kind)
        family.add_sample(metric.name, {}, float(value))

    def add(self, number: int, families: list[Any] | None) -> None:
        self._up.add_sample(SERVER_WORKER_UP.name, {LABEL: str(number)}, 0.0 if families is None else 1.0)
        for name, help_, kind, unit, samples in families or ():
            family = self._families.setdefault(name, Family(name, help_, kind, unit))
            for sample_name, labels, value, timestamp, exemplar in samples:
                found = Exemplar(*exemplar) if exemplar else None
                family.add_sample(sample_name, {**labels, LABEL: str(number)}, value, timestamp, found)

    def collect(self) -> Iterable[Family]:
        return [self._up, self._exits, *self._families.values()]


def _dump(families: Iterable[Family]) -> list[Any]:
    return [
        [
            family.name,
            family.documentation,
            family.type,
            family.unit,
            [_dump_sample(sample) for sample in family.samples if not sample.name.endswith(CREATED)],
        ]
        for family in families
    ]


def _dump_sample(sample: Any) -> list[Any]:
    exemplar = sample.exemplar
    return [
        sample.name,
        sample.labels,
        sample.value,
        sample.timestamp,
        [exemplar.labels, exemplar.value, exemplar.timestamp] if exemplar else None,
    ]
