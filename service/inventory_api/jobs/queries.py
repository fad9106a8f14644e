"""The SQL of dead letters: jobs that PgQueuer holds as `failed`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from inventory_api import codec
from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement

PAGE = Listing(
    "jobs.dead_letters",
    """
    SELECT id, entrypoint, starts, headers ->> 'actor' AS actor, headers ->> 'request_id' AS request_id,
           headers ->> 'trace_id' AS trace_id, created AS created_at, updated AS failed_at, payload,
           (SELECT traceback ->> 'exception_message'
            FROM pgqueuer_log log
            WHERE log.job_id = pgqueuer.id AND log.traceback IS NOT NULL
            ORDER BY log.created DESC, log.id DESC
            LIMIT 1) AS error
    FROM pgqueuer
    {where}
    ORDER BY updated DESC, id DESC
    LIMIT {limit}
    """,
    {"dead": "status = 'failed'", "after": "(updated, id) < ({}, {})"},
)

# Without its key: another with the same one may be waiting by now.
REPLAY = Statement(
    "jobs.replay",
    """
    UPDATE pgqueuer
    SET status = 'queued', starts = 0, attempts = 0, execute_after = now(), updated = now(), queue_manager_id = NULL,
        dedupe_key = NULL
    WHERE id = $1 AND status = 'failed'
    RETURNING entrypoint, payload
    """,
)

PURGE = Statement(
    "jobs.purge", "DELETE FROM pgqueuer WHERE id = $1 AND status = 'failed' RETURNING entrypoint, payload"
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that is started no more."""

    id: int
    entrypoint: str
    starts: int
    actor: str | None
    request_id: str | None
    trace_id: str | None
    created_at: datetime
    failed_at: datetime
    payload: Any
    error: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What a dead letter was, and was for."""

    entrypoint: str
    payload: Any


async def page(session: Session, after: tuple[datetime | None, int | None], limit: int) -> list[DeadLetter]:
    """Newest first."""
    statement, arguments = PAGE.page({"dead": (), **given(after)}, limit)
    rows = await session.fetch(statement, *arguments)
    return [DeadLetter(**{**row, "payload": _payload(row["payload"])}) for row in rows]


async def replay(session: Session, job_id: int) -> Known | None:
    """Let it be started again, as often as a new one; None where there is no such dead letter."""
    return _known(await session.fetch_one(REPLAY, job_id))


async def purge(session: Session, job_id: int) -> Known | None:
    """Remove it; None where there is no such dead letter."""
    return _known(await session.fetch_one(PURGE, job_id))


def _known(row: asyncpg.Record | None) -> Known | None:
    return Known(row["entrypoint"], _payload(row["payload"])) if row is not None else None


def _payload(written: bytes | None) -> Any:
    """As JSON; what is none, which may be why it is a dead letter, as text."""
    text = (written or b"null").decode(errors="replace")
    try:
        return codec.decode(text)
    except ValueError:
        return text
