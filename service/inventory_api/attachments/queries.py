"""The SQL of attachments. Times are those of the database."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from inventory_api.attachments.model import Attachment, Owner, Promise, Status
from inventory_api.database.listing import Listing, given
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement

# A look at one of which nothing was heard for so long has come to nothing: it is to be completed as before.
COLUMNS = """
           id, order_id, sku, filename, content_type, size, sha256, expires_at, created_at, updated_at,
           CASE WHEN status = 'verifying' AND updated_at < statement_timestamp() - interval '1 minute'
                THEN 'pending_upload' ELSE status END AS status"""

INSERT = Statement(
    "attachments.insert",
    f"""
    INSERT INTO attachment (id, order_id, sku, status, filename, content_type, size, sha256, expires_at, created_at,
                            updated_at)
    SELECT $1, $2, $3, 'pending_upload', $4, $5, $6, $7, moment + $8 * interval '1 second', moment, moment
    FROM clock_timestamp() AS moment
    RETURNING {COLUMNS}
    """,  # noqa: S608 -- a constant
)

GET = Statement(
    "attachments.get",
    f"SELECT {COLUMNS} FROM attachment WHERE id = $1 AND deleted_at IS NULL",  # noqa: S608 -- a constant
)

LOCK = Statement(
    "attachments.lock",
    f"SELECT {COLUMNS} FROM attachment WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",  # noqa: S608 -- a constant
)

PAGE = Listing(
    "attachments.page",
    f"""
    SELECT {COLUMNS}
    FROM attachment
    {{where}}
    ORDER BY created_at DESC, id DESC
    LIMIT {{limit}}
    """,  # noqa: S608 -- a constant
    {
        "kept": "deleted_at IS NULL",
        "order_id": "order_id = {}",
        "sku": "sku = {}",
        "after": "(created_at, id) < ({}, {})",
    },
)

# Only as it was: of two who want to look at it, one does.
CHANGE = Statement(
    "attachments.change",
    f"""
    UPDATE attachment
    SET status = $3, updated_at = clock_timestamp()
    WHERE id = $1 AND updated_at = $2 AND deleted_at IS NULL
    RETURNING {COLUMNS}
    """,  # noqa: S608 -- a constant
)

DELETE = Statement(
    "attachments.delete",
    "UPDATE attachment SET deleted_at = clock_timestamp() WHERE id = $1",
)

# Whoever was to upload it may do so until it expires, and be at it for a while after that.
LAPSED = Statement(
    "attachments.lapsed",
    f"""
    SELECT {COLUMNS}
    FROM attachment
    WHERE status IN ('pending_upload', 'verifying') AND deleted_at IS NULL
      AND expires_at < statement_timestamp() - $1 * interval '1 second'
    ORDER BY expires_at
    LIMIT $2
    FOR NO KEY UPDATE SKIP LOCKED
    """,  # noqa: S608 -- a constant
)

# Of those that were deleted, the object may have been uploaded, or uploaded again, since.
PURGE = Statement(
    "attachments.purge",
    """
    DELETE FROM attachment
    WHERE id IN (SELECT id
                 FROM attachment
                 WHERE deleted_at IS NOT NULL AND expires_at < statement_timestamp() - $1 * interval '1 second'
                 LIMIT $3
                 FOR UPDATE SKIP LOCKED)
       OR id IN (SELECT id
                 FROM attachment
                 WHERE status IN ('rejected', 'expired') AND deleted_at IS NULL
                   AND updated_at < statement_timestamp() - $2 * interval '1 day'
                 ORDER BY updated_at
                 LIMIT $3
                 FOR UPDATE SKIP LOCKED)
    RETURNING id
    """,
)
# Of each transaction, so that it is short.
SWEPT = 500


async def insert(session: Session, attachment_id: UUID, owner: Owner, promise: Promise, seconds: int) -> Attachment:
    """One that is to be uploaded within so many seconds."""
    values = promise.filename, promise.content_type, promise.size, promise.sha256
    row = await session.fetch_one(INSERT, attachment_id, owner.order_id, owner.sku, *values, seconds)
    if row is None:
        raise RuntimeError(f"{INSERT.name}: nothing was written")
    return _attachment(row)


async def get(session: Session, attachment_id: UUID) -> Attachment | None:
    return _found(await session.fetch_one(GET, attachment_id))


async def lock(session: Session, attachment_id: UUID) -> Attachment | None:
    """As `get`, and nobody else changes it until the transaction ends."""
    return _found(await session.fetch_one(LOCK, attachment_id))


async def page(
    session: Session, owner: Owner, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Attachment]:
    """Newest first."""
    statement, arguments = PAGE.page({"kept": (), **given(after, order_id=owner.order_id, sku=owner.sku)}, limit)
    return [_attachment(row) for row in await session.fetch(statement, *arguments)]


async def change(session: Session, attachment: Attachment, status: Status) -> Attachment | None:
    """It becomes that; None where it is not any more what the caller has read."""
    return _found(await session.fetch_one(CHANGE, attachment.id, attachment.updated_at, status))


async def delete(session: Session, attachment_id: UUID) -> None:
    """Of one that the caller has locked."""
    await session.execute(DELETE, attachment_id)


async def lapsed(session: Session, grace_seconds: float) -> list[Attachment]:
    """Locked, and at most `SWEPT`: what was to be uploaded until so long ago, and was never completed."""
    return [_attachment(row) for row in await session.fetch(LAPSED, grace_seconds, SWEPT)]


async def purge(session: Session, grace_seconds: float, days: int) -> Sequence[UUID]:
    """Remove the rows of what was deleted, and of what came to nothing so many days ago; whose they were."""
    return [row["id"] for row in await session.fetch(PURGE, grace_seconds, days, SWEPT)]


def _found(row: asyncpg.Record | None) -> Attachment | None:
    return _attachment(row) if row is not None else None


def _attachment(row: asyncpg.Record) -> Attachment:
    order_id = row["order_id"]
    return Attachment(
        id=row["id"],
        owner=Owner("order", str(order_id)) if order_id else Owner("item", row["sku"]),
        status=row["status"],
        promise=Promise(row["filename"], row["content_type"], row["size"], row["sha256"]),
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
