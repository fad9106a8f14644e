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
    SELECT entrypoint, priority, convert_to(payload, 'UTF8'), headers::jsonb, dedupe_key, 'queued'
    FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[])
         WITH ORDINALITY AS job (entrypoint, priority, payload, headers, dedupe_key, number)
    ORDER BY number
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
    payload = codec.encode(dict(job.payload))
    row = job.entrypoint.name, job.entrypoint.priority, payload, codec.encode(headers), job.dedupe_key
    await session.write(ENQUEUE, row)
