"""Orders and reservations while all that serves them is killed: nothing is sold twice, nothing is lost."""

import asyncio
import itertools
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import httpx
import psutil
import pytest

from tests.support.database import UNBALANCED
from tests.support.process import Server
from tests.support.selling import UNACCOUNTED
from tests.support.service import AUTHORIZATION, ITEM
from tests.support.waiting import wait_until

from .drill import Drill, all_up
from .faults import stopped
from .partners import Partner, partners, subscribe
from .queueing import TO_PARTNERS, WAITING, Queue, queue_workers

SKUS = [f"HOT-{number}" for number in range(5)]
CLIENTS, WORKERS, POOL = 64, 2, 16
# As many as a third of what is asked for.
SHARE_ON_HAND = 3
RESTOCK_EACH = 10
KILL_SECONDS = 2.0
PATIENCE_SECONDS = 30.0
TRANSIENT = {"OVERLOADED", "DEPENDENCY_UNAVAILABLE", "NOT_READY", "DEADLINE_EXCEEDED", "IDEMPOTENCY_IN_PROGRESS"}
VERSIONS = "SELECT sku, version FROM stock_level"
DEAD = "SELECT count(*) FROM pgqueuer WHERE status = 'failed'"
ORDERS = "SELECT id, external_ref FROM sales_order"
ON_HAND = "SELECT sku, on_hand FROM stock_level"
OVERSOLD = "SELECT sku FROM stock_level WHERE reserved > on_hand OR on_hand < 0"
SOLD = """
SELECT sku, sum(quantity)::int FROM sales_order_line JOIN sales_order ON id = order_id
WHERE status <> 'cancelled' GROUP BY sku
"""


@dataclass
class Tally:
    """What clients know in the end."""

    orders: dict[str, str] = field(default_factory=dict)  # the id that each key was answered by
    refused: Counter[str] = field(default_factory=Counter)
    restocked: int = 0
    sent_again: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)


def test_what_serves_is_killed_while_many_order_a_little(drill: Drill) -> None:
    """64 clients, 5 items, 3,000 attempts, holds that expire; a worker or PostgreSQL ends every 2 s"""
    _sell(drill, 3_000)


@pytest.mark.thorough
def test_what_serves_is_killed_while_very_many_order_a_little(drill: Drill) -> None:
    """64 clients, 5 items, 100,000 attempts, holds that expire; a worker or PostgreSQL ends every 2 s"""
    _sell(drill, 100_000)


def _sell(drill: Drill, attempts: int) -> None:
    settings: dict[str, Any] = {
        "workers": WORKERS,
        "pool_max": POOL,
        "pool_acquire_timeout": 2,
        "max_in_flight": 2 * CLIENTS,
    }
    server = drill.serve(**settings, webhook_loopback="true")
    on_hand = attempts // len(SKUS) // SHARE_ON_HAND
    with partners() as there:
        partner = there.add(bodies=True)
        subscribe(server, partner, "order.created", "inventory.level.changed")
        for sku in SKUS:
            item = {**ITEM, "quantity": on_hand}
            httpx.put(f"{server.api}/inventory/{sku}", json=item, headers=AUTHORIZATION).raise_for_status()
        with queue_workers(drill, 2, **TO_PARTNERS) as queue, _killing(drill, server, queue) as killed:
            tally = asyncio.run(_attempt_all(server.api, attempts))
        wait_until(lambda: all_up(server, WORKERS))
        with queue_workers(drill, 1, **TO_PARTNERS):
            wait_until(lambda: drill.world.fetch(WAITING)[0][0] == 0, 600)
    _claim(drill, tally, partner, on_hand)
    drill.report.say(f"ended: {dict(killed)}; sent again: {dict(tally.sent_again)}; refused: {dict(tally.refused)}")
    drill.report.verdict()


def _claim(drill: Drill, tally: Tally, partner: Partner, on_hand: int) -> None:
    world, report = drill.world, drill.report
    report.claim("nothing but what is documented is answered", not tally.unexpected, tally.unexpected[:3] or "")
    made = {str(row["external_ref"]): str(row["id"]) for row in world.fetch(ORDERS)}
    report.claim("there is one order for each key that was answered by one", made == tally.orders, len(made))
    sold = dict(world.fetch(SOLD))
    there = {str(row["sku"]): int(row["on_hand"]) for row in world.fetch(ON_HAND)}
    came = sum(there.values()) == on_hand * len(SKUS) + tally.restocked
    report.claim("what came in is there, once", came, tally.restocked)
    oversold = [sku for sku, count in sold.items() if count > there[sku]]
    report.claim("0 oversold", world.fetch(OVERSOLD) == [] and oversold == [], sold)
    report.claim("every level equals its ledger", world.fetch(UNBALANCED) == [])
    report.claim("all that is reserved is somebody's", world.fetch(UNACCOUNTED) == [])
    told = Counter(body["data"]["id"] for body in partner.bodies if body["type"] == "order.created")
    report.claim("each order is told of, and nothing else", told.keys() == set(made.values()), len(told))
    changes = [body["data"] for body in partner.bodies if body["type"] == "inventory.level.changed"]
    versions = Counter((change["sku"], change["version"]) for change in changes)
    made_versions = {(sku, version) for sku, last in world.fetch(VERSIONS) for version in range(2, last + 1)}
    report.claim("each version of each level is told of", versions.keys() == made_versions, len(versions))
    again = sum(count > 1 for count in (*told.values(), *versions.values()))
    report.say(f"told more than once: {again}")
    report.claim("under the same id", len({*partner.taken}) == len(told) + len(versions), len({*partner.taken}))
    dead = world.fetch(DEAD)[0][0]
    report.claim("no dead letter", dead == 0, dead)


@contextmanager
def _killing(drill: Drill, server: Server, queue: Queue) -> Iterator[Counter[str]]:
    """By turns."""
    ended, killed = Event(), Counter[str]()

    def end_server_worker() -> None:
        random.choice(server.server_workers()).kill()  # noqa: S311 -- hides nothing

    def crash_postgresql() -> None:
        # One session that is killed has PostgreSQL end all others, and recover from its log.
        drill.world.postgres_process().children()[-1].kill()

    def restart_postgresql() -> None:
        with stopped(drill.world.postgres):
            pass

    turns = {
        "server workers": end_server_worker,
        "queue workers": queue.kill_one,
        "crashes of PostgreSQL": crash_postgresql,
        "server workers again": end_server_worker,
        "restarts of PostgreSQL": restart_postgresql,
    }

    def kill() -> None:
        for name, end in itertools.cycle(turns.items()):
            if ended.wait(KILL_SECONDS):
                return
            with suppress(psutil.NoSuchProcess, IndexError):
                end()
                killed[name] += 1

    thread = Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


async def _attempt_all(api: str, attempts: int) -> Tally:
    tally, numbers = Tally(), iter(range(attempts))

    async def client() -> None:
        async with httpx.AsyncClient(base_url=api, headers=AUTHORIZATION, timeout=PATIENCE_SECONDS) as connected:
            for number in numbers:
                await _attempt(connected, number, tally)

    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(client())
    return tally


async def _attempt(client: httpx.AsyncClient, number: int, tally: Tally) -> None:
    """An order of one to three lines, of which two may be of one item; each fourth by way of a hold of one second.

    Now and then one comes in, so that what there is differs from what it was before the turn was waited for.
    """
    if number % RESTOCK_EACH == 0:
        found = {"lines": [{"sku": SKUS[number // RESTOCK_EACH % 5], "delta": 1, "reason": "found"}]}
        added = await _send(client, "/inventory/adjustments", found, tally)
        tally.restocked += added.status_code == 201
    chosen = [SKUS[number % 5], SKUS[number * 7 % 5], SKUS[number % 5]][: 1 + number % 3]
    lines = [{"sku": sku, "quantity": 1} for sku in chosen]
    body: dict[str, Any] = {"external_ref": str(uuid.uuid4()), "lines": lines}
    if number % 4 == 0:
        held = await _send(client, "/reservations", {"lines": lines, "ttl_seconds": 1}, tally)
        if held.status_code != 201:
            _refused(held, tally)
            return
        if number % 8 == 0:
            return  # It is left to expire.
        body = {"external_ref": body["external_ref"], "reservation_id": held.json()["id"]}
    answer = await _send(client, "/orders", body, tally)
    if answer.status_code == 201:
        tally.orders[body["external_ref"]] = answer.json()["id"]
    else:
        _refused(answer, tally)


def _refused(answer: httpx.Response, tally: Tally) -> None:
    kind = answer.json()["error"]["type"]
    tally.refused[kind] += 1
    if kind not in {"INSUFFICIENT_STOCK", "RESERVATION_EXPIRED"}:
        tally.unexpected.append(answer.text)


async def _send(client: httpx.AsyncClient, path: str, body: dict[str, Any], tally: Tally) -> httpx.Response:
    """Under one key, until there is an answer that is one."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    while True:
        try:
            answer = await client.post(path, json=body, headers=headers)
        except httpx.TransportError as error:
            tally.sent_again[type(error).__name__] += 1
        else:
            kind = answer.json()["error"]["type"] if answer.is_error else ""
            if kind not in TRANSIENT:
                return answer
            tally.sent_again[kind] += 1
        await asyncio.sleep(random.uniform(0.02, 0.1))  # noqa: S311 -- spreads, hides nothing
