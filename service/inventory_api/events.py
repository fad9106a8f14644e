"""What others are told of: frozen when it happens, in its transaction, and told by a queue worker after COMMIT."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from uuid_utils.compat import uuid7

from inventory_api import codec
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.jobs.model import EVENT
from inventory_api.jobs.queue import gather

EventType = Literal[
    "order.created", "order.fulfilled", "order.cancelled",
    "inventory.item.updated", "inventory.level.changed", "inventory.level.low", "inventory.level.depleted",
    "reservation.expired",
]  # fmt: skip


async def emit(
    session: Session, kind: EventType, moment: datetime, data: Mapping[str, Any], provenance: Provenance
) -> None:
    """Within the caller's transaction, all of whose events are one job. `data` is JSON; `moment` is when it happened,
    by the database's clock.
    """
    event = {"id": str(uuid7()), "type": kind, "timestamp": codec.rfc3339(moment), "data": dict(data)}
    await gather(session, EVENT, event, provenance)
