"""The SQL of dead letters: jobs that PgQueuer holds as `failed`."""

from dataclasses import dataclass
from datetime import datetime

from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement

PAGE = Listing(
    "jobs.dead_letters",
    """
    SELECT id, entrypoint, starts, headers ->> 'actor' AS actor, headers ->> 'request_id' AS request_id,
           headers ->> 'trace_id' AS trace_id, created AS created_at, updated AS failed_at,
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
    RETURNING entrypoint
    """,
)

PURGE = Statement("jobs.purge", "DELETE FROM pgqueuer WHERE id = $1 AND status = 'failed' RETURNING entrypoint")


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
    error: str | None


async def page(session: Session, after: tuple[datetime | None, int | None], limit: int) -> list[DeadLetter]:
    """Newest first."""
    statement, arguments = PAGE.page({"dead": (), **given(after)}, limit)
    return [DeadLetter(**row) for row in await session.fetch(statement, *arguments)]


async def replay(session: Session, job_id: int) -> str | None:
    """Let it be started again, as often as a new one; its kind, or None where there is no such dead letter."""
    row = await session.fetch_one(REPLAY, job_id)
    return str(row["entrypoint"]) if row is not None else None


async def purge(session: Session, job_id: int) -> str | None:
    """Remove it; its kind, or None where there is no such dead letter."""
    row = await session.fetch_one(PURGE, job_id)
    return str(row["entrypoint"]) if row is not None else None
