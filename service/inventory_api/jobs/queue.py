"""Writes jobs, in the transaction of what they are for: they are there when that is, and not when it is not.

By a statement of our own: PgQueuer's also writes its log, which nobody reads of jobs that wait, and importing it costs
each server worker what only the queue worker needs. A test holds both against each other.
"""

from collections.abc import Mapping
from typing import Any

from opentelemetry.propagate import inject

from inventory_api import codec
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.jobs.model import Entrypoint, Job

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


# What is written together is one job, whose payload is the array of all.
ENQUEUE_GATHERED = Statement(
    "jobs.enqueue_gathered",
    """
    INSERT INTO pgqueuer (entrypoint, priority, payload, headers, status)
    SELECT entrypoint, priority, convert_to('[' || string_agg(payload, ',' ORDER BY number) || ']', 'UTF8'),
           headers::jsonb, 'queued'
    FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[])
         WITH ORDINALITY AS part (entrypoint, priority, payload, headers, number)
    GROUP BY entrypoint, priority, headers
    ORDER BY min(number)
    """,
)


async def enqueue(session: Session, job: Job) -> None:
    """Within the caller's transaction. The job goes on with the caller's request id and trace."""
    payload = codec.encode(dict(job.payload))
    row = job.entrypoint.name, job.entrypoint.priority, payload, _headers(job.provenance), job.dedupe_key
    await session.write(ENQUEUE, row)


async def gather(session: Session, entrypoint: Entrypoint, part: Mapping[str, Any], provenance: Provenance) -> None:
    """As `enqueue`, of one job for all parts that the transaction has for it; its payload is an array of them."""
    await session.write(
        ENQUEUE_GATHERED, (entrypoint.name, entrypoint.priority, codec.encode(dict(part)), _headers(provenance))
    )


def _headers(provenance: Provenance) -> str:
    carrier: dict[str, str] = {}
    inject(carrier)
    return codec.encode(
        {
            "actor": provenance.actor,
            "request_id": provenance.request_id,
            "trace_id": provenance.trace_id,
            "otel": carrier,
        }
    )
