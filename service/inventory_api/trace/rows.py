"""What the database has of one request, by the request id that its rows carry; all of it as of one moment."""

from collections import defaultdict
from typing import Any
from uuid import UUID

import asyncpg

from inventory_api.database import pool
from inventory_api.database.errors import FAILURES
from inventory_api.trace.model import (
    AttemptRow,
    AuditRow,
    DeliveryRow,
    JobRow,
    MovementRow,
    Report,
    Section,
    SourceFailed,
)

NAME = "database"
# Of one kind.
MOST = 1_000

AUDIT = """
SELECT id, resource, action, ARRAY(SELECT jsonb_object_keys(changes) ORDER BY 1) AS changed, actor, trace_id, created_at
FROM audit_entry
WHERE request_id = $1
ORDER BY created_at, id
LIMIT $2
"""

MOVEMENTS = """
SELECT id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, actor, trace_id, created_at
FROM stock_movement
WHERE request_id = $1
ORDER BY created_at, id
LIMIT $2
"""

# The queue itself has no index by request: it is short, and each job would pay for it. A dead letter that was replayed
# is in the log as well, and so is each job that is dead.
JOBS = """
SELECT id, entrypoint,
       CASE status WHEN 'queued' THEN 'waiting' WHEN 'picked' THEN 'running' WHEN 'failed' THEN 'dead'
                   ELSE status::text END AS state,
       starts,
       (SELECT traceback ->> 'exception_message'
        FROM pgqueuer_log log
        WHERE log.job_id = pgqueuer.id AND log.traceback IS NOT NULL
        ORDER BY log.created DESC, log.id DESC
        LIMIT 1) AS error,
       headers ->> 'trace_id' AS trace_id, created AS created_at, updated AS updated_at
FROM pgqueuer
WHERE headers ->> 'request_id' = $1
UNION ALL
SELECT * FROM (
    SELECT DISTINCT ON (job_id) job_id, entrypoint,
           CASE status WHEN 'successful' THEN 'done' ELSE status::text END,
           NULL::integer, traceback ->> 'exception_message', trace_id, NULL::timestamptz, created
    FROM pgqueuer_log
    WHERE request_id = $1 AND NOT EXISTS (SELECT FROM pgqueuer WHERE pgqueuer.id = job_id)
    ORDER BY job_id, pgqueuer_log.created DESC, pgqueuer_log.id DESC
) AS ended
ORDER BY id
LIMIT $2
"""

DELIVERIES = """
SELECT delivery.id, event.id AS event_id, event.type AS event_type, delivery.endpoint_id, delivery.status,
       delivery.next_attempt_at, event.trace_id, delivery.created_at
FROM event
JOIN webhook_delivery delivery ON delivery.event_id = event.id
WHERE event.request_id = $1
ORDER BY delivery.created_at, delivery.id
LIMIT $2
"""

ATTEMPTS = """
SELECT delivery_id, number, started_at, duration_ms, status_code, reason
FROM webhook_attempt
WHERE delivery_id = ANY ($1)
ORDER BY delivery_id, number
LIMIT $2
"""


async def read(dsn: str, request_id: str, seconds: float, report: Report) -> None:
    """Fill the sections of the report that are of the database. Each statement may take so many seconds.

    Raises:
        SourceFailed: the database cannot be read.
    """
    try:
        connection = await pool.connect(dsn, command_timeout=seconds)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
                await _read(connection, request_id, report)
        finally:
            await connection.close(timeout=pool.CLOSE_TIMEOUT)
    except FAILURES as error:
        raise SourceFailed(str(error) or type(error).__name__) from error


async def _read(connection: asyncpg.Connection, request_id: str, report: Report) -> None:
    _add(report.audit, [AuditRow(**row) for row in await connection.fetch(AUDIT, request_id, MOST + 1)])
    _add(report.movements, [MovementRow(**row) for row in await connection.fetch(MOVEMENTS, request_id, MOST + 1)])
    _add(report.jobs, [JobRow(**row) for row in await connection.fetch(JOBS, request_id, MOST + 1)])
    deliveries = await connection.fetch(DELIVERIES, request_id, MOST + 1)
    attempts: dict[UUID, list[AttemptRow]] = defaultdict(list)
    for row in await connection.fetch(ATTEMPTS, [row["id"] for row in deliveries], MOST + 1):
        values = dict(row)
        attempts[values.pop("delivery_id")].append(AttemptRow(**values))
    _add(report.deliveries, [DeliveryRow(**row, attempts=attempts[row["id"]]) for row in deliveries])


def _add(section: Section[Any], rows: list[Any]) -> None:
    problem = f"there are more than {MOST}; these are the first" if len(rows) > MOST else None
    section.add(NAME, rows[:MOST], problem)
