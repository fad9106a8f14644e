"""Attachments over HTTP."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from uuid_utils.compat import uuid7

from inventory_api.attachments import media, ranges, service
from inventory_api.attachments.deps import Contents, RequestContents, RequestPrincipal, RequestRange
from inventory_api.attachments.downloading import Download
from inventory_api.attachments.filenames import content_disposition
from inventory_api.attachments.model import Attachment, Owner, OwnerType, key
from inventory_api.attachments.receiving import MULTIPART
from inventory_api.attachments.schemas import CONTENT, FORM, AttachmentPage, AttachmentView, UploadCreation, UploadView
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.errors import (
    ContentMismatch,
    InvalidCursor,
    InvalidTransition,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    RangeNotSatisfiable,
    RequestTimeout,
    ServiceError,
    UnsupportedMediaType,
)
from inventory_api.http import pages
from inventory_api.http.auth import Principal, Scope
from inventory_api.http.deps import (
    BorrowedSession,
    Counting,
    RequestConditions,
    RequestIdempotency,
    RequestProvenance,
)
from inventory_api.http.idempotency.execution import answering
from inventory_api.http.openapi import BODY, CONDITIONAL_READ, ETAG, IDEMPOTENCY, error_responses
from inventory_api.http.responses import json_response, not_modified
from inventory_api.http.routing import Route, accepts, requires, streams
from inventory_api.http.schemas import NAME_PATTERN
from inventory_api.storage.model import SignedRequest

router = APIRouter(tags=["attachments"], route_class=Route)

# Whose bodies may be as large as a file.
UPLOAD_PATHS = re.compile("/(orders|inventory)/[^/]+/attachments")
READ_SCOPE: Mapping[OwnerType, Scope] = {"order": "orders:read", "item": "inventory:read"}
AttachmentId = Annotated[UUID, Path(examples=["01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10"])]
OrderId = Annotated[UUID, Path(examples=["01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10"])]
Sku = Annotated[str, Path(pattern=NAME_PATTERN, examples=["BOLT-M8"])]
UPLOAD: tuple[type[ServiceError], ...] = (
    NotFound, ContentMismatch, PayloadTooLarge, UnsupportedMediaType, RequestTimeout,
)  # fmt: skip


@router.get(
    "/orders/{id}/attachments", response_model=AttachmentPage, responses=error_responses(NotFound, InvalidCursor)
)
@requires("attachments:read", "orders:read")
async def list_attachments_of_order(id: OrderId, session: BorrowedSession, page: pages.Page) -> Response:  # noqa: A002
    """Attachments of an order, newest first."""
    return await _page(session, Owner("order", str(id)), page)


@router.get(
    "/inventory/{sku}/attachments", response_model=AttachmentPage, responses=error_responses(NotFound, InvalidCursor)
)
@requires("attachments:read", "inventory:read")
async def list_attachments_of_item(sku: Sku, session: BorrowedSession, page: pages.Page) -> Response:
    """Attachments of an item, newest first."""
    return await _page(session, Owner("item", sku), page)


@router.post(
    "/orders/{id}/attachments", status_code=201, response_model=AttachmentView, responses=error_responses(*UPLOAD)
)
@requires("attachments:write", "orders:read")
@accepts(MULTIPART)
@streams(FORM)
async def attach_to_order(
    id: OrderId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    contents: RequestContents,
    provenance: RequestProvenance,
    counting: Counting,
) -> Response:
    """Upload a file of at most 10 MiB; see `POST /attachments/uploads` for larger ones."""
    return await counting.upload("stored", _attach(Owner("order", str(id)), session, contents, provenance))


@router.post(
    "/inventory/{sku}/attachments", status_code=201, response_model=AttachmentView, responses=error_responses(*UPLOAD)
)
@requires("attachments:write", "inventory:read")
@accepts(MULTIPART)
@streams(FORM)
async def attach_to_item(
    sku: Sku, session: BorrowedSession, contents: RequestContents, provenance: RequestProvenance, counting: Counting
) -> Response:
    """Upload a file of at most 10 MiB; see `POST /attachments/uploads` for larger ones."""
    return await counting.upload("stored", _attach(Owner("item", sku), session, contents, provenance))


@router.post(
    "/attachments/uploads",
    status_code=201,
    response_model=UploadView,
    responses=error_responses(*BODY, NotFound, PayloadTooLarge, UnsupportedMediaType, *IDEMPOTENCY),
)
@requires("attachments:write")
async def create_upload(
    creation: UploadCreation,
    session: BorrowedSession,
    contents: RequestContents,
    principal: RequestPrincipal,
    idempotency: RequestIdempotency,
    provenance: RequestProvenance,
    counting: Counting,
) -> Response:
    """Have a URL signed to which exactly this content can be sent; then complete it."""
    owner = creation.owned_by()
    principal.require([READ_SCOPE[owner.type]])
    media.check_type(creation.content_type)
    media.check_size(creation.content_type, creation.size)
    promise, seconds = creation.promise(), contents.rules.upload_seconds
    upload_id = uuid7()
    # Where credentials are given out, it waits for them: so before the transaction.
    signed = await contents.storage.sign_upload(
        key(upload_id), promise.size, promise.content_type, promise.sha256, seconds
    )

    async def create() -> tuple[Attachment, SignedRequest]:
        return await service.announce(session, upload_id, owner, promise, seconds, provenance), signed

    answer = answering(create, _upload_view, lambda made: f"/attachments/{made[0].id}")
    return await counting.upload("signed", idempotency.run(session, answer))


@router.post(
    "/attachments/{id}/complete",
    response_model=AttachmentView,
    responses=error_responses(NotFound, InvalidTransition, ContentMismatch),
)
@requires("attachments:write")
async def complete_upload(
    id: AttachmentId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    contents: RequestContents,
    principal: RequestPrincipal,
    provenance: RequestProvenance,
    counting: Counting,
) -> Response:
    """Have what was uploaded looked at. It is available then, or rejected."""
    attachment = await _owned(session, id, principal)
    await session.give_back()
    return await counting.upload("completed", _complete(attachment, session, contents, provenance))


@router.get("/attachments/{id}", response_model=AttachmentView, responses=error_responses(NotFound))
@requires("attachments:read")
async def get_attachment(
    id: AttachmentId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    principal: RequestPrincipal,
) -> Response:
    """One attachment; its content is at `/attachments/{id}/content`."""
    return json_response(AttachmentView.of(await _owned(session, id, principal)))


@router.delete("/attachments/{id}", status_code=204, responses=error_responses(NotFound))
@requires("attachments:write")
async def delete_attachment(
    id: AttachmentId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    principal: RequestPrincipal,
    provenance: RequestProvenance,
) -> Response:
    """It is gone at once; its content is removed soon after."""
    await _owned(session, id, principal)
    await service.delete(session, id, provenance)
    return Response(status_code=204)


@router.get(
    "/attachments/{id}/content",
    response_class=Response,
    responses={
        **error_responses(NotFound, InvalidTransition, PreconditionFailed, RangeNotSatisfiable),
        **CONDITIONAL_READ,
        200: {"content": CONTENT, "headers": ETAG},
        206: {"description": "The part that `Range` asks for.", "content": CONTENT, "headers": ETAG},
        307: {"description": "The content is at `Location`, for a minute."},
    },
)
@requires("attachments:read")
async def get_content(
    id: AttachmentId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    contents: RequestContents,
    principal: RequestPrincipal,
    conditions: RequestConditions,
    asked: RequestRange,
) -> Response:
    """The file, to be saved: never shown in the page."""
    attachment = await _owned(session, id, principal)
    if attachment.status != "available":
        raise InvalidTransition(f"The attachment is {attachment.status}.")
    conditions.check_match(attachment.etag)
    if conditions.matches_none(attachment.etag):
        return not_modified(attachment.etag)
    if contents.redirects and (url := await _url(contents, attachment)) is not None:
        return Response(status_code=307, headers={"Location": url, "Cache-Control": "no-store"})
    part = ranges.requested(*asked, attachment.etag, attachment.promise.size)
    return Download(contents.storage, contents.downloads, attachment, part)


async def _page(session: Session, owner: Owner, query: pages.PageQuery) -> Response:
    bound_to = {"list": "attachments", "owner": f"{owner.type}:{owner.id}"}
    shown, next_cursor = await pages.turn(query, pages.NEWEST_FIRST, bound_to, partial(service.page, session, owner))
    return json_response(AttachmentPage(items=[AttachmentView.of(one) for one in shown], next_cursor=next_cursor))


async def _attach(owner: Owner, session: Session, contents: Contents, provenance: Provenance) -> Response:
    """The place comes first: those who have none yet, however many, need no connection."""
    async with contents.place():
        await service.require_owner(session, owner)
        await session.give_back()
        async with contents.received() as received:
            seconds = contents.rules.upload_seconds
            made = await service.attach(session, contents.storage, owner, received, seconds, provenance)
    return json_response(AttachmentView.of(made), status=201, headers={"Location": f"/attachments/{made.id}"})


async def _complete(attachment: Attachment, session: Session, contents: Contents, provenance: Provenance) -> Response:
    async with contents.place():
        completed = await service.complete(session, contents.storage, contents.inspector, attachment, provenance)
    return json_response(AttachmentView.of(completed))


async def _owned(session: Session, attachment_id: UUID, principal: Principal) -> Attachment:
    """One whose owner the principal may read as well."""
    attachment = await service.get(session, attachment_id)
    principal.require([READ_SCOPE[attachment.owner.type]])
    return attachment


async def _url(contents: Contents, attachment: Attachment) -> str | None:
    promise, seconds = attachment.promise, contents.rules.download_seconds
    disposition = content_disposition(promise.filename)
    return await contents.storage.sign_download(key(attachment.id), seconds, promise.content_type, disposition)


def _upload_view(made: tuple[Attachment, SignedRequest]) -> UploadView:
    attachment, signed = made
    return UploadView(
        id=attachment.id,
        method=signed.method,
        url=signed.url,
        headers=dict(signed.headers),
        expires_at=attachment.expires_at,
    )
