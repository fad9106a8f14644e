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
from inventory_api.database.statement import Statement, columns
from inventory_api.database.transaction import in_transaction
from inventory_api.webhooks.deliveries import CLAIM_SECONDS
from inventory_api.webhooks.model import DisabledReason

# Of one endpoint, by all workers together; of one that has just failed, a single one tries whether it is well again.
AT_ONCE = 4
# After so many failures in a row, an endpoint is left alone; twice as long after each further one.
PAUSE_AFTER = 5
FIRST_PAUSE_SECONDS = 10.0
MAX_PAUSE_SECONDS = 300.0
# One that has taken nothing for so long, and was tried so often, is disabled.
FAILING_DAYS = 5
LEAST_FAILURES = 10
# Of one attempt: an endpoint that takes longer is in the way of others like one that fails.
SLOW_SECONDS = 2.0

# Of a delivery, a claim being good for $4 seconds: whether somebody is at it, and whether it is to be sent now.
CLAIMED = "claimed_at >= statement_timestamp() - $4 * interval '1 second'"
DUE = f"""status = 'pending' AND next_attempt_at <= statement_timestamp()
           AND NOT coalesce({CLAIMED}, false)"""

# Those that fail or are slow, or ($1) those that are neither: the longest due first, before these what people ask for.
# Those that another worker claims from are left to it.
LOCK_ENDPOINTS = Statement(
    "webhook_claims.lock_endpoints",
    f"""
    SELECT endpoint.id
    FROM webhook_endpoint endpoint
    CROSS JOIN LATERAL (
        (SELECT next_attempt_at, false AS can_wait FROM webhook_delivery
         WHERE endpoint_id = endpoint.id AND requested_at IS NOT NULL AND {DUE}
         ORDER BY next_attempt_at LIMIT 1)
        UNION ALL
        (SELECT next_attempt_at, true FROM webhook_delivery
         WHERE coalesce(greatest(endpoint.paused_until, endpoint.retry_after) <= statement_timestamp(), true)
           AND endpoint_id = endpoint.id AND requested_at IS NULL AND {DUE}
         ORDER BY next_attempt_at LIMIT 1)
        ORDER BY can_wait LIMIT 1
    ) AS due
    WHERE endpoint.status = 'enabled' AND (endpoint.failures = 0 AND NOT endpoint.is_slow) = $1
      AND (SELECT count(*) FROM webhook_delivery
           WHERE endpoint_id = endpoint.id AND {CLAIMED})
          < CASE WHEN endpoint.failures > 0 THEN 1 ELSE $3 END
    ORDER BY due.can_wait, due.next_attempt_at
    LIMIT $2
    FOR NO KEY UPDATE OF endpoint SKIP LOCKED
    """,  # noqa: S608 -- constants
)

# Of those that are locked, by turns, as many of each as there is room for beside what others have claimed.
CHOOSE = Statement(
    "webhook_claims.choose",
    f"""
    WITH open AS MATERIALIZED (
        SELECT id AS endpoint_id,
               coalesce(greatest(paused_until, retry_after) > statement_timestamp(), false) AS is_paused,
               greatest(CASE WHEN failures > 0 THEN 1 ELSE $3 END
                        - (SELECT count(*) FROM webhook_delivery
                           WHERE endpoint_id = endpoint.id AND {CLAIMED}), 0) AS room
        FROM webhook_endpoint endpoint
        WHERE id = ANY ($1)
    ), due AS (
        SELECT delivery.*, open.room,
               row_number() OVER (PARTITION BY open.endpoint_id
                                  ORDER BY delivery.can_wait, delivery.next_attempt_at) AS turn
        FROM open
        CROSS JOIN LATERAL (
            (SELECT id, attempts, next_attempt_at, false AS can_wait FROM webhook_delivery
             WHERE endpoint_id = open.endpoint_id AND requested_at IS NOT NULL AND {DUE}
             ORDER BY next_attempt_at LIMIT open.room)
            UNION ALL
            (SELECT id, attempts, next_attempt_at, true FROM webhook_delivery
             WHERE NOT open.is_paused AND endpoint_id = open.endpoint_id AND requested_at IS NULL AND {DUE}
             ORDER BY next_attempt_at LIMIT open.room)
        ) AS delivery
    )
    SELECT id, attempts FROM due WHERE turn <= room ORDER BY turn, can_wait, next_attempt_at LIMIT $2
    """,  # noqa: S608 -- constants
)

# As they were chosen, if they still are: good news may have come. What was begun and never came to an end has used up a
# try, unless it was asked for since: what ends its worker must come to an end as well, here, when it has no try left.
TAKE = Statement(
    "webhook_claims.take",
    """
    WITH chosen AS (
        SELECT * FROM unnest($1::uuid[], $2::integer[]) AS chosen (id, attempts)
    ), locked AS (
        SELECT delivery.id, delivery.attempts, retries_left,
               claimed_at IS NOT NULL AND coalesce(requested_at <= claimed_at, true) AS has_used_up_a_try
        FROM webhook_delivery delivery JOIN chosen ON chosen.id = delivery.id AND chosen.attempts = delivery.attempts
        WHERE status = 'pending'
        ORDER BY delivery.id
        FOR NO KEY UPDATE OF delivery
    ), judged AS (
        SELECT id, attempts, has_used_up_a_try, has_used_up_a_try AND retries_left = 0 AS is_spent FROM locked
    ), lost AS (
        UPDATE webhook_attempt attempt
        SET reason = 'worker lost'
        FROM judged
        WHERE attempt.delivery_id = judged.id AND attempt.number = judged.attempts
          AND attempt.status_code IS NULL AND attempt.reason IS NULL
    ), taken AS (
        UPDATE webhook_delivery delivery
        SET status = CASE WHEN is_spent THEN 'failed' ELSE 'pending' END, updated_at = moment,
            attempts = delivery.attempts + CASE WHEN is_spent THEN 0 ELSE 1 END,
            retries_left = retries_left - CASE WHEN has_used_up_a_try AND NOT is_spent THEN 1 ELSE 0 END,
            claimed_at = CASE WHEN NOT is_spent THEN moment END,
            next_attempt_at = CASE WHEN NOT is_spent THEN next_attempt_at END
        FROM judged, clock_timestamp() AS moment
        WHERE delivery.id = judged.id
        RETURNING delivery.id, endpoint_id, event_id, delivery.attempts, retries_left, moment, is_spent
    ), begun AS (
        INSERT INTO webhook_attempt (delivery_id, number, started_at)
        SELECT id, attempts, moment FROM taken WHERE NOT is_spent
    )
    SELECT taken.id, taken.endpoint_id, taken.attempts AS number, taken.retries_left, taken.moment, taken.is_spent,
           endpoint.url, endpoint.generation, endpoint.secret,
           CASE WHEN endpoint.previous_secret_until > taken.moment THEN endpoint.previous_secret END AS previous_secret,
           event.id AS event_id, event.type, event.body, event.request_id, event.trace_id, event.traceparent
    FROM taken
    JOIN webhook_endpoint endpoint ON endpoint.id = taken.endpoint_id
    JOIN event ON event.id = taken.event_id
    """,
)

# Locked in one order, whoever else records, and before deliveries are. A success ends the failures before it, but not
# what an endpoint has asked for.
RECORD_ENDPOINTS = Statement(
    "webhook_claims.record_endpoints",
    """
    WITH came AS (
        SELECT *
        FROM unnest($1::uuid[], $2::integer[], $3::boolean[], $4::integer[], $5::float8[], $6::boolean[], $7::boolean[])
             AS came (id, generation, has_success, failed, retry_after_seconds, is_gone, is_slow)
    ), locked AS (
        SELECT endpoint.id, came.failed, came.retry_after_seconds, came.is_gone, came.is_slow,
               CASE WHEN has_success THEN failed ELSE endpoint.failures + failed END AS failures,
               CASE WHEN failed = 0 THEN NULL
                    WHEN has_success THEN statement_timestamp()
                    ELSE coalesce(endpoint.failing_since, statement_timestamp()) END AS failing_since
        FROM webhook_endpoint endpoint
        JOIN came ON came.id = endpoint.id AND came.generation = endpoint.generation
        WHERE endpoint.failures > 0 OR came.failed > 0 OR endpoint.is_slow <> came.is_slow
        ORDER BY endpoint.id
        FOR NO KEY UPDATE OF endpoint
    )
    UPDATE webhook_endpoint endpoint
    SET failures = locked.failures, failing_since = locked.failing_since, is_slow = locked.is_slow,
        retry_after = greatest(retry_after, statement_timestamp() + locked.retry_after_seconds * interval '1 second'),
        paused_until = CASE
            WHEN locked.failed = 0 THEN NULL
            WHEN locked.failures < $8 THEN paused_until
            ELSE statement_timestamp()
                 + interval '1 second' * least($9 * power(2, least(locked.failures - $8, 20)), $10)
            END
    FROM locked
    WHERE endpoint.id = locked.id
    RETURNING endpoint.id, locked.is_gone,
              endpoint.failing_since <= statement_timestamp() - $11 * interval '1 day' AND endpoint.failures >= $12
              AS is_lost
    """,
)

# A delivery that was claimed again in between is that claim's, but for the good news that it has arrived: these count
# whatever it has become. One that was asked for while it was being sent begins anew, whatever came of that.
RECORD = Statement(
    "webhook_claims.record",
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
    ), locked AS (
        SELECT delivery.id, came.is_delivered, came.retry_seconds, endpoint.status = 'deleted' AS is_unwanted,
               coalesce(delivery.requested_at > delivery.claimed_at, false) AS begins_anew
        FROM webhook_delivery delivery
        JOIN came ON came.id = delivery.id
        JOIN webhook_endpoint endpoint ON endpoint.id = delivery.endpoint_id
        WHERE (delivery.status = 'pending' AND delivery.attempts = came.number)
           OR (delivery.status <> 'delivered' AND came.is_delivered)
        ORDER BY delivery.id
        FOR NO KEY UPDATE OF delivery
    )
    UPDATE webhook_delivery delivery
    SET status = CASE WHEN begins_anew THEN 'pending'
                      WHEN is_delivered THEN 'delivered'
                      WHEN is_unwanted THEN 'cancelled'
                      WHEN retry_seconds IS NULL THEN 'failed'
                      ELSE 'pending' END,
        next_attempt_at = CASE WHEN begins_anew THEN next_attempt_at
                               WHEN NOT is_delivered AND NOT is_unwanted
                               THEN moment + retry_seconds * interval '1 second' END,
        retries_left = retries_left - CASE WHEN begins_anew OR is_delivered OR retries_left = 0 THEN 0 ELSE 1 END,
        requested_at = CASE WHEN begins_anew THEN requested_at END,
        claimed_at = NULL, updated_at = moment
    FROM locked, clock_timestamp() AS moment
    WHERE delivery.id = locked.id
    """,
)

# As if it had not been begun: this worker ends.
HAND_BACK = Statement(
    "webhook_claims.hand_back",
    """
    WITH claim AS (
        SELECT * FROM unnest($1::uuid[], $2::integer[]) AS claim (id, number)
    ), noted AS (
        UPDATE webhook_attempt attempt
        SET reason = 'worker ended'
        FROM claim
        WHERE attempt.delivery_id = claim.id AND attempt.number = claim.number
          AND attempt.status_code IS NULL AND attempt.reason IS NULL
    ), locked AS (
        SELECT delivery.id
        FROM webhook_delivery delivery JOIN claim ON claim.id = delivery.id AND claim.number = delivery.attempts
        WHERE status = 'pending'
        ORDER BY delivery.id
        FOR NO KEY UPDATE OF delivery
    )
    UPDATE webhook_delivery delivery SET claimed_at = NULL FROM locked WHERE delivery.id = locked.id
    """,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that is this worker's to make. `secrets`: the newest first; `moment` is when it was claimed.

    `is_spent`: none, but the end of what has ended its worker at its last try.
    """

    delivery_id: UUID
    endpoint_id: UUID
    number: int
    retries_left: int
    moment: datetime
    url: str
    generation: int
    is_well: bool
    is_spent: bool
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

    For `retry_after_seconds` the endpoint has asked to be sent nothing at all.
    """

    claim: Claim
    status_code: int | None
    reason: str | None
    response: str | None
    duration_seconds: float
    is_delivered: bool
    retry_seconds: float | None
    retry_after_seconds: float | None = None
    is_gone: bool = False


@dataclass(slots=True)
class _Came:
    """Of one endpoint: whether something has arrived, how many failed after that, and what it is like."""

    has_success: bool = False
    failed: int = 0
    retry_after_seconds: float | None = None
    is_gone: bool = False
    is_slow: bool = False

    def add(self, result: Result) -> None:
        self.has_success = self.has_success or result.is_delivered
        self.failed = 0 if result.is_delivered else self.failed + 1
        self.is_gone = self.is_gone or result.is_gone
        self.is_slow = self.is_slow or result.duration_seconds > SLOW_SECONDS
        if result.retry_after_seconds is not None:
            self.retry_after_seconds = max(self.retry_after_seconds or 0.0, result.retry_after_seconds)


@in_transaction
async def claim(session: Session, count: int, *, is_well: bool) -> list[Claim]:
    """At most so many that are due, of endpoints that are well, or of those that fail or are slow."""
    locked = await session.fetch(LOCK_ENDPOINTS, is_well, count, AT_ONCE, CLAIM_SECONDS)
    if not locked:
        return []
    chosen = await session.fetch(CHOOSE, [row["id"] for row in locked], count, AT_ONCE, CLAIM_SECONDS)
    taken = await session.fetch(TAKE, [row["id"] for row in chosen], [row["attempts"] for row in chosen])
    return [_claim(row, is_well=is_well) for row in taken]


async def record(session: Session, results: Sequence[Result]) -> dict[UUID, DisabledReason]:
    """Within the caller's transaction. The endpoints that are to be disabled for it, and why."""
    pause, lost = (PAUSE_AFTER, FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS), (FAILING_DAYS, LEAST_FAILURES)
    endpoints = await session.fetch(RECORD_ENDPOINTS, *_by_endpoint(results), *pause, *lost)
    rows = [
        (
            result.claim.delivery_id, result.claim.number, result.status_code, result.reason, result.response,
            result.duration_seconds * 1000, result.is_delivered, result.retry_seconds,
        )
        for result in results
    ]  # fmt: skip
    await session.execute(RECORD, *columns(rows))
    return {row["id"]: "gone" if row["is_gone"] else "failing" for row in endpoints if row["is_gone"] or row["is_lost"]}


async def hand_back(session: Session, claims: Sequence[Claim]) -> int:
    """Others may send them at once; how many they are."""
    return await session.execute(HAND_BACK, [one.delivery_id for one in claims], [one.number for one in claims])


def _by_endpoint(results: Sequence[Result]) -> list[list[object]]:
    """The columns of what came of each endpoint, in the order in which it came."""
    found: dict[tuple[UUID, int], _Came] = {}
    for result in results:
        found.setdefault((result.claim.endpoint_id, result.claim.generation), _Came()).add(result)
    rows = [
        (*endpoint, came.has_success, came.failed, came.retry_after_seconds, came.is_gone, came.is_slow)
        for endpoint, came in found.items()
    ]
    return columns(rows)


def _claim(row: asyncpg.Record, *, is_well: bool) -> Claim:
    secrets = tuple(one for one in (row["secret"], row["previous_secret"]) if one)
    names = (
        "endpoint_id", "number", "retries_left", "moment", "is_spent", "url", "generation", "event_id", "body",
        "request_id", "trace_id", "traceparent",
    )  # fmt: skip
    values = {name: row[name] for name in names}
    return Claim(delivery_id=row["id"], secrets=secrets, event_type=row["type"], is_well=is_well, **values)
