"""Many clients want more of one item than there is: exactly what fits is made, in each way of taking it."""

import json
import subprocess
import time
from collections.abc import Sequence

import httpx
import pytest

from tests.support.process import MODULE, Server, clean_environment
from tests.support.service import AUTHORIZATION, ITEM

from . import claims
from .drill import Drill, metric
from .report import milliseconds
from .taking import CLIENTS, Attempt, Tally, patching, posting, take

ON_HAND, ATTEMPTS = 1_000, 2_000
SKU, OTHER = "SCARCE", "EAST"
# With room for all the clients in either server worker.
WORKERS, POOL = 2, CLIENTS // 2


def test_adjustments(drill: Drill) -> None:
    """32 clients take 1,000 in 2,000 adjustments of one each"""
    server = _served(drill)
    line = {"sku": SKU, "delta": -1, "reason": "sold"}
    tally = _taken(drill, server, [posting("adjustments", line)] * ATTEMPTS)
    drill.report.claim("what fits is made", tally.made["adjustments"] == ON_HAND, tally.made["adjustments"])
    drill.report.claim("what does not is refused", len(tally.refused) == ATTEMPTS - ON_HAND, len(tally.refused))
    _claim_exact(drill, server, tally, {"MAIN": 0})


@pytest.mark.thorough
def test_patches(drill: Drill) -> None:
    """32 clients take 1,000 in 2,000 PATCHes to one less than was read, read again on 412"""
    server = _served(drill)
    tally = _taken(drill, server, [patching(SKU)] * ATTEMPTS)
    drill.report.claim("what fits is made", tally.made["patch"] == ON_HAND, tally.made["patch"])
    drill.report.claim("the others find nothing", len(tally.refused) == ATTEMPTS - ON_HAND, len(tally.refused))
    drill.report.claim("stale ones are told so", tally.retries["412"] > 0, tally.retries["412"])
    _claim_exact(drill, server, tally, {"MAIN": 0})


def test_transfers_both_ways(drill: Drill) -> None:
    """32 clients transfer between two locations, two away for one back, until one of them is empty"""
    server = _served(drill)
    away = posting("transfers", {"sku": SKU, "from": "MAIN", "to": OTHER, "quantity": 1})
    back = posting("transfers", {"sku": SKU, "from": OTHER, "to": "MAIN", "quantity": 1})
    # At least 400 have left by the end of the turns, and then 800 want the rest. Each takes one, so that nothing can be
    # left which is too little for all of them.
    tally = _taken(drill, server, [away, back, away] * (ATTEMPTS // 5) + [away] * (ATTEMPTS * 2 // 5))
    kinds = "SELECT kind, sum(on_hand_delta)::int FROM stock_movement WHERE kind LIKE 'transfer%' GROUP BY kind"
    moved = dict(drill.world.fetch(kinds))
    drill.report.claim("what leaves arrives", moved["transfer_in"] == -moved["transfer_out"], moved)
    made, refused = sum(tally.made.values()), len(tally.refused)
    drill.report.claim("each is made or refused", made + refused == ATTEMPTS, f"{made} and {refused}")
    found = sorted({meta["on_hand"] for meta in tally.refused})
    drill.report.claim("only where nothing is there", found == [0], found)
    _claim_exact(drill, server, tally, {"MAIN": 0, OTHER: ON_HAND})


def _served(drill: Drill) -> Server:
    """With 1,000 of the item at MAIN."""
    server = drill.serve(workers=WORKERS, pool_max=POOL, pool_acquire_timeout=2)
    with httpx.Client(base_url=server.api, headers=AUTHORIZATION) as client:
        client.post("/locations", json={"code": OTHER, "name": "East"}).raise_for_status()
        client.put(f"/inventory/{SKU}", json={**ITEM, "quantity": ON_HAND}).raise_for_status()
    return server


def _taken(drill: Drill, server: Server, attempts: Sequence[Attempt]) -> Tally:
    begun = time.monotonic()
    tally, report = take(server.api, attempts), drill.report
    report.say(f"{len(attempts)} attempts by {CLIENTS} clients in {milliseconds(time.monotonic() - begun)}")
    report.claim("nothing else is answered, no 5xx among it", not tally.unexpected, tally.unexpected[:3] or "")
    crowded = tally.retries["no room"]
    report.measure("there is room for all of them", not crowded, crowded)
    return tally


def _claim_exact(drill: Drill, server: Server, tally: Tally, levels: dict[str, int]) -> None:
    report = drill.report
    found = dict(drill.world.fetch("SELECT location, on_hand FROM stock_level WHERE sku = $1", SKU))
    report.claim("that is where it is now", found == levels, found)
    lowest = drill.world.fetch("SELECT min(on_hand) FROM stock_movement")[0][0]
    report.claim("no level was ever below zero", lowest == 0, lowest)
    query = "SELECT count(DISTINCT request_id), count(*) FROM audit_entry WHERE action <> 'create'"
    audited, made = tuple(drill.world.fetch(query)[0]), sum(tally.made.values())
    report.claim("each that was made is in the audit, once", audited == (made, made), audited)
    command, environment = [*MODULE, "verify-ledger"], {"INVENTORY_DATABASE_URL": drill.world.database_url}
    ran = subprocess.run(command, env=clean_environment(environment), capture_output=True, text=True, check=False)
    told = json.loads(ran.stdout.splitlines()[-1])["message"]
    report.claim("the ledger balances", ran.returncode == 0, told)
    deadlocks = metric(server, "db_client_operation_duration_seconds_count", error_type="40")
    report.claim("no two wait for each other", deadlocks == 0, deadlocks)
    claims.no_connection_leaks(drill, server, WORKERS * (POOL + 1))
    claims.log_has_no_errors(drill, server)
    report.verdict()
