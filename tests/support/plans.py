"""What a list reads to show a page: the rows that its plan takes from tables, as PostgreSQL counts them."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from inventory_api import audit
from inventory_api.database.listing import Given, Listing, given
from inventory_api.database.statement import Statement
from inventory_api.inventory.listing import PAGE, Filters
from inventory_api.orders.queries import PAGE as ORDERS
from inventory_api.stock.queries import MOVEMENTS
from inventory_api.webhooks.deliveries import PAGE as DELIVERIES
from tests.support.filling import BUSY_SKU, sku

SIZE = 51
# A page, its levels, and of what a filter leaves out as much as lies between.
MOST_READ = SIZE * 20
MIDDLE = UUID(int=1 << 127)
COMMON_ENDPOINT, RARE_ENDPOINT = UUID(int=1), UUID(int=2)


def lists(count: int) -> dict[str, tuple[Listing, Given]]:
    """Every list with each of its filters, from its beginning and from its middle, in a database of `filling.py`."""
    now, middle = datetime.now(UTC), (sku(count // 2),)
    filters: dict[str, dict[str, Any]] = {
        "items": {},
        "items, common location": {"location": "MAIN"},
        "items, location of some": {"location": "L-2"},
        "items, rare location": {"location": "RARE"},
        "items, discontinued": {"discontinued": True},
        "items, not discontinued": {"discontinued": False},
        "items, low in stock": {"low_stock": True},
        "items, not low in stock": {"low_stock": False},
        "items, updated lately": {"updated_since": now - timedelta(hours=1)},
        "items, updated at any time": {"updated_since": now - timedelta(days=10_000)},
        "items, rare prefix": {"q": "rare"},
        "items, common prefix": {"q": "bolt"},
        "items, prefix of a sku": {"q": "s-00000001"},
        "items, prefix of none": {"q": "nut"},
        "items, low in stock at a rare location": {"low_stock": True, "location": "RARE"},
        "items, discontinued with a common prefix": {"discontinued": True, "q": "bolt"},
    }
    found: dict[str, tuple[Listing, Given]] = {}
    for name, values in filters.items():
        found[name] = (PAGE, Filters(**values).conditions())
        found[f"{name}, middle"] = (PAGE, Filters(**values).conditions(middle))
    then = (now - timedelta(seconds=count // 2), MIDDLE)
    newest: dict[str, tuple[Listing, dict[str, Any]]] = {
        "movements": (MOVEMENTS, {"sku": sku(count // 2)}),
        "movements of a busy item": (MOVEMENTS, {"sku": BUSY_SKU}),
        "movements of a request": (MOVEMENTS, {"request_id": f"r-{count // 2}"}),
        "orders": (ORDERS, {}),
        "orders, common status": (ORDERS, {"status": "fulfilled"}),
        "orders, rare status": (ORDERS, {"status": "cancelled"}),
        "orders, status of none": (ORDERS, {"status": "confirmed"}),
        "orders of a reference": (ORDERS, {"external_ref": f"ref-{count // 2}"}),
        "webhook deliveries": (DELIVERIES, {}),
        "webhook deliveries, common endpoint": (DELIVERIES, {"endpoint": COMMON_ENDPOINT}),
        "webhook deliveries, rare endpoint": (DELIVERIES, {"endpoint": RARE_ENDPOINT}),
        "webhook deliveries, common status": (DELIVERIES, {"status": "pending"}),
        "webhook deliveries, rare status": (DELIVERIES, {"status": "failed"}),
        "webhook deliveries, status of none": (DELIVERIES, {"status": "cancelled"}),
        "webhook deliveries, common event": (DELIVERIES, {"event": "order.created"}),
        "webhook deliveries, rare event": (DELIVERIES, {"event": "reservation.expired"}),
        "audit": (audit.PAGE, {}),
        "audit of a resource": (audit.PAGE, {"resource": f"item:{sku(count // 2)}"}),
        "audit of an actor": (audit.PAGE, {"actor": "key:7"}),
        "audit of a request": (audit.PAGE, {"request_id": f"r-{count // 2}"}),
    }
    for name, (listing, values) in newest.items():
        found[name] = (listing, given((None, None), **values))
        found[f"{name}, middle"] = (listing, given(then, **values))
    return found


async def explain(connection: asyncpg.Connection, listing: Listing, conditions: Given) -> dict[str, Any]:
    """The plan of a page as it was run."""
    statement, arguments = listing.page(conditions, SIZE)
    return await explain_statement(connection, statement, *arguments)


async def explain_statement(connection: asyncpg.Connection, statement: Statement, *arguments: object) -> dict[str, Any]:
    """Its plan as it was run."""
    text = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.sql}", *arguments)
    plan: dict[str, Any] = json.loads(text)[0]["Plan"]
    return plan


def rows_read(plan: Mapping[str, Any]) -> int:
    """By all scans of tables and indexes, also those that a filter threw away."""
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in _nodes(plan)
        if "Relation Name" in node or "Index Name" in node
    )


def scans(plan: Mapping[str, Any]) -> str:
    """How the tables are read, in a line."""
    kinds = [
        f"{node['Node Type']} {node.get('Index Name') or node.get('Relation Name')}"
        for node in _nodes(plan)
        if "Relation Name" in node or "Index Name" in node
    ]
    return ", ".join(dict.fromkeys(kinds))


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
