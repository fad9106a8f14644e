"""What can be done with attachments. No connection to the database is held while the storage is waited for."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from inventory_api import audit
from inventory_api.attachments import queries
from inventory_api.attachments.deadline import rest_of_deadline
from inventory_api.attachments.inspecting import Inspector
from inventory_api.attachments.model import Attachment, Owner, Promise, Status, key, resource
from inventory_api.attachments.receiving import Received
from inventory_api.attachments.verification import verify
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.transaction import in_transaction
from inventory_api.errors import ContentMismatch, InvalidTransition, NotFound, ServiceError
from inventory_api.inventory import service as inventory
from inventory_api.jobs.model import OBJECT_REMOVAL
from inventory_api.jobs.queue import gather
from inventory_api.orders import service as orders
from inventory_api.storage.model import ObjectMissing, Storage

logger = logging.getLogger(__name__)

# An upload that has begun before its URL expired may go on for so long.
GRACE_SECONDS = 3600.0
SWEEPER = "system:attachments"


async def require_owner(session: Session, owner: Owner) -> None:
    """
    Raises:
        NotFound: there is no such order or item.
    """
    if owner.order_id is not None:
        await orders.get(session, owner.order_id)
    else:
        await inventory.get_item(session, owner.id)


async def get(session: Session, attachment_id: UUID) -> Attachment:
    """
    Raises:
        NotFound: there is none with this id.
    """
    return _found(await queries.get(session, attachment_id))


async def page(
    session: Session, owner: Owner, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Attachment]:
    """At most `limit` attachments of that owner that come after the position `after`, newest first.

    Raises:
        NotFound: there is no such order or item.
    """
    await require_owner(session, owner)
    return await queries.page(session, owner, after, limit)


@in_transaction
async def announce(
    session: Session, attachment_id: UUID, owner: Owner, promise: Promise, seconds: int, provenance: Provenance
) -> Attachment:
    """One that is to be uploaded within so many seconds.

    Raises:
        NotFound: there is no such order or item.
    """
    await require_owner(session, owner)
    attachment = await queries.insert(session, attachment_id, owner, promise, seconds)
    await audit.record(session, "create", _changes({}, attachment.fields(), attachment.id), provenance)
    return attachment


async def attach(
    session: Session, storage: Storage, owner: Owner, received: Received, seconds: int, provenance: Provenance
) -> Attachment:
    """Store what was received, and checked. Its row is there before its object, which is so found in any case.

    Raises:
        NotFound: there is no such order or item.
        DependencyUnavailable: the storage is not.
    """
    attachment = await announce(session, uuid7(), owner, received.promise, seconds, provenance)
    await session.give_back()
    promise = received.promise
    try:
        async with rest_of_deadline():
            await storage.put(key(attachment.id), received.file, promise.size, promise.content_type, promise.sha256)
    except ServiceError:
        await _abandon(session, attachment.id, provenance)
        raise
    return await _become(session, attachment, "available", "complete", provenance)


async def complete(
    session: Session, storage: Storage, inspector: Inspector, attachment: Attachment, provenance: Provenance
) -> Attachment:
    """Look at what was uploaded; it is available from then on. Again, it changes nothing.

    Raises:
        InvalidTransition: nothing was uploaded, or it has come to its end, or another request is looking at it.
        ContentMismatch: what was uploaded is not what was promised; it is rejected.
        DependencyUnavailable: the storage is not.
    """
    if attachment.status == "available":
        return attachment
    attachment.require("verifying")
    found = await storage.describe(key(attachment.id))
    if found is None:
        raise InvalidTransition("Nothing was uploaded yet.")
    looked_at = await _become(session, attachment, "verifying", "verify", provenance)
    await session.give_back()
    try:
        async with rest_of_deadline():
            await verify(storage, looked_at, found, inspector)
    except ContentMismatch:
        await _reject(session, looked_at, provenance)
        raise
    except (ServiceError, ObjectMissing) as error:
        await _become(session, looked_at, "pending_upload", "verify", provenance)
        if isinstance(error, ObjectMissing):
            raise InvalidTransition("Nothing is uploaded any more.") from error
        raise
    return await _become(session, looked_at, "available", "complete", provenance)


@in_transaction
async def delete(session: Session, attachment_id: UUID, provenance: Provenance) -> None:
    """Its object is removed by a job.

    Raises:
        NotFound: there is none with this id.
    """
    attachment = _found(await queries.lock(session, attachment_id))
    await queries.delete(session, attachment_id)
    await audit.record(session, "delete", _changes(attachment.fields(), {}, attachment_id), provenance)
    await _remove_objects(session, [attachment_id], provenance)


@in_transaction
async def sweep(session: Session, provenance: Provenance, grace_seconds: float = GRACE_SECONDS) -> int:
    """Have what was never completed expire, some at a time; how many. Their objects are removed by a job."""
    lapsed = await queries.lapsed(session, grace_seconds)
    for attachment in lapsed:
        await _become(session, attachment, "expired", "expire", provenance)
    await _remove_objects(session, [attachment.id for attachment in lapsed], provenance)
    return len(lapsed)


@in_transaction
async def purge(session: Session, provenance: Provenance, days: int, grace_seconds: float = GRACE_SECONDS) -> int:
    """Remove the rows of what was deleted, or came to nothing so many days ago, some at a time; how many.

    Their objects are removed once more: they may have been uploaded in between.
    """
    purged = await queries.purge(session, grace_seconds, days)
    await _remove_objects(session, purged, provenance)
    return len(purged)


@in_transaction
async def _become(
    session: Session, attachment: Attachment, status: Status, action: str, provenance: Provenance
) -> Attachment:
    """
    Raises:
        InvalidTransition: it cannot become that, or is not any more what it was.
    """
    attachment.require(status)
    changed = await queries.change(session, attachment, status)
    if changed is None:
        raise InvalidTransition("The attachment has just been changed by another request.")
    await audit.record(session, action, _changes(attachment.fields(), changed.fields(), attachment.id), provenance)
    return changed


@in_transaction
async def _reject(session: Session, attachment: Attachment, provenance: Provenance) -> None:
    await _become(session, attachment, "rejected", "reject", provenance)
    await _remove_objects(session, [attachment.id], provenance)


async def _abandon(session: Session, attachment_id: UUID, provenance: Provenance) -> None:
    """At once, where that can be done; else the sweep finds it. What may have been stored all the same is removed."""
    try:
        await delete(session, attachment_id, provenance)
    except ServiceError as error:
        logger.warning("an attachment that could not be stored is left to the sweep: %s", error.message)


async def _remove_objects(session: Session, attachments: Sequence[UUID], provenance: Provenance) -> None:
    for attachment_id in attachments:
        await gather(session, OBJECT_REMOVAL, {"key": key(attachment_id)}, provenance)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], attachment_id: UUID) -> dict[str, dict[str, Any]]:
    return {resource(attachment_id): audit.difference(before, after)}


def _found(attachment: Attachment | None) -> Attachment:
    if attachment is None:
        raise NotFound("There is no attachment with this id.")
    return attachment
