"""The SQL of endpoints, and of what people ask of deliveries. Who claims and records deliveries: `claims.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.webhooks.model import Attempt, Delivery, DisabledReason, Endpoint, Event, Told

# A pause, or a secret that was replaced, is told of while it lasts.
ENDPOINT = """
           id, url, events, description, status, disabled_reason, failures, failing_since,
           CASE WHEN paused_until > statement_timestamp() THEN paused_until END AS paused_until,
           CASE WHEN previous_secret_until > statement_timestamp() THEN previous_secret_until END
           AS previous_secret_until, version, created_at, updated_at"""

GET = Statement(
    "webhooks.get",
    f"SELECT {ENDPOINT} FROM webhook_endpoint WHERE id = $1 AND status <> 'deleted'",  # noqa: S608 -- a constant
)

LOCK = Statement(
    "webhooks.lock",
    f"""
    SELECT {ENDPOINT} FROM webhook_endpoint WHERE id = $1 AND status <> 'deleted' FOR NO KEY UPDATE
    """,  # noqa: S608 -- a constant
)

PAGE = Listing(
    "webhooks.page",
    f"""
    SELECT {ENDPOINT}
    FROM webhook_endpoint
    {{where}}
    ORDER BY created_at DESC, id DESC
    LIMIT {{limit}}
    """,  # noqa: S608 -- a constant
    {"kept": "status <> 'deleted'", "after": "(created_at, id) < ({}, {})"},
)

INSERT = Statement(
    "webhooks.insert",
    f"""
    INSERT INTO webhook_endpoint (id, url, events, description, secret, created_at, updated_at)
    SELECT $1, $2, $3, $4, $5, moment, moment FROM clock_timestamp() AS moment
    RETURNING {ENDPOINT}
    """,  # noqa: S608 -- a constant
)

# One that is enabled, or leads elsewhere, begins anew.
UPDATE = Statement(
    "webhooks.update",
    f"""
    UPDATE webhook_endpoint
    SET url = $2, events = $3, description = $4, status = $5, disabled_reason = $6, version = version + 1,
        updated_at = clock_timestamp(),
        failures = CASE WHEN $7 THEN 0 ELSE failures END,
        failing_since = CASE WHEN $7 THEN NULL ELSE failing_since END,
        paused_until = CASE WHEN $7 THEN NULL ELSE paused_until END
    WHERE id = $1
    RETURNING {ENDPOINT}
    """,  # noqa: S608 -- a constant
)

ROTATE = Statement(
    "webhooks.rotate",
    f"""
    UPDATE webhook_endpoint
    SET secret = $2, previous_secret = secret, previous_secret_until = moment + $3 * interval '1 second',
        version = version + 1, updated_at = moment
    FROM clock_timestamp() AS moment
    WHERE id = $1
    RETURNING {ENDPOINT}
    """,  # noqa: S608 -- a constant
)

DELETE = Statement(
    "webhooks.delete",
    """
    UPDATE webhook_endpoint
    SET status = 'deleted', disabled_reason = NULL, secret = '', previous_secret = NULL, version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = $1
    """,
)

# What nobody waits for any more; what is being sent comes to its end.
CANCEL_PENDING = Statement(
    "webhooks.cancel_pending",
    """
    WITH cancelled AS (
        UPDATE webhook_delivery
        SET status = 'cancelled', next_attempt_at = NULL, claimed_until = NULL, updated_at = clock_timestamp()
        WHERE id IN (SELECT delivery.id
                     FROM webhook_delivery delivery JOIN webhook_endpoint endpoint ON endpoint.id = endpoint_id
                     WHERE endpoint.status = 'deleted' AND delivery.status = 'pending'
                     LIMIT $1)
        RETURNING id
    )
    SELECT count(*) AS cancelled FROM cancelled
    """,
)
# Of each transaction, so that it is short.
CANCELLED = 5_000

MOMENT = Statement("webhooks.moment", "SELECT clock_timestamp() AS moment")

SUBSCRIBED = Statement(
    "webhooks.subscribed",
    """
    SELECT told.number, endpoint.id
    FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS told (type, moment, number)
    JOIN webhook_endpoint endpoint
      ON endpoint.status = 'enabled' AND told.type = ANY (endpoint.events) AND told.moment >= endpoint.created_at
    ORDER BY told.number, endpoint.created_at, endpoint.id
    """,
)

INSERT_EVENTS = Statement(
    "webhooks.insert_events",
    """
    INSERT INTO event (id, type, body, request_id, trace_id, traceparent)
    SELECT *
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    ON CONFLICT (id) DO NOTHING
    """,
)

INSERT_DELIVERIES = Statement(
    "webhooks.insert_deliveries",
    """
    INSERT INTO webhook_delivery (id, event_id, event_type, endpoint_id, retries_left, requested, next_attempt_at,
                                  created_at, updated_at)
    SELECT made.*, moment, moment, moment
    FROM clock_timestamp() AS moment,
         unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::integer[], $6::boolean[])
         AS made (id, event_id, event_type, endpoint_id, retries_left, requested)
    ON CONFLICT (event_id, endpoint_id) DO NOTHING
    """,
)

DELIVERY = """
           delivery.id, delivery.endpoint_id, delivery.status, delivery.attempts, delivery.next_attempt_at,
           delivery.created_at, delivery.updated_at, event.id AS event_id, event.type, event.body, event.request_id,
           event.trace_id"""

GET_DELIVERY = Statement(
    "webhooks.get_delivery",
    f"""
    SELECT {DELIVERY}
    FROM webhook_delivery delivery JOIN event ON event.id = delivery.event_id
    WHERE delivery.id = $1
    """,  # noqa: S608 -- a constant
)

ATTEMPTS = Statement(
    "webhooks.attempts",
    """
    SELECT number, started_at, duration_ms, status_code, reason, response
    FROM webhook_attempt
    WHERE delivery_id = $1
    ORDER BY number DESC
    LIMIT $2
    """,
)

DELIVERIES = Listing(
    "webhooks.deliveries",
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

# One that somebody is sending just now is sent again after that.
REDELIVER = Statement(
    "webhooks.redeliver",
    """
    UPDATE webhook_delivery
    SET status = 'pending', retries_left = $2, requested = true,
        next_attempt_at = greatest(claimed_until, clock_timestamp()), updated_at = clock_timestamp()
    WHERE id = $1
    """,
)

PURGE_DELIVERIES = Statement(
    "webhooks.purge_deliveries",
    """
    DELETE FROM webhook_delivery
    WHERE id IN (SELECT id
                 FROM webhook_delivery
                 WHERE status <> 'pending' AND updated_at < statement_timestamp() - $1 * interval '1 day'
                 ORDER BY updated_at
                 LIMIT $2)
    """,
)

PURGE_EVENTS = Statement(
    "webhooks.purge_events",
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
    "webhooks.purge_endpoints",
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


# Those of enabled endpoints. What is claimed is not due.
STANDING = Statement(
    "webhooks.standing",
    """
    SELECT count(*) FILTER (WHERE status = 'enabled') AS enabled,
           count(*) FILTER (WHERE status = 'enabled' AND failures > 0) AS failing,
           count(*) FILTER (WHERE status = 'disabled') AS disabled,
           coalesce(sum(due.deliveries) FILTER (WHERE status = 'enabled'), 0)::bigint AS pending,
           coalesce(extract(epoch FROM statement_timestamp() - min(due.first) FILTER (
               WHERE status = 'enabled' AND coalesce(paused_until <= statement_timestamp(), true)
           )), 0)::float8 AS oldest_age
    FROM webhook_endpoint endpoint
    LEFT JOIN (SELECT endpoint_id, count(*) AS deliveries, min(next_attempt_at) AS first
               FROM webhook_delivery
               WHERE status = 'pending' AND next_attempt_at <= statement_timestamp()
               GROUP BY endpoint_id) AS due ON due.endpoint_id = endpoint.id
    WHERE status <> 'deleted'
    """,
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Each narrows the list; None does not."""

    endpoint: UUID | None = None
    status: str | None = None
    event: str | None = None


async def get(session: Session, endpoint_id: UUID) -> Endpoint | None:
    return _endpoint(await session.fetch_one(GET, endpoint_id))


async def lock(session: Session, endpoint_id: UUID) -> Endpoint | None:
    """As `get`, and nobody else changes it until the transaction ends."""
    return _endpoint(await session.fetch_one(LOCK, endpoint_id))


async def page(session: Session, after: tuple[datetime | None, UUID | None], limit: int) -> list[Endpoint]:
    """Newest first."""
    statement, arguments = PAGE.page({"kept": (), **given(after)}, limit)
    return [_made(row) for row in await session.fetch(statement, *arguments)]


async def insert(session: Session, endpoint_id: UUID, fields: Mapping[str, Any], secret: str) -> Endpoint:
    arguments = fields["url"], fields["events"], fields["description"], secret
    return await _one(session, INSERT, endpoint_id, *arguments)


async def update(
    session: Session, endpoint_id: UUID, fields: Mapping[str, Any], reason: DisabledReason | None, *, anew: bool
) -> Endpoint:
    """Of one that the caller has locked. `anew`: its failures are forgotten."""
    values = fields["url"], fields["events"], fields["description"], fields["status"]
    return await _one(session, UPDATE, endpoint_id, *values, reason, anew)


async def rotate(session: Session, endpoint_id: UUID, secret: str, overlap_seconds: float) -> Endpoint:
    """Of one that the caller has locked; the secret that it had is good for so long."""
    return await _one(session, ROTATE, endpoint_id, secret, overlap_seconds)


async def delete(session: Session, endpoint_id: UUID) -> None:
    """Of one that the caller has locked."""
    await session.execute(DELETE, endpoint_id)


async def cancel_pending(session: Session) -> int:
    """Of endpoints that are deleted; how many, at most `CANCELLED`."""
    row = await session.fetch_one(CANCEL_PENDING, CANCELLED)
    return int(row["cancelled"]) if row is not None else 0


async def moment(session: Session) -> datetime:
    """Now, by the database's clock."""
    row = await session.fetch_one(MOMENT)
    return datetime.now(UTC) if row is None else row["moment"]


async def subscribed(session: Session, told: Sequence[Told]) -> list[tuple[int, UUID]]:
    """Which endpoint wants which of them: their places, and its id. What was before an endpoint is not for it."""
    arguments = [one.type for one in told], [one.moment for one in told]
    return [(row["number"] - 1, row["id"]) for row in await session.fetch(SUBSCRIBED, *arguments)]


async def insert_events(session: Session, events: Sequence[Event], traceparent: str | None) -> None:
    """Those that are there already stay as they are."""
    rows = [(one.id, one.type, one.body, one.request_id, one.trace_id, traceparent) for one in events]
    await session.execute(INSERT_EVENTS, *_columns(rows))


async def insert_deliveries(
    session: Session, made: Sequence[tuple[UUID, Event, UUID]], *, retries: int, requested: bool = False
) -> None:
    """(id, event, endpoint) of each; those that are there already stay as they are."""
    rows = [(one, event.id, event.type, endpoint_id, retries, requested) for one, event, endpoint_id in made]
    await session.execute(INSERT_DELIVERIES, *_columns(rows))


async def get_delivery(session: Session, delivery_id: UUID) -> Delivery | None:
    row = await session.fetch_one(GET_DELIVERY, delivery_id)
    return _delivery(row) if row is not None else None


async def attempts(session: Session, delivery_id: UUID) -> list[Attempt]:
    """The last of them, newest first."""
    return [Attempt(**row) for row in await session.fetch(ATTEMPTS, delivery_id, SHOWN_ATTEMPTS)]


async def deliveries(
    session: Session, filters: Filters, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Delivery]:
    """Newest first."""
    statement, arguments = DELIVERIES.page(given(after, **asdict(filters)), limit)
    return [_delivery(row) for row in await session.fetch(statement, *arguments)]


async def redeliver(session: Session, delivery_id: UUID, retries: int) -> None:
    await session.execute(REDELIVER, delivery_id, retries)


async def purge(session: Session, days: int) -> int:
    """Remove deliveries that ended so long ago, and what nobody knows of any more without them; how many, some at a
    time.
    """
    removed = await session.remove(PURGE_DELIVERIES, days, PURGED)
    removed += await session.remove(PURGE_EVENTS, days, PURGED)
    return removed + await session.remove(PURGE_ENDPOINTS, days, PURGED)


def _columns(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def standing(session: Session) -> Mapping[str, float]:
    """How many endpoints are enabled, failing and disabled; what is due, and for how many seconds the oldest was."""
    row = await session.fetch_one(STANDING)
    return dict(row) if row is not None else {}


async def _one(session: Session, statement: Statement, *arguments: Any) -> Endpoint:
    row = await session.fetch_one(statement, *arguments)
    if row is None:
        raise RuntimeError(f"{statement.name}: the endpoint that was locked is gone")
    return _made(row)


def _endpoint(row: asyncpg.Record | None) -> Endpoint | None:
    return _made(row) if row is not None else None


def _made(row: asyncpg.Record) -> Endpoint:
    return Endpoint(**{**row, "events": tuple(row["events"])})


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
