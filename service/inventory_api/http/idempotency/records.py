"""What was answered to a key: written in the transaction of the effect, and kept for a day."""

from dataclasses import dataclass

from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.http.idempotency.key import Key

# The lock ends with the transaction, also where the process that held it was killed. The record may have been written
# between the beginning of this statement and its lock; then `INSERT` finds it.
CLAIM = Statement(
    "idempotency.claim",
    """
    SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0)) AS is_claimed,
           record.fingerprint, record.status, record.body, record.location
    FROM (SELECT) AS once
    LEFT JOIN idempotency_record record
           ON record.principal = $1 AND record.key = $2
          AND record.created_at > clock_timestamp() - interval '24 hours'
    """,
)

INSERT = Statement(
    "idempotency.insert",
    """
    INSERT INTO idempotency_record AS record (principal, key, fingerprint, status, body, location)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (principal, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body,
            location = excluded.location, created_at = clock_timestamp()
        WHERE record.created_at <= clock_timestamp() - interval '24 hours'
    RETURNING true
    """,
)


PURGE = Statement(
    "idempotency.purge",
    """
    WITH old AS (
        SELECT principal, key FROM idempotency_record
        WHERE created_at < statement_timestamp() - interval '24 hours'
        ORDER BY created_at
        LIMIT $1
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM idempotency_record USING old
    WHERE idempotency_record.principal = old.principal AND idempotency_record.key = old.key
    """,
)
# Of each transaction, so that it is short.
PURGED = 5_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of 2xx, as far as a replay repeats it. `body` is JSON."""

    status: int
    body: str
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of a key, once nobody else works on it: its fingerprint and answer, or neither."""

    fingerprint: bytes | None
    answer: Answer | None


async def claim(session: Session, key: Key) -> Claim | None:
    """Keep others from working on the key until the transaction ends; None where another one does already."""
    row = await session.fetch_one(CLAIM, key.principal, key.value)
    if row is None or not row["is_claimed"]:
        return None
    if row["fingerprint"] is None:
        return Claim(None, None)
    return Claim(row["fingerprint"], Answer(row["status"], row["body"], row["location"]))


async def insert(session: Session, key: Key, answer: Answer) -> bool:
    """Keep the answer, as the last statement of the effect's transaction; False where there is one already."""
    row = await session.finish(
        INSERT, key.principal, key.value, key.fingerprint, answer.status, answer.body, answer.location
    )
    return row is not None


async def purge(session: Session) -> int:
    """Remove records that count no more; how many, at most `PURGED`."""
    return await session.execute(PURGE, PURGED)
