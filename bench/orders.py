"""`make bench-orders`: what orders and jobs cost, each beside what it is to be set against."""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import httpx
from tests.drills.load import Request
from tests.drills.outcomes import Outcomes
from tests.drills.world import World, make_directory, own_world
from tests.support.process import Server, serving
from tests.support.queue_worker import Worker
from tests.support.service import AUTHORIZATION, ITEM
from tests.support.waiting import wait_until

from . import raw_orders
from .measuring import CLIENTS, capacity, latency
from .report import median_ratio
from .targets import Target

HOT = ["HOT"]
SPREAD = [f"A-{number}" for number in range(100)]
ENOUGH = 2_000_000
BACKLOG, JOBS = 20_000, 4_000
# Of orders a second: one that this machine serves with time to spare, while a queue worker has its share.
RATE = 100
LEFT = "SELECT count(*) FROM pgqueuer"
ADD = """
INSERT INTO pgqueuer (entrypoint, priority, payload, headers, status, execute_after)
SELECT 'event', 0, convert_to(event, 'UTF8'), '{}', 'queued', now() + interval '1 second' * $2::integer
FROM generate_series(1, $1::integer) AS n,
     format('[{"id": "%s", "type": "order.created", "timestamp": "2026-03-01T08:00:00Z", "data": {}}]',
            gen_random_uuid()) AS event
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-orders")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--jobs", type=int, default=JOBS)
    options = parser.parse_args()
    with own_world() as world, ExitStack() as stack:
        server = stack.enter_context(_serving(world))
        _say(f"orders, {CLIENTS} connections or clients, medians of {options.rounds} rounds of {options.seconds:g} s:")
        _rates(world, server, options.rounds, options.seconds)
        _say("\nlatency of orders with a queue that is worked on, and one that is not:")
        _latencies(world, server, options.rounds, options.seconds)
        _say(f"\n{options.jobs} jobs that each write a line, by so many queue workers:")
        for count in (1, 2, 4):
            _say(f"  {count}: {_jobs_a_second(world, count, options.jobs):.0f} jobs/s")
    return 0


@contextmanager
def _serving(world: World) -> Iterator[Server]:
    settings = {**world.settings(), "workers": 2, "pool_max": CLIENTS // 2, "pool_acquire_timeout": 5}
    with serving(make_directory(world.directory / "server"), **settings) as server:
        for sku in (*HOT, *SPREAD):
            item = {**ITEM, "quantity": ENOUGH}
            httpx.put(f"{server.api}/inventory/{sku}", json=item, headers=AUTHORIZATION).raise_for_status()
        yield server


def _rates(world: World, server: Server, rounds: int, seconds: float) -> None:
    """By turns, and each as a ratio to the others of its round."""

    def raw(sale: raw_orders.Sale, skus: Sequence[str]) -> float:
        return asyncio.run(raw_orders.rate(world.database_url, sale, skus, CLIENTS, seconds))

    target = Target("the service", server.port)
    measured: dict[str, Callable[[], float]] = {
        "one statement, one item": partial(raw, raw_orders.guarded_update, HOT),
        "same statements, one item": partial(raw, raw_orders.same_statements, HOT),
        "same statements, many items": partial(raw, raw_orders.same_statements, SPREAD),
        "without the job, many items": partial(raw, raw_orders.without_job, SPREAD),
        "service, one item": lambda: capacity(world.directory, target, _orders(HOT), seconds),
        "service, many items": lambda: capacity(world.directory, target, _orders(SPREAD), seconds),
    }
    found: Mapping[str, list[float]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, measure in measured.items():
            found[name].append(measure())
    for name, values in found.items():
        _say(f"  {name:28} {statistics.median(values):5.0f}/s ({min(values):.0f} to {max(values):.0f})")
    for name, other in (
        ("service, one item", "one statement, one item"),
        ("service, one item", "same statements, one item"),
        ("service, one item", "service, many items"),
        ("same statements, many items", "without the job, many items"),
    ):
        _say(f"  {name} / {other}: {median_ratio(found[name], found[other]):.2f}")


def _latencies(world: World, server: Server, rounds: int, seconds: float) -> None:
    """Nobody works on the queue while it grows, from a backlog that is there already; then a worker does."""

    def measure() -> Outcomes:
        return latency(world.directory, Target("the service", server.port), _orders(SPREAD), RATE, seconds)

    found: dict[str, Outcomes] = {"healthy": Outcomes(), "stalled": Outcomes()}
    for _ in range(rounds):
        world.fetch("DELETE FROM pgqueuer")
        with _queue_workers(world, 1):
            found["healthy"] = Outcomes((*found["healthy"], *measure()))
        world.fetch(ADD, BACKLOG, 0)
        found["stalled"] = Outcomes((*found["stalled"], *measure()))
    for name, outcomes in found.items():
        _say(f"  {name}: p50 {outcomes.percentile(50) * 1000:.2f} ms, p99 {outcomes.percentile(99) * 1000:.2f} ms")
    for percentile in (50, 99):
        ratio = found["stalled"].percentile(percentile) / found["healthy"].percentile(percentile)
        _say(f"  p{percentile}, stalled / healthy: {ratio:.2f}")


def _jobs_a_second(world: World, count: int, jobs: int) -> float:
    """From the first that is gone to the last; the workers are ready before there is any."""
    world.fetch("DELETE FROM pgqueuer")
    with _queue_workers(world, count):
        world.fetch(ADD, jobs, 2)
        wait_until(lambda: _left(world) < jobs, 30)
        begun, there = time.monotonic(), _left(world)
        wait_until(lambda: _left(world) == 0, 600)
        return there / (time.monotonic() - begun)


@contextmanager
def _queue_workers(world: World, count: int) -> Iterator[None]:
    workers: list[Worker] = []
    try:
        for number in range(count):
            directory = make_directory(world.directory / f"queue-{time.monotonic_ns()}-{number}")
            workers.append(Worker(directory, world.database_url))
        wait_until(lambda: all(worker.says("ready") == 200 for worker in workers), 60)
        yield
    finally:
        for worker in workers:
            worker.kill_all()


def _left(world: World) -> int:
    return int(world.fetch(LEFT)[0][0])


def _orders(skus: Sequence[str]) -> list[Request]:
    headers = {**AUTHORIZATION, "Idempotency-Key": f"{time.monotonic_ns()}-{{n}}"}
    bodies = [json.dumps({"lines": [{"sku": sku, "quantity": 1}]}) for sku in skus]
    return [Request("POST", "POST", "/orders", body, headers=headers) for body in bodies]


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
