"""The SQL by which deliveries are claimed, and what came of them is recorded: endpoint by endpoint.

Who claims has locked the endpoints; of the statements that follow, each sees what others have claimed before that. No
lock is held while anything is sent: a claim ends by itself, and then another worker sends the same once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.database.transaction import in_transaction

# Of one endpoint, by all workers together; of one that has just failed, a single one tries whether it is well again.
AT_ONCE = 4
# Longer than any request takes, and what is said of it afterwards.
CLAIM_SECONDS = 30.0
# After so many failures in a row, an endpoint is left alone; twice as long after each further one.
PAUSE_AFTER = 5
FIRST_PAUSE_SECONDS = 10.0
MAX_PAUSE_SECONDS = 300.0
FAILING_DAYS = 5

# Those that another worker claims from are left to it.
LOCK_ENDPOINTS = Statement(
    "webhooks.lock_endpoints",
    """
    SELECT id
    FROM webhook_endpoint endpoint
    WHERE status = 'enabled'
      AND (EXISTS (SELECT FROM webhook_delivery
                   WHERE endpoint_id = endpoint.id AND status = 'pending' AND requested
                     AND next_attempt_at <= statement_timestamp())
           OR coalesce(paused_until <= statement_timestamp(), true)
              AND EXISTS (SELECT FROM webhook_delivery
                          WHERE endpoint_id = endpoint.id AND status = 'pending' AND NOT requested
                            AND next_attempt_at <= statement_timestamp()))
    FOR NO KEY UPDATE SKIP LOCKED
    """,
)

# The endpoints by turns, the well ones first; no more than $4 of those that have just failed. What was begun and never
# came to an end has used up a try: what ends its worker must come to an end as well.
CLAIM = Statement(
    "webhooks.claim",
    """
    WITH open AS (
        SELECT id AS endpoint_id, failures > 0 AS is_failing,
               coalesce(paused_until > statement_timestamp(), false) AS is_paused,
               greatest(CASE WHEN failures > 0 THEN 1 ELSE $2 END
                        - (SELECT count(*) FROM webhook_delivery
                           WHERE endpoint_id = endpoint.id AND claimed_until > statement_timestamp()), 0) AS room
        FROM webhook_endpoint endpoint
        WHERE id = ANY ($1)
    ), due AS (
        SELECT delivery.id, delivery.next_attempt_at, open.is_failing, open.room,
               row_number() OVER (PARTITION BY open.endpoint_id
                                  ORDER BY delivery.requested DESC, delivery.next_attempt_at) AS turn
        FROM open
        CROSS JOIN LATERAL (
            (SELECT id, requested, next_attempt_at FROM webhook_delivery
             WHERE endpoint_id = open.endpoint_id AND status = 'pending' AND requested
               AND next_attempt_at <= statement_timestamp()
             ORDER BY next_attempt_at LIMIT open.room)
            UNION ALL
            (SELECT id, requested, next_attempt_at FROM webhook_delivery
             WHERE NOT open.is_paused AND endpoint_id = open.endpoint_id AND status = 'pending' AND NOT requested
               AND next_attempt_at <= statement_timestamp()
             ORDER BY next_attempt_at LIMIT open.room)
        ) AS delivery
    ), chosen AS (
        SELECT id
        FROM (SELECT id, is_failing, turn, next_attempt_at,
                     row_number() OVER (PARTITION BY is_failing ORDER BY turn, next_attempt_at) AS place
              FROM due WHERE turn <= room) AS ranked
        WHERE NOT is_failing OR place <= $4
        ORDER BY is_failing, turn, next_attempt_at
        LIMIT $3
    ), claimed AS (
        UPDATE webhook_delivery delivery
        SET status = CASE WHEN is_spent THEN 'failed' ELSE 'pending' END, requested = false, updated_at = moment,
            attempts = attempts + CASE WHEN is_spent THEN 0 ELSE 1 END,
            retries_left = greatest(retries_left - CASE WHEN claimed_until IS NULL THEN 0 ELSE 1 END, 0),
            claimed_until = CASE WHEN NOT is_spent THEN moment + $5 * interval '1 second' END,
            next_attempt_at = CASE WHEN NOT is_spent THEN moment + $5 * interval '1 second' END
        FROM (SELECT id, claimed_until IS NOT NULL AND retries_left = 0 AS is_spent
              FROM webhook_delivery WHERE id IN (SELECT id FROM chosen)) AS due_one,
             clock_timestamp() AS moment
        WHERE delivery.id = due_one.id
        RETURNING delivery.id, endpoint_id, event_id, attempts, retries_left, moment, is_spent
    ), begun AS (
        INSERT INTO webhook_attempt (delivery_id, number, started_at)
        SELECT id, attempts, moment FROM claimed WHERE NOT is_spent
    )
    SELECT claimed.id, claimed.endpoint_id, claimed.attempts AS number, claimed.retries_left, claimed.moment,
           endpoint.url, endpoint.failures > 0 AS is_failing, endpoint.secret,
           CASE WHEN endpoint.previous_secret_until > claimed.moment THEN endpoint.previous_secret END
           AS previous_secret,
           event.id AS event_id, event.type, event.body, event.request_id, event.trace_id, event.traceparent
    FROM claimed
    JOIN webhook_endpoint endpoint ON endpoint.id = claimed.endpoint_id
    JOIN event ON event.id = claimed.event_id
    WHERE NOT claimed.is_spent
    """,
)

# A delivery that was claimed again in between is that claim's, but for the good news that it has arrived.
RECORD = Statement(
    "webhooks.record",
    """
    WITH came AS (
        SELECT *
        FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::text[], $6::real[], $7::boolean[],
                    $8::float8[])
             AS came (id, number, status_code, reason, response, duration_ms, is_delivered, retry_seconds)
    ), attempted AS (
        UPDATE webhook_attempt attempt
        SET status_code = came.status_code, reason = came.reason, response = came.response,
            duration_ms = came.duration_ms
        FROM came
        WHERE attempt.delivery_id = came.id AND attempt.number = came.number
    )
    UPDATE webhook_delivery delivery
    SET status = CASE WHEN is_delivered THEN 'delivered' WHEN retry_seconds IS NULL THEN 'failed' ELSE 'pending' END,
        next_attempt_at = CASE WHEN NOT is_delivered THEN moment + retry_seconds * interval '1 second' END,
        retries_left = greatest(retries_left - CASE WHEN is_delivered THEN 0 ELSE 1 END, 0),
        claimed_until = NULL, updated_at = moment
    FROM came, clock_timestamp() AS moment
    WHERE delivery.id = came.id AND delivery.status = 'pending' AND NOT delivery.requested
      AND (is_delivered OR delivery.attempts = came.number)
    """,
)

# Locked in one order, whoever else records. A success among them ends the failures before it.
RECORD_ENDPOINTS = Statement(
    "webhooks.record_endpoints",
    """
    WITH came AS (
        SELECT *
        FROM unnest($1::uuid[], $2::boolean[], $3::integer[], $4::float8[]) AS came (id, has_success, failed, pause)
    ), locked AS (
        SELECT endpoint.id, came.failed, came.pause, endpoint.paused_until,
               CASE WHEN has_success THEN failed ELSE endpoint.failures + failed END AS failures,
               CASE WHEN failed = 0 THEN NULL
                    WHEN has_success THEN statement_timestamp()
                    ELSE coalesce(endpoint.failing_since, statement_timestamp()) END AS failing_since
        FROM webhook_endpoint endpoint JOIN came USING (id)
        WHERE endpoint.failures > 0 OR came.failed > 0
        ORDER BY endpoint.id
        FOR NO KEY UPDATE OF endpoint
    )
    UPDATE webhook_endpoint endpoint
    SET failures = locked.failures, failing_since = locked.failing_since,
        paused_until = CASE
            WHEN locked.failed = 0 THEN NULL
            ELSE greatest(locked.paused_until,
                          statement_timestamp() + locked.pause * interval '1 second',
                          CASE WHEN locked.failures >= $5
                               THEN statement_timestamp() + interval '1 second'
                                    * least($6 * power(2, least(locked.failures - $5, 20)), $7) END)
            END
    FROM locked
    WHERE endpoint.id = locked.id
    RETURNING endpoint.id, endpoint.status = 'enabled'
              AND endpoint.failing_since <= statement_timestamp() - $8 * interval '1 day' AS is_lost
    """,
)

# As if it had not been begun: this worker ends.
HAND_BACK = Statement(
    "webhooks.hand_back",
    """
    WITH handed_back AS (
        UPDATE webhook_delivery delivery
        SET next_attempt_at = clock_timestamp(), claimed_until = NULL
        FROM unnest($1::uuid[], $2::integer[]) AS claim (id, number)
        WHERE delivery.id = claim.id AND delivery.attempts = claim.number AND delivery.status = 'pending'
    )
    UPDATE webhook_attempt attempt
    SET reason = 'worker ended'
    FROM unnest($1::uuid[], $2::integer[]) AS claim (id, number)
    WHERE attempt.delivery_id = claim.id AND attempt.number = claim.number
    """,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that is this worker's to make. `secrets`: the newest first; `moment` is when it was claimed."""

    delivery_id: UUID
    endpoint_id: UUID
    number: int
    retries_left: int
    moment: datetime
    url: str
    is_failing: bool
    secrets: tuple[str, ...]
    event_id: UUID
    event_type: str
    body: str
    request_id: str
    trace_id: str | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt: a status code, or the reason why there is none. Without `retry_seconds` it was the last.

    For `pause_seconds` nothing at all is sent to the endpoint.
    """

    claim: Claim
    status_code: int | None
    reason: str | None
    response: str | None
    duration_seconds: float
    is_delivered: bool
    retry_seconds: float | None
    pause_seconds: float | None = None
    is_gone: bool = False


@in_transaction
async def claim(session: Session, count: int, failing: int) -> list[Claim]:
    """At most so many that are due, of these at most `failing` of endpoints that have just failed."""
    endpoints = [row["id"] for row in await session.fetch(LOCK_ENDPOINTS)]
    if not endpoints:
        return []
    return [_claim(row) for row in await session.fetch(CLAIM, endpoints, AT_ONCE, count, failing, CLAIM_SECONDS)]


async def record(session: Session, results: Sequence[Result]) -> list[UUID]:
    """Within the caller's transaction. The endpoints that have failed for longer than one waits for them."""
    rows = [
        (
            result.claim.delivery_id, result.claim.number, result.status_code, result.reason, result.response,
            result.duration_seconds * 1000, result.is_delivered, result.retry_seconds,
        )
        for result in results
    ]  # fmt: skip
    await session.execute(RECORD, *(list(column) for column in zip(*rows, strict=True)))
    pause = PAUSE_AFTER, FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS
    rows_of_endpoints = await session.fetch(RECORD_ENDPOINTS, *_by_endpoint(results), *pause, FAILING_DAYS)
    return [row["id"] for row in rows_of_endpoints if row["is_lost"]]


async def hand_back(session: Session, claims: Sequence[Claim]) -> None:
    """Others may send them at once."""
    await session.execute(HAND_BACK, [one.delivery_id for one in claims], [one.number for one in claims])


def _by_endpoint(results: Sequence[Result]) -> tuple[list[UUID], list[bool], list[int], list[float | None]]:
    """Of each: whether something arrived, how many failed after that, and how long it asks to be left alone."""
    found: dict[UUID, tuple[bool, int, float | None]] = {}
    for result in results:
        has_success, failed, pause = found.get(result.claim.endpoint_id, (False, 0, None))
        if result.is_delivered:
            found[result.claim.endpoint_id] = True, 0, None
        else:
            longest = max((one for one in (pause, result.pause_seconds) if one is not None), default=None)
            found[result.claim.endpoint_id] = has_success, failed + 1, longest
    states = found.values()
    return [*found], [one[0] for one in states], [one[1] for one in states], [one[2] for one in states]


def _claim(row: asyncpg.Record) -> Claim:
    secrets = tuple(one for one in (row["secret"], row["previous_secret"]) if one)
    names = (
        "endpoint_id", "number", "retries_left", "moment", "url", "is_failing", "event_id", "body", "request_id",
        "trace_id", "traceparent",
    )  # fmt: skip
    values = {name: row[name] for name in names}
    return Claim(delivery_id=row["id"], secrets=secrets, event_type=row["type"], **values)
