"""What runs while alerts are drilled: the service, its queue worker, their servers, a collector, partners, clients."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.drills.partners import Partner, Partners, partners
from tests.drills.world import World, make_directory, own_world
from tests.support.otlp import collecting
from tests.support.process import SERVE, Server, serving
from tests.support.queue_worker import Worker
from tests.support.service import AUTHORIZATION, ITEM
from tests.support.waiting import wait_until

from .clients import SKUS, Clients
from .watching import Watch, watching

STOCK = 1_000_000
WORKERS, POOL = 2, 8
# A webhook that fails is tried again and again.
DELAYS = ",".join(["0", *["1"] * 29])
API, QUEUE_WORKER = "api", "worker"


class Scene:
    def __init__(self, world: World, watch: Watch, server: Server, worker: Worker, clients: Clients) -> None:
        self.world = world
        self.watch = watch
        self.server = server
        self.worker = worker
        self.clients = clients
        self.collector_answers = 200
        self.partners: Partners
        self.partner: Partner
        self._storage = world.directory / "storage"
        self._targets = {API: server.management, QUEUE_WORKER: worker.management}
        watch.scrape(self._targets)

    @property
    def storage(self) -> Path:
        return self._storage

    @contextmanager
    def another(self, name: str, command: Sequence[str] = SERVE, **settings: Any) -> Iterator[Server]:
        """One more server worker on the same servers, as a pod of its own that is scraped."""
        directory = make_directory(self.world.directory / name)
        with serving(directory, command=command, **{**self.world.settings(), "pool_max": 1, **settings}) as server:
            self._targets[name] = server.management
            self.watch.scrape(self._targets)
            try:
                yield server
            finally:
                del self._targets[name]
                self.watch.scrape(self._targets)

    def sql(self, statement: str, *arguments: object) -> list[Any]:
        return self.world.fetch(statement, *arguments)

    def state_of(self, expression: str) -> float | None:
        """The value of the only sample; nothing where there is none."""
        found = self.watch.query(expression)
        return float(found[0]["value"][1]) if found else None


@contextmanager
def playing() -> Iterator[Scene]:
    """Everything runs, and is well, within the block."""
    with ExitStack() as stack:
        world = stack.enter_context(own_world())
        storage = make_directory(world.directory / "storage")
        scenes: list[Scene] = []
        collector = stack.enter_context(collecting(lambda: scenes[0].collector_answers if scenes else 200))
        shared = {
            "storage_url": f"file://{storage}",
            "webhook_loopback": "true",
            "webhook_delays": DELAYS,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        }
        settings = {**world.settings(), **shared, "workers": WORKERS, "pool_max": POOL}
        server = stack.enter_context(serving(make_directory(world.directory / "service"), **settings))
        worker = _queue_worker(stack, world, shared)
        for sku in SKUS:
            server_put(server, sku)
        clients = Clients(server.api, world.database_url)
        watch = stack.enter_context(watching(make_directory(world.directory / "watching")))
        scene = Scene(world, watch, server, worker, clients)
        scenes.append(scene)
        scene.partners = stack.enter_context(partners())
        stack.callback(clients.end)
        clients.start()
        wait_until(lambda: scene.state_of('count(up{namespace="drill"} == 1)') == 2)
        yield scene


def server_put(server: Server, sku: str) -> None:
    httpx.put(
        f"{server.api}/inventory/{sku}", json={**ITEM, "quantity": STOCK}, headers=AUTHORIZATION
    ).raise_for_status()


def _queue_worker(stack: ExitStack, world: World, shared: dict[str, Any]) -> Worker:
    more = {name: value for name, value in shared.items() if not name.startswith("OTEL_")}
    worker = Worker(make_directory(world.directory / "queue"), world.database_url, job_heartbeat=2, **more)
    stack.callback(worker.kill_all)
    wait_until(lambda: worker.says("ready") == 200, 60)
    return worker
