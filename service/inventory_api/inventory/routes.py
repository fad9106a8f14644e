"""Items over HTTP."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Path, Query, Request, Response

from inventory_api.database.session import Session
from inventory_api.errors import (
    Detail,
    EmptyPatch,
    InsufficientStock,
    InvalidCursor,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    ServiceError,
    StockBelowReserved,
    UnknownLocation,
    ValidationFailure,
)
from inventory_api.http import pages
from inventory_api.http.audit_schemas import AuditEntryView, AuditPage
from inventory_api.http.body import JSON_MEDIA_TYPE, MERGE_PATCH, media_type
from inventory_api.http.deps import BorrowedSession, RequestCaching, RequestConditions, RequestProvenance
from inventory_api.http.openapi import BODY, CONDITIONAL_READ, ETAG, error_responses
from inventory_api.http.responses import json_response, not_modified
from inventory_api.http.routing import Route, accepts, requires
from inventory_api.http.schemas import NAME_PATTERN
from inventory_api.inventory import service
from inventory_api.inventory.model import resource
from inventory_api.inventory.schemas import ItemPage, ItemPatch, ItemQuery, ItemReplacement, ItemView
from inventory_api.redis.read_cache import Representation
from inventory_api.stock.schemas import MovementPage, MovementView

router = APIRouter(prefix="/inventory", tags=["inventory"], route_class=Route)

CHANGE: tuple[type[ServiceError], ...] = (
    *BODY,
    InsufficientStock,
    StockBelowReserved,
    PreconditionFailed,
    UnknownLocation,
    PreconditionRequired,
)

BY_SKU = pages.Order(lambda item: (item.sku,), (pages.matching(NAME_PATTERN),))
SkuPath = Annotated[str, Path(pattern=NAME_PATTERN, examples=["BOLT-M8"])]


@router.get("", response_model=ItemPage, responses=error_responses(InvalidCursor))
@requires("inventory:read")
async def list_items(session: BorrowedSession, query: Annotated[ItemQuery, Query()]) -> Response:
    """Items by sku."""
    filters = query.filters()
    bound_to = {"list": "items", **{name: str(value) for name, value in filters.conditions().items()}}
    shown, next_cursor = await pages.turn(query, BY_SKU, bound_to, partial(service.page, session, filters))
    return json_response(ItemPage(items=[ItemView.of(item) for item in shown], next_cursor=next_cursor))


@router.get(
    "/{sku}",
    response_model=ItemView,
    responses={**CONDITIONAL_READ, **error_responses(NotFound, PreconditionFailed)},
)
@requires("inventory:read")
async def get_item(
    sku: SkuPath, caching: RequestCaching, conditions: RequestConditions, tasks: BackgroundTasks
) -> Response:
    """One item with its levels. `ETag` changes with every edit and every movement of stock.

    What another instance could not tell of may be up to 5 seconds old; `Cache-Control: no-cache` asks for what is now.
    """

    async def load(session: Session) -> Representation:
        item = await service.get_item(session, sku)
        return Representation(item.etag, ItemView.of(item).model_dump_json().encode())

    found = await caching.get(resource(sku), load, tasks)
    conditions.check_match(found.etag)
    if conditions.matches_none(found.etag):
        return not_modified(found.etag)
    return Response(found.body, headers={"ETag": found.etag}, media_type="application/json")


@router.put(
    "/{sku}",
    response_model=ItemView,
    responses={
        200: {"headers": ETAG},
        201: {"model": ItemView, "description": "Created.", "headers": ETAG},
        **error_responses(*CHANGE),
    },
)
@requires("inventory:write")
async def put_item(
    sku: SkuPath,
    replacement: ItemReplacement,
    session: BorrowedSession,
    conditions: RequestConditions,
    provenance: RequestProvenance,
) -> Response:
    """Create the item, or replace every field of it. To replace, `If-Match` is required."""
    item, created = await service.put_item(session, sku, replacement.model_dump(), conditions, provenance)
    headers = {"ETag": item.etag, **({"Location": f"/inventory/{sku}"} if created else {})}
    return json_response(ItemView.of(item), status=201 if created else 200, headers=headers)


@router.patch(
    "/{sku}",
    response_model=ItemView,
    responses={200: {"headers": ETAG}, **error_responses(NotFound, EmptyPatch, *CHANGE)},
)
@accepts(JSON_MEDIA_TYPE, MERGE_PATCH)
@requires("inventory:write")
async def patch_item(
    request: Request,
    sku: SkuPath,
    patch: ItemPatch,
    session: BorrowedSession,
    conditions: RequestConditions,
    provenance: RequestProvenance,
) -> Response:
    """Change the given fields and no others. To set `quantity`, `If-Match` is required.

    As `application/merge-patch+json`, members of `attributes` are merged (RFC 7396); as `application/json`,
    `attributes` is replaced whole.
    """
    changes = patch.model_dump(exclude_unset=True)
    if changes.pop("sku", sku) != sku:
        detail = Detail(("body", "sku"), "immutable", "The sku must equal that of the path.")
        raise ValidationFailure(details=[detail])
    if not changes:
        raise EmptyPatch
    merge = media_type(request.headers) == MERGE_PATCH
    item = await service.patch_item(session, sku, changes, merge=merge, conditions=conditions, provenance=provenance)
    return json_response(ItemView.of(item), headers={"ETag": item.etag})


@router.get("/{sku}/movements", response_model=MovementPage, responses=error_responses(InvalidCursor, NotFound))
@requires("inventory:read")
async def get_item_movements(sku: SkuPath, session: BorrowedSession, page: pages.Page) -> Response:
    """How the stock of the item came to be what it is, newest first."""
    filters = {"list": "item-movements", "sku": sku}
    find = partial(service.movements_page, session, sku)
    shown, next_cursor = await pages.turn(page, pages.NEWEST_FIRST, filters, find)
    return json_response(MovementPage(items=[MovementView.of(one) for one in shown], next_cursor=next_cursor))


@router.get("/{sku}/audit", response_model=AuditPage, responses=error_responses(InvalidCursor, NotFound))
@requires("audit:read")
async def get_item_audit(sku: SkuPath, session: BorrowedSession, page: pages.Page) -> Response:
    """Every change of the item, newest first."""
    filters = {"list": "item-audit", "sku": sku}
    find = partial(service.audit_page, session, sku)
    shown, next_cursor = await pages.turn(page, pages.NEWEST_FIRST, filters, find)
    return json_response(AuditPage(items=[AuditEntryView.of(entry) for entry in shown], next_cursor=next_cursor))
