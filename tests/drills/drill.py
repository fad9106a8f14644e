"""One drill: its world, the service, the load on it, and what was seen. Whatever it starts ends with it."""

import itertools
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.support.memory_limit import can_limit_memory, memory_group
from tests.support.process import SERVE, Server, serving
from tests.support.proxy import Proxy, proxying

from .load import Load, Request, loading, mixed, probing
from .outcomes import Timeline
from .report import Report
from .world import World, make_directory, own_world


class Drill:
    """See the package's docstring for how one is written."""

    def __init__(self, title: str, stack: ExitStack, *, judges_times: bool) -> None:
        self.report = Report(title, judges_times=judges_times)
        self.timeline = Timeline()
        self.world: World = stack.enter_context(own_world())
        self._stack = stack
        self._serial = itertools.count()

    def serve(self, *, ready: bool = True, memory: int = 0, **settings: Any) -> Server:
        """`inventory-api serve` on this drill's servers; `settings` by the names of docs/settings.md, lower case.

        `memory`: how many bytes it may use, where that can be limited.
        """
        command: Sequence[str] = SERVE
        if memory and can_limit_memory():
            group = self._stack.enter_context(memory_group())
            group.limit(memory)
            command = group.command(command)
        directory = make_directory(self.world.directory / f"service-{next(self._serial)}")
        settings = {**self.world.settings(), **settings}
        return self._stack.enter_context(serving(directory, ready=ready, command=command, **settings))

    def add_items(self, server: Server, count: int = 10) -> list[str]:
        """Items to read and to patch; tells their skus."""
        skus = [f"A-{number}" for number in range(count)]
        for sku in skus:
            server.put(sku).raise_for_status()
        return skus

    def load(self, server: Server, requests: Sequence[Request], **options: Any) -> Load:
        """Send from now on; see `loading`."""
        return self._stack.enter_context(loading(self.world.directory, server.port, requests, **options))

    def mixed_load(self, server: Server, *, rate: float) -> Load:
        """Reads, patches and new items, on items that this makes."""
        return self.load(server, mixed(self.add_items(server)), rate=rate)

    def probe(self, server: Server) -> Load:
        """Ask for liveness and readiness from now on."""
        return self._stack.enter_context(probing(self.world.directory, server.management_port))

    def proxy(self, url: str) -> Proxy:
        """A network before a server of this drill's world, to be cut; the service is given the proxy's URL."""
        return self._stack.enter_context(proxying(url))


def metric(server: Server, name: str, **labels: str) -> float:
    """The sum over all server workers of the samples with that name and those labels."""
    samples = [sample for family in text_string_to_metric_families(server.metrics()) for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())


def all_up(server: Server, workers: int) -> bool:
    """Whether so many server workers give their metrics; for as long as one is not heard, not."""
    with suppress(httpx.HTTPError):
        return metric(server, "server_worker_up") == workers
    return False


def identities(processes: Sequence[psutil.Process]) -> set[tuple[int, float]]:
    """Equal as long as none of them was replaced."""
    return {(process.pid, process.create_time()) for process in processes}
