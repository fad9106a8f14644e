"""A quarter of an hour of the service as a Prometheus sees it: two server workers, a queue worker, mixed load, faults.

The rules have their windows as they are shipped.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.drills import traffic
from tests.drills.drill import Drill
from tests.drills.faults import frozen, stopped
from tests.drills.partners import Partner, fails, partners, subscribe, takes
from tests.drills.queueing import queue_workers
from tests.drills.world import make_directory
from tests.support.otlp import collecting
from tests.support.process import Server
from tests.support.prometheus import Target, prometheus
from tests.support.waiting import let_pass

from observability import rules

NAMESPACE, RELEASE = "shop", "inventory"
SCRAPE_INTERVAL = "5s"
# Requests/s: as always, of a crowd, and of one key that may not have so many.
RATE, CROWD, GREED = 20.0, 40.0, 75.0
RATE_LIMIT = "50/second"
# Until rates are of full windows.
WARM_UP_SECONDS = 120
CALM_SECONDS = 100
SERVER: dict[str, Any] = {
    "memory": 2**30,
    "workers": 2,
    "rate_limit": RATE_LIMIT,
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0.05",
}
VERIFY = "INSERT INTO pgqueuer (entrypoint, priority, headers, status) VALUES ('ledger_verify', 0, '{}', 'queued')"


@dataclass(frozen=True)
class Seen:
    """By the Prometheus at that URL, between these times in seconds since 1970."""

    url: str
    began: float
    ended: float


@contextmanager
def played(data: Path) -> Iterator[Seen]:
    """All of it has been, and the processes still run; until left. Prometheus leaves what it has seen in `data`."""
    with ExitStack() as stack:
        drill = Drill("pictures of the dashboards", stack, judges_times=False)
        world = drill.world
        storage, configuration = (make_directory(world.directory / name) for name in ("storage", "prometheus"))
        shared: dict[str, Any] = {"storage_url": f"file://{storage}", "webhook_loopback": "true"}
        traces, there = stack.enter_context(collecting()), stack.enter_context(partners())
        queue = stack.enter_context(queue_workers(drill, 1, redis_url=world.redis.url, **shared))
        keys = traffic.keys(world.directory / "several-keys.json")
        server = drill.serve(**SERVER, **shared, api_keys_file=keys, OTEL_EXPORTER_OTLP_ENDPOINT=traces.endpoint)
        targets = [
            Target(server.management, NAMESPACE, "inventory-0"),
            Target(queue.alive[0].management, NAMESPACE, "inventory-worker-0"),
        ]
        written = rules.render(rules.Options(NAMESPACE, RELEASE))
        watching = stack.enter_context(prometheus(configuration, targets, written, data, SCRAPE_INTERVAL))
        well, unwell = there.add(), there.add()
        for partner in (well, unwell):
            subscribe(server, partner, "order.created")
        began = time.time() + WARM_UP_SECONDS
        _play(drill, server, unwell, storage)
        yield Seen(watching.url, began, time.time())


def _play(drill: Drill, server: Server, partner: Partner, storage: Path) -> None:
    """Each fault between two calms."""
    skus = traffic.stock(server, 5)
    drill.world.fetch(VERIFY)

    def phase(what: str, seconds: float, rate: float = RATE) -> None:
        print(f"{seconds:3.0f} s: {what}", flush=True)
        load = drill.load(server, traffic.requests(skus), rate=rate)
        let_pass(seconds)
        load.stop()

    def calm() -> None:
        traffic.files(server, skus[0], storage)
        phase("as always", CALM_SECONDS)

    phase("to warm up", WARM_UP_SECONDS)
    calm()
    with _failing(partner):
        phase("a partner fails", 60)
    calm()
    with stopped(drill.world.redis):
        phase("Redis is stopped", 40)
    calm()
    with frozen(drill.world.postgres_process()):
        phase("PostgreSQL is frozen", 6)
    calm()
    greedy = drill.load(server, traffic.greedy(), rate=GREED)
    phase("a crowd comes, and one asks too often", 30, CROWD)
    greedy.stop()
    calm()
    server.server_workers()[0].kill()
    phase("a server worker was killed", 60)
    calm()


@contextmanager
def _failing(partner: Partner) -> Iterator[None]:
    partner.behaviour = fails
    try:
        yield
    finally:
        partner.behaviour = takes
