"""A few items to look at."""

import asyncio
from typing import Any

from opentelemetry import trace

from inventory_api.audit import Provenance
from inventory_api.database.pool import Database
from inventory_api.errors import PreconditionRequired
from inventory_api.http.conditional import Conditions
from inventory_api.inventory import service
from inventory_api.telemetry.metrics import Metrics

PROVENANCE = Provenance(actor="dev", request_id="demo-data")
ITEMS: dict[str, dict[str, Any]] = {
    "BOLT-M8": {"name": "Bolt M8 x 40", "quantity": 1200, "low_stock_threshold": 100, "attributes": {"steel": "8.8"}},
    "NUT-M8": {"name": "Nut M8", "quantity": 1150, "low_stock_threshold": 100, "attributes": {"steel": "8"}},
    "DRILL-18V": {"name": "Cordless drill 18 V", "quantity": 7, "low_stock_threshold": 10, "attributes": {}},
    "LAMP-E27": {"name": "Lamp E27, warm", "quantity": 0, "low_stock_threshold": None, "attributes": {"watt": 7}},
}


def add(url: str) -> None:
    """Create the items that are missing; those that exist are left as they are."""
    asyncio.run(_add(url))


async def _add(url: str) -> None:
    database = Database(
        lambda: url, size=1, acquire_timeout=5, metrics=Metrics(), tracer=trace.NoOpTracerProvider().get_tracer("dev")
    )
    await database.open()
    try:
        for sku, fields in ITEMS.items():
            whole = {"warehouse_location": "MAIN", "is_discontinued": False, **fields}
            async with database.session() as session:
                try:
                    await service.put_item(session, sku, whole, Conditions(), PROVENANCE)
                except PreconditionRequired:
                    continue
    finally:
        await database.close()
