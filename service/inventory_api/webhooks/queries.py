"""The SQL of endpoints. That of what is sent to them: `deliveries.py`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.webhooks.model import DisabledReason, Endpoint

# A pause, or a secret that was replaced, is told of while it lasts.
ENDPOINT = """
           id, url, events, description, status, disabled_reason, failures, failing_since,
           CASE WHEN greatest(paused_until, retry_after) > statement_timestamp()
                THEN greatest(paused_until, retry_after) END AS paused_until,
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
        failures = CASE WHEN $7::boolean THEN 0 ELSE failures END,
        failing_since = CASE WHEN $7 THEN NULL ELSE failing_since END,
        paused_until = CASE WHEN $7 THEN NULL ELSE paused_until END,
        retry_after = CASE WHEN $7 THEN NULL ELSE retry_after END,
        is_slow = is_slow AND NOT $7,
        generation = generation + $7::integer
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

# Nobody waits for what is not sent to them.
UNWANTED = Statement(
    "webhooks.unwanted",
    """
    SELECT id
    FROM webhook_endpoint
    WHERE status = 'deleted' OR (status = 'disabled' AND updated_at < statement_timestamp() - $1 * interval '1 day')
    """,
)

MOMENT = Statement("webhooks.moment", "SELECT clock_timestamp() AS moment")

# What is due, apart for endpoints that could be sent it and for those that fail, are slow or are paused.
STANDING = Statement(
    "webhooks.standing",
    """
    SELECT count(*) FILTER (WHERE status = 'enabled') AS enabled,
           count(*) FILTER (WHERE status = 'enabled' AND failures > 0) AS failing,
           count(*) FILTER (WHERE status = 'disabled') AS disabled,
           coalesce(sum(due.deliveries) FILTER (WHERE is_well), 0)::bigint AS due_to_well,
           coalesce(sum(due.deliveries) FILTER (WHERE status = 'enabled' AND NOT is_well), 0)::bigint AS due_to_unwell,
           coalesce(extract(epoch FROM statement_timestamp() - min(due.first) FILTER (WHERE is_well)), 0)::float8
           AS oldest_age
    FROM (SELECT *, status = 'enabled' AND failures = 0 AND NOT is_slow
                    AND coalesce(greatest(paused_until, retry_after) <= statement_timestamp(), true) AS is_well
          FROM webhook_endpoint
          WHERE status <> 'deleted') AS endpoint
    LEFT JOIN (SELECT endpoint_id, count(*) AS deliveries, min(next_attempt_at) AS first
               FROM webhook_delivery
               WHERE status = 'pending' AND next_attempt_at <= statement_timestamp() AND claimed_at IS NULL
               GROUP BY endpoint_id) AS due ON due.endpoint_id = endpoint.id
    """,
)


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


async def unwanted(session: Session, days: int) -> list[UUID]:
    """Endpoints that are deleted, or have been disabled for so long."""
    return [row["id"] for row in await session.fetch(UNWANTED, days)]


async def moment(session: Session) -> datetime:
    """Now, by the database's clock."""
    (row,) = await session.fetch(MOMENT)
    now: datetime = row["moment"]
    return now


async def standing(session: Session) -> Mapping[str, float]:
    """How many endpoints are enabled, failing and disabled; what is due, and for how many seconds the oldest was."""
    (row,) = await session.fetch(STANDING)
    return dict(row)


async def _one(session: Session, statement: Statement, *arguments: Any) -> Endpoint:
    row = await session.fetch_one(statement, *arguments)
    if row is None:
        raise RuntimeError(f"{statement.name}: the endpoint that was locked is gone")
    return _made(row)


def _endpoint(row: asyncpg.Record | None) -> Endpoint | None:
    return _made(row) if row is not None else None


def _made(row: asyncpg.Record) -> Endpoint:
    return Endpoint(**{**row, "events": tuple(row["events"])})
