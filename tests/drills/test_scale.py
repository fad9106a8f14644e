"""A million items and ten million movements: lists read no more than they show, and reads are no slower."""

import asyncio
import random
import statistics
import time
from collections import Counter
from typing import Any

import asyncpg
import pytest

from inventory_api.database.migrate import migrate
from tests.support.database import execute
from tests.support.filling import fill, sku
from tests.support.plans import MOST_READ, explain, lists, rows_read, scans
from tests.support.process import Server
from tests.support.service import AUTHORIZATION
from tests.support.waiting import let_pass

from .drill import Drill
from .load import Request
from .outcomes import Outcomes
from .report import milliseconds

FEW, MANY = 1_000, 1_000_000
RARE_EACH = 10_000
ROUNDS, ROUND_SECONDS, RATE = 9, 4, 150
SKUS = 300
# Past the read cache, which would answer the same of both.
PAST_CACHE = {**AUTHORIZATION, "Cache-Control": "no-cache"}
MOST_GROWTH = 1.2
FILL_SECONDS = 1500


@pytest.mark.thorough
@pytest.mark.timeout(2 * FILL_SECONDS)
def test_a_million_items(drill: Drill) -> None:
    """1,000,000 items and 10,000,000 movements, beside 1,000 and 10,000"""
    report = drill.report
    many = asyncio.run(_filled(drill, "many", MANY, RARE_EACH))
    few = asyncio.run(_filled(drill, "few", FEW, FEW // 10))
    for name, plan in asyncio.run(_plans(many)).items():
        claim = f"{name}: {scans(plan)}"
        report.claim(claim, rows_read(plan) <= MOST_READ and "Seq Scan" not in scans(plan), f"{rows_read(plan)} rows")
    servers = {"few": (drill.serve(database_url=few), FEW), "many": (drill.serve(database_url=many), MANY)}
    for what, path in (("an item", "/inventory/{}"), ("its movements", "/inventory/{}/movements?limit=10")):
        _claim_latency(drill, servers, what, path)
    report.verdict()


def _claim_latency(drill: Drill, servers: dict[str, tuple[Server, int]], what: str, path: str) -> None:
    """By turns, so that whatever else the machine does is done to both."""
    found: dict[str, list[float]] = {name: [] for name in servers}
    labels = Counter[str]()
    for turn in range(ROUNDS + 1):
        for name, (server, count) in servers.items():
            outcomes = _outcomes(drill, server, count, path)
            labels += outcomes.labels()
            if turn:  # The first one warms.
                found[name].append(outcomes.percentile(99))
    drill.report.claim(f"GET of {what}: every request is answered", set(labels) == {"200"}, dict(labels))
    growth = statistics.median(many / few for few, many in zip(found["few"], found["many"], strict=True))
    medians = ", ".join(f"{name} {milliseconds(statistics.median(p99s))}" for name, p99s in found.items())
    drill.report.measure(f"GET of {what}: p99 grows by at most 20 %", growth <= MOST_GROWTH, f"{growth:.2f}, {medians}")


def _outcomes(drill: Drill, server: Server, count: int, path: str) -> Outcomes:
    chosen = random.sample(range(1, count + 1), SKUS)
    requests = [Request("GET", "GET", path.format(sku(number)), headers=PAST_CACHE) for number in chosen]
    load = drill.load(server, requests, rate=RATE)
    let_pass(ROUND_SECONDS)
    return load.stop()


async def _filled(drill: Drill, name: str, items: int, rare_each: int) -> str:
    """A migrated database with so many of them."""
    url = drill.world.postgres.url(name)
    await execute(drill.world.postgres.url(), f"CREATE DATABASE {name}")
    await migrate(lambda: url, wait_seconds=30)
    connection = await asyncpg.connect(url)
    begun = time.monotonic()
    async for what in fill(connection, items, rare_each):
        print(f"{name}: {what} ({milliseconds(time.monotonic() - begun)})", flush=True)
    made = await connection.fetchval("SELECT count(*) FROM item")
    moved = await connection.fetchval("SELECT count(*) FROM stock_movement")
    await connection.close()
    drill.report.say(f"{name}: {made:,} items, {moved:,} movements")
    return url


async def _plans(url: str) -> dict[str, dict[str, Any]]:
    connection = await asyncpg.connect(url)
    found = {name: await explain(connection, *page) for name, page in lists(MANY).items()}
    await connection.close()
    return found
