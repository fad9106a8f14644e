"""Writes jobs, in the transaction of what they are for: they are there when that is, and not when it is not.

By a statement of our own: PgQueuer's also writes its log, which nobody reads of jobs that wait, and importing it costs
each server worker what only the queue worker needs. A test holds both against each other.
"""

from opentelemetry.propagate import inject

from inventory_api import codec
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.jobs.model import Job

ENQUEUE = Statement(
    "jobs.enqueue",
    """
    INSERT INTO pgqueuer (entrypoint, priority, payload, headers, dedupe_key, status)
    VALUES ($1, $2, convert_to($3, 'UTF8'), $4::jsonb, $5, 'queued')
    ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL DO NOTHING
    """,
)


async def enqueue(session: Session, job: Job) -> None:
    """Within the caller's transaction. The job goes on with the caller's request id and trace."""
    carrier: dict[str, str] = {}
    inject(carrier)
    headers = {
        "actor": job.provenance.actor,
        "request_id": job.provenance.request_id,
        "trace_id": job.provenance.trace_id,
        "otel": carrier,
    }
    await session.write(
        ENQUEUE,
        job.entrypoint.name,
        job.entrypoint.priority,
        codec.encode(dict(job.payload)),
        codec.encode(headers),
        job.dedupe_key,
    )
