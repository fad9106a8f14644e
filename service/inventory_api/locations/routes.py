"""Locations over HTTP."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Response

from inventory_api.errors import Conflict, EmptyPatch, InvalidCursor, NotFound, PreconditionFailed
from inventory_api.http import pages
from inventory_api.http.body import JSON_MEDIA_TYPE, MERGE_PATCH
from inventory_api.http.deps import BorrowedSession, RequestConditions, RequestIdempotency, RequestProvenance
from inventory_api.http.idempotency.records import Answer
from inventory_api.http.openapi import BODY, CONDITIONAL_READ, ETAG, IDEMPOTENCY, error_responses
from inventory_api.http.responses import json_response, not_modified
from inventory_api.http.routing import Route, accepts, requires
from inventory_api.http.schemas import NAME_PATTERN
from inventory_api.locations import service
from inventory_api.locations.schemas import LocationCreation, LocationPage, LocationPatch, LocationView

router = APIRouter(prefix="/locations", tags=["locations"], route_class=Route)

CodePath = Annotated[str, Path(pattern=NAME_PATTERN, examples=["MAIN"])]
FILTERS = {"list": "locations"}
NEWEST_FIRST = pages.Order(lambda one: (one.created_at, one.code), (pages.moment, pages.matching(NAME_PATTERN)))


@router.get("", response_model=LocationPage, responses=error_responses(InvalidCursor))
@requires("inventory:read")
async def list_locations(session: BorrowedSession, page: pages.Page) -> Response:
    """Every location, newest first."""
    shown, next_cursor = await pages.turn(page, NEWEST_FIRST, FILTERS, partial(service.page, session))
    return json_response(LocationPage(items=[LocationView.of(one) for one in shown], next_cursor=next_cursor))


@router.post(
    "",
    status_code=201,
    response_model=LocationView,
    responses=error_responses(*BODY, Conflict, *IDEMPOTENCY),
)
@requires("inventory:write")
async def create_location(
    creation: LocationCreation,
    session: BorrowedSession,
    idempotency: RequestIdempotency,
    provenance: RequestProvenance,
) -> Response:
    """A new location. Its code never changes."""

    async def create() -> Answer:
        location = await service.create_location(session, creation.model_dump(), provenance)
        return Answer(201, LocationView.of(location).model_dump_json(), f"/locations/{location.code}")

    return await idempotency.run(session, create)


@router.get(
    "/{code}",
    response_model=LocationView,
    responses={**CONDITIONAL_READ, **error_responses(NotFound, PreconditionFailed)},
)
@requires("inventory:read")
async def get_location(code: CodePath, session: BorrowedSession, conditions: RequestConditions) -> Response:
    """One location."""
    location = await service.get_location(session, code)
    conditions.check_match(location.etag)
    if conditions.matches_none(location.etag):
        return not_modified(location.etag)
    return json_response(LocationView.of(location), headers={"ETag": location.etag})


@router.patch(
    "/{code}",
    response_model=LocationView,
    responses={200: {"headers": ETAG}, **error_responses(*BODY, NotFound, EmptyPatch, PreconditionFailed)},
)
@accepts(JSON_MEDIA_TYPE, MERGE_PATCH)
@requires("inventory:write")
async def patch_location(
    code: CodePath,
    patch: LocationPatch,
    session: BorrowedSession,
    conditions: RequestConditions,
    provenance: RequestProvenance,
) -> Response:
    """Change the given fields and no others."""
    changes = patch.model_dump(exclude_unset=True)
    if not changes:
        raise EmptyPatch
    location = await service.patch_location(session, code, changes, conditions, provenance)
    return json_response(LocationView.of(location), headers={"ETag": location.etag})
