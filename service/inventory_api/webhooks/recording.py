"""The SQL by which it is recorded what came of deliveries, and of the endpoints that they went to."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from inventory_api.database.session import Session
from inventory_api.database.statement import Statement, columns
from inventory_api.webhooks.claims import Claim
from inventory_api.webhooks.model import DisabledReason

# After so many failures in a row, an endpoint is left alone; twice as long after each further one.
PAUSE_AFTER = 5
FIRST_PAUSE_SECONDS = 10.0
MAX_PAUSE_SECONDS = 300.0
# One that has taken nothing for so long, and was tried so often, is disabled.
FAILING_DAYS = 5
LEAST_FAILURES = 10
# Of one attempt: an endpoint that takes longer is in the way of others like one that fails.
SLOW_SECONDS = 2.0

# Locked in one order, whoever else records, and before deliveries are. A success ends the failures before it, but not
# what an endpoint has asked for.
RECORD_ENDPOINTS = Statement(
    "webhook_results.record_endpoints",
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
    "webhook_results.record",
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
        claimed_at = NULL, claimed_until = NULL, updated_at = moment
    FROM locked, clock_timestamp() AS moment
    WHERE delivery.id = locked.id
    """,
)


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
