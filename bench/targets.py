"""What is measured: the service as it is deployed, and its peers, all on one PostgreSQL, each alone on one core."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
from tests.drills.world import World, make_directory
from tests.support.otlp import collecting
from tests.support.process import Running, clean_environment, free_ports, serving
from tests.support.service import AUTHORIZATION, ITEM
from tests.support.waiting import wait_until

POOL_SIZE = 8
# One request in a hundred is traced, as in production.
TRACED = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}
STOCK, CONTROL, POOLED, FULL, UNCACHED = "stock", "stock again", "on our pool", "full stack", "without Redis"
TARGETS = (STOCK, CONTROL, POOLED, FULL, UNCACHED)


@dataclass(frozen=True)
class Target:
    name: str
    port: int


@contextmanager
def all_targets(world: World, skus: Sequence[str]) -> Iterator[list[Target]]:
    """Every target, ready, with the items in their database; ended when left."""
    with ExitStack() as stack:
        collector = stack.enter_context(collecting())
        service: dict[str, Any] = {"pool_max": POOL_SIZE, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, **TRACED}
        ports, served = {}, []
        for name, settings in ((FULL, world.settings()), (UNCACHED, _without_redis(world))):
            directory = make_directory(world.directory / name.replace(" ", "-"))
            server = stack.enter_context(serving(directory, **settings, **service))
            ports[name] = server.port
            served.append(server.process.pid)
        for sku in skus:
            httpx.put(f"http://127.0.0.1:{ports[FULL]}/inventory/{sku}", json=ITEM, headers=AUTHORIZATION)
        for name, pool in ((STOCK, "plain"), (CONTROL, "plain"), (POOLED, "service")):
            ports[name], pid = stack.enter_context(_peer(world, name, pool))
            served.append(pid)
        _apart(served)
        yield [Target(name, ports[name]) for name in TARGETS]


def _without_redis(world: World) -> dict[str, Any]:
    return {name: value for name, value in world.settings().items() if name != "redis_url"}


@contextmanager
def _peer(world: World, name: str, pool: str) -> Iterator[tuple[int, int]]:
    """One server worker of uvicorn with its defaults, but for its access log, which goes the way of the service's."""
    (port,) = free_ports(1)
    directory = make_directory(world.directory / name.replace(" ", "-"))
    environment = clean_environment({"BENCH_DATABASE_URL": world.database_url, "BENCH_POOL": pool})
    command = [sys.executable, "-m", "uvicorn", "bench.peers:app", "--host", "127.0.0.1", "--port", str(port)]
    running = Running(command, environment, directory)

    def is_ready() -> bool:
        assert running.process.poll() is None, running.stderr
        try:
            return httpx.get(f"http://127.0.0.1:{port}/openapi.json").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(is_ready)
        yield port, running.process.pid
    finally:
        running.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            running.wait(10)
        running.kill_all()


def _apart(servers: Sequence[int]) -> None:
    """Where there are two cores, the servers have one, and PostgreSQL, Redis and the load the other."""
    cores = psutil.Process().cpu_affinity() or []
    if len(cores) < 2:
        return
    own = psutil.Process()
    for process in own.children(recursive=True):
        process.cpu_affinity(cores[1:])
    own.cpu_affinity(cores[1:])
    for pid in servers:
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            process.cpu_affinity(cores[:1])
