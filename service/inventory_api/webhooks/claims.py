"""The SQL by which deliveries are claimed, endpoint by endpoint.

Who claims has locked the endpoints; of the statements that follow, each sees what others have claimed before that. No
lock is held while anything is sent: a claim that is not renewed ends by itself, and then another worker sends the same
once more. What came of it is recorded by `recording.py`.
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

# Of a delivery: whether somebody is at it, and whether it is to be sent now.
CLAIMED = "claimed_at IS NOT NULL AND claimed_until > statement_timestamp()"
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
            claimed_until = CASE WHEN NOT is_spent THEN moment + $3 * interval '1 second' END,
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

# Those that are still this worker's.
RENEW = Statement(
    "webhook_claims.renew",
    """
    WITH claim AS (
        SELECT * FROM unnest($1::uuid[], $2::integer[]) AS claim (id, number)
    ), locked AS (
        SELECT delivery.id
        FROM webhook_delivery delivery JOIN claim ON claim.id = delivery.id AND claim.number = delivery.attempts
        WHERE claimed_at IS NOT NULL
        ORDER BY delivery.id
        FOR NO KEY UPDATE OF delivery
    )
    UPDATE webhook_delivery delivery
    SET claimed_until = clock_timestamp() + $3 * interval '1 second'
    FROM locked
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
    UPDATE webhook_delivery delivery
    SET claimed_at = NULL, claimed_until = NULL
    FROM locked
    WHERE delivery.id = locked.id
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


@in_transaction
async def claim(session: Session, count: int, seconds: float, *, is_well: bool) -> list[Claim]:
    """At most so many that are due, of endpoints that are well, or of those that fail or are slow; for so long, unless
    they are renewed.
    """
    locked = await session.fetch(LOCK_ENDPOINTS, is_well, count, AT_ONCE)
    if not locked:
        return []
    chosen = await session.fetch(CHOOSE, [row["id"] for row in locked], count, AT_ONCE)
    taken = await session.fetch(TAKE, [row["id"] for row in chosen], [row["attempts"] for row in chosen], seconds)
    return [_claim(row, is_well=is_well) for row in taken]


async def renew(session: Session, claims: Sequence[Claim], seconds: float) -> int:
    """They are good for so long from now; how many still were."""
    return await session.execute(RENEW, [one.delivery_id for one in claims], [one.number for one in claims], seconds)


async def hand_back(session: Session, claims: Sequence[Claim]) -> int:
    """Others may send them at once; how many they are."""
    return await session.execute(HAND_BACK, [one.delivery_id for one in claims], [one.number for one in claims])


def _claim(row: asyncpg.Record, *, is_well: bool) -> Claim:
    secrets = tuple(one for one in (row["secret"], row["previous_secret"]) if one)
    names = (
        "endpoint_id", "number", "retries_left", "moment", "is_spent", "url", "generation", "event_id", "body",
        "request_id", "trace_id", "traceparent",
    )  # fmt: skip
    values = {name: row[name] for name in names}
    return Claim(delivery_id=row["id"], secrets=secrets, event_type=row["type"], is_well=is_well, **values)
