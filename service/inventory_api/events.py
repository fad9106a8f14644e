"""What others are told of: frozen when it happens, in its transaction, and told by a queue worker after COMMIT."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from uuid_utils.compat import uuid7

from inventory_api import codec
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.jobs.model import EVENT, Job
from inventory_api.jobs.queue import enqueue

EventType = Literal["order.created", "order.fulfilled", "order.cancelled"]


async def emit(
    session: Session, kind: EventType, moment: datetime, data: Mapping[str, Any], provenance: Provenance
) -> None:
    """Within the caller's transaction. `data` is JSON; `moment` is when it happened, by the database's clock."""
    payload = {"id": str(uuid7()), "type": kind, "timestamp": codec.rfc3339(moment), "data": dict(data)}
    await enqueue(session, Job(EVENT, provenance, payload))
