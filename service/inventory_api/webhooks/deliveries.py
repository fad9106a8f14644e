"""The SQL of events, of their deliveries, and of what came of these. Who sends them: `claims.py`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.webhooks.model import Attempt, Delivery, Event
from inventory_api.webhooks.schedule import Schedule

# Of an event that nobody wants there is no trace. What was before an endpoint is not for it. Again, it writes nothing.
FAN_OUT = Statement(
    "webhook_deliveries.fan_out",
    """
    WITH wanted AS (
        SELECT id FROM webhook_endpoint WHERE status = 'enabled' AND $2 = ANY (events) AND created_at <= $7
    ), told AS (
        INSERT INTO event (id, type, body, request_id, trace_id, traceparent)
        SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT FROM wanted)
        ON CONFLICT (id) DO NOTHING
    )
    INSERT INTO webhook_delivery (id, event_id, event_type, endpoint_id, retries_left, next_attempt_at, created_at,
                                  updated_at)
    SELECT uuid7(), $1, $2, id, $8, moment + $9 * interval '1 second', moment, moment
    FROM wanted, clock_timestamp() AS moment
    ON CONFLICT (event_id, endpoint_id) DO NOTHING
    """,
)

# One event for one endpoint, by somebody who waits for it.
INSERT = Statement(
    "webhook_deliveries.insert",
    """
    WITH told AS (
        INSERT INTO event (id, type, body, request_id, trace_id, traceparent) VALUES ($1, $2, $3, $4, $5, $6)
    )
    INSERT INTO webhook_delivery (id, event_id, event_type, endpoint_id, retries_left, requested_at, next_attempt_at,
                                  created_at, updated_at)
    SELECT $7, $1, $2, $8, 0, moment, moment, moment, moment
    FROM clock_timestamp() AS moment
    """,
)

DELIVERY = """
           delivery.id, delivery.endpoint_id, delivery.status, delivery.attempts, delivery.next_attempt_at,
           delivery.created_at, delivery.updated_at, event.id AS event_id, event.type, event.body, event.request_id,
           event.trace_id"""

GET = Statement(
    "webhook_deliveries.get",
    f"""
    SELECT {DELIVERY}
    FROM webhook_delivery delivery JOIN event ON event.id = delivery.event_id
    WHERE delivery.id = $1
    """,  # noqa: S608 -- a constant
)

ATTEMPTS = Statement(
    "webhook_deliveries.attempts",
    """
    SELECT number, started_at, duration_ms, status_code, reason, response
    FROM webhook_attempt
    WHERE delivery_id = $1
    ORDER BY number DESC
    LIMIT $2
    """,
)

PAGE = Listing(
    "webhook_deliveries.page",
    f"""
    SELECT {DELIVERY}
    FROM webhook_delivery delivery JOIN event ON event.id = delivery.event_id
    {{where}}
    ORDER BY delivery.created_at DESC, delivery.id DESC
    LIMIT {{limit}}
    """,  # noqa: S608 -- a constant
    {
        "after": "(delivery.created_at, delivery.id) < ({}, {})",
        "endpoint": "delivery.endpoint_id = {}",
        "status": "delivery.status = {}",
        "event": "delivery.event_type = {}",
    },
)

# One that is being sent just now is sent again after that; a claim of which nothing was heard is none.
REDELIVER = Statement(
    "webhook_deliveries.redeliver",
    """
    UPDATE webhook_delivery
    SET status = 'pending', retries_left = $2, requested_at = moment, next_attempt_at = moment, updated_at = moment,
        claimed_at = CASE WHEN claimed_until > moment THEN claimed_at END,
        claimed_until = CASE WHEN claimed_until > moment THEN claimed_until END
    FROM clock_timestamp() AS moment
    WHERE id = $1
    """,
)

# What is being sent comes to its end.
CANCEL_PENDING = Statement(
    "webhook_deliveries.cancel_pending",
    """
    UPDATE webhook_delivery
    SET status = 'cancelled', next_attempt_at = NULL, claimed_at = NULL, claimed_until = NULL,
        updated_at = clock_timestamp()
    WHERE id IN (SELECT id
                 FROM webhook_delivery
                 WHERE endpoint_id = ANY ($1) AND status = 'pending'
                   AND coalesce(claimed_until <= statement_timestamp(), true)
                 ORDER BY id
                 LIMIT $2
                 FOR NO KEY UPDATE)
    """,
)
# Of each transaction, so that it is short.
CANCELLED = 5_000

PURGE = Statement(
    "webhook_deliveries.purge",
    """
    DELETE FROM webhook_delivery
    WHERE id IN (SELECT id
                 FROM webhook_delivery
                 WHERE status <> 'pending' AND updated_at < statement_timestamp() - $1 * interval '1 day'
                 ORDER BY updated_at
                 LIMIT $2
                 FOR UPDATE SKIP LOCKED)
    """,
)

PURGE_EVENTS = Statement(
    "webhook_deliveries.purge_events",
    """
    DELETE FROM event
    WHERE id IN (SELECT id
                 FROM event
                 WHERE created_at < statement_timestamp() - $1 * interval '1 day'
                   AND NOT EXISTS (SELECT FROM webhook_delivery WHERE event_id = event.id)
                 ORDER BY created_at
                 LIMIT $2)
    """,
)

PURGE_ENDPOINTS = Statement(
    "webhook_deliveries.purge_endpoints",
    """
    DELETE FROM webhook_endpoint
    WHERE id IN (SELECT id
                 FROM webhook_endpoint
                 WHERE status = 'deleted' AND updated_at < statement_timestamp() - $1 * interval '1 day'
                   AND NOT EXISTS (SELECT FROM webhook_delivery WHERE endpoint_id = webhook_endpoint.id)
                 LIMIT $2)
    """,
)
# Of each transaction, so that it is short.
PURGED = 2_000
# Of one delivery that are shown; it may have been asked for again and again.
SHOWN_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class Filters:
    """Each narrows the list; None does not."""

    endpoint: UUID | None = None
    status: str | None = None
    event: str | None = None


async def fan_out(session: Session, event: Event, traceparent: str | None, moment: datetime, schedule: Schedule) -> int:
    """A delivery for each endpoint that wants it; how many are new. `moment` is when it happened."""
    values = _values(event, traceparent)
    return await session.execute(FAN_OUT, *values, moment, schedule.retries, schedule.delays[0])


async def insert(session: Session, delivery_id: UUID, endpoint_id: UUID, event: Event, traceparent: str | None) -> None:
    """One that is sent once, before what else waits for its endpoint."""
    await session.execute(INSERT, *_values(event, traceparent), delivery_id, endpoint_id)


async def get(session: Session, delivery_id: UUID) -> Delivery | None:
    row = await session.fetch_one(GET, delivery_id)
    return _delivery(row) if row is not None else None


async def attempts(session: Session, delivery_id: UUID) -> list[Attempt]:
    """The last of them, newest first."""
    return [Attempt(**row) for row in await session.fetch(ATTEMPTS, delivery_id, SHOWN_ATTEMPTS)]


async def page(
    session: Session, filters: Filters, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Delivery]:
    """Newest first."""
    statement, arguments = PAGE.page(given(after, **asdict(filters)), limit)
    return [_delivery(row) for row in await session.fetch(statement, *arguments)]


async def redeliver(session: Session, delivery_id: UUID, retries: int) -> None:
    await session.execute(REDELIVER, delivery_id, retries)


async def cancel_pending(session: Session, endpoints: Sequence[UUID]) -> int:
    """What waits for these; how many, at most `CANCELLED`."""
    return await session.execute(CANCEL_PENDING, endpoints, CANCELLED)


async def purge(session: Session, days: int) -> int:
    """Remove deliveries that ended so long ago, and what nobody knows of any more without them; how many, some at a
    time.
    """
    removed = await session.execute(PURGE, days, PURGED)
    removed += await session.execute(PURGE_EVENTS, days, PURGED)
    return removed + await session.execute(PURGE_ENDPOINTS, days, PURGED)


def _delivery(row: asyncpg.Record) -> Delivery:
    return Delivery(
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        event=Event(row["event_id"], row["type"], row["body"], row["request_id"], row["trace_id"]),
        status=row["status"],
        attempts=row["attempts"],
        next_attempt_at=row["next_attempt_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _values(event: Event, traceparent: str | None) -> tuple[object, ...]:
    return event.id, event.type, event.body, event.request_id, event.trace_id, traceparent
