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

INSERT_EVENTS = Statement(
    "webhook_deliveries.insert_events",
    """
    INSERT INTO event (id, type, body, request_id, trace_id, traceparent)
    SELECT *
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    ON CONFLICT (id) DO NOTHING
    """,
)

INSERT = Statement(
    "webhook_deliveries.insert",
    """
    INSERT INTO webhook_delivery (id, event_id, event_type, endpoint_id, retries_left, requested_at, next_attempt_at,
                                  created_at, updated_at)
    SELECT id, event_id, event_type, endpoint_id, retries_left, CASE WHEN is_requested THEN moment END, moment, moment,
           moment
    FROM clock_timestamp() AS moment,
         unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::integer[], $6::boolean[])
         AS made (id, event_id, event_type, endpoint_id, retries_left, is_requested)
    ON CONFLICT (event_id, endpoint_id) DO NOTHING
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
        claimed_at = CASE WHEN claimed_at > moment - $3 * interval '1 second' THEN claimed_at END
    FROM clock_timestamp() AS moment
    WHERE id = $1
    """,
)

# What is being sent comes to its end.
CANCEL_PENDING = Statement(
    "webhook_deliveries.cancel_pending",
    """
    WITH cancelled AS (
        UPDATE webhook_delivery
        SET status = 'cancelled', next_attempt_at = NULL, claimed_at = NULL, updated_at = clock_timestamp()
        WHERE id IN (SELECT id
                     FROM webhook_delivery
                     WHERE endpoint_id = ANY ($1) AND status = 'pending'
                       AND coalesce(claimed_at < statement_timestamp() - $2 * interval '1 second', true)
                     ORDER BY id
                     LIMIT $3
                     FOR NO KEY UPDATE)
        RETURNING id
    )
    SELECT count(*) AS cancelled FROM cancelled
    """,
)
# Of each transaction, so that it is short.
CANCELLED = 5_000
# Longer than any request takes, and what is said of it afterwards.
CLAIM_SECONDS = 30.0

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


async def insert_events(session: Session, events: Sequence[Event], traceparent: str | None) -> None:
    """Those that are there already stay as they are."""
    rows = [(one.id, one.type, one.body, one.request_id, one.trace_id, traceparent) for one in events]
    await session.execute(INSERT_EVENTS, *_columns(rows))


async def insert(
    session: Session, made: Sequence[tuple[UUID, Event, UUID]], *, retries: int, requested: bool = False
) -> None:
    """(id, event, endpoint) of each; those that are there already stay as they are."""
    rows = [(one, event.id, event.type, endpoint_id, retries, requested) for one, event, endpoint_id in made]
    await session.execute(INSERT, *_columns(rows))


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
    await session.execute(REDELIVER, delivery_id, retries, CLAIM_SECONDS)


async def cancel_pending(session: Session, endpoints: Sequence[UUID]) -> int:
    """What waits for these; how many, at most `CANCELLED`."""
    row = await session.fetch_one(CANCEL_PENDING, endpoints, CLAIM_SECONDS, CANCELLED)
    return int(row["cancelled"]) if row is not None else 0


async def purge(session: Session, days: int) -> int:
    """Remove deliveries that ended so long ago, and what nobody knows of any more without them; how many, some at a
    time.
    """
    removed = await session.remove(PURGE, days, PURGED)
    removed += await session.remove(PURGE_EVENTS, days, PURGED)
    return removed + await session.remove(PURGE_ENDPOINTS, days, PURGED)


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


def _columns(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
