"""Adjustments, transfers and what they moved over HTTP."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.errors import InsufficientStock, InvalidCursor, StockBelowReserved, UnknownLocation, UnknownSku
from inventory_api.http import pages
from inventory_api.http.deps import BorrowedSession, RequestProvenance, RequiredIdempotency
from inventory_api.http.idempotency.execution import Idempotency
from inventory_api.http.idempotency.records import Answer
from inventory_api.http.openapi import BODY, REQUIRED_IDEMPOTENCY, error_responses
from inventory_api.http.responses import json_response
from inventory_api.http.routing import Route, requires
from inventory_api.stock import service
from inventory_api.stock.model import Change
from inventory_api.stock.schemas import Adjustments, MovementPage, MovementQuery, Movements, MovementView, Transfers

router = APIRouter(tags=["stock"], route_class=Route)

ERRORS = error_responses(
    *BODY, InsufficientStock, StockBelowReserved, UnknownSku, UnknownLocation, *REQUIRED_IDEMPOTENCY
)


@router.post("/inventory/adjustments", status_code=201, response_model=Movements, responses=ERRORS)
@requires("inventory:write")
async def adjust(
    adjustments: Adjustments, session: BorrowedSession, idempotency: RequiredIdempotency, provenance: RequestProvenance
) -> Response:
    """Add to what is on hand, or take from it: every line in order, or none."""
    return await _change(session, adjustments.changes(), "adjust", idempotency, provenance)


@router.post("/inventory/transfers", status_code=201, response_model=Movements, responses=ERRORS)
@requires("inventory:write")
async def transfer(
    transfers: Transfers, session: BorrowedSession, idempotency: RequiredIdempotency, provenance: RequestProvenance
) -> Response:
    """Move stock from one location to another one: every line in order, or none."""
    return await _change(session, transfers.changes(), "transfer", idempotency, provenance)


@router.get("/movements", response_model=MovementPage, responses=error_responses(InvalidCursor))
@requires("inventory:read")
async def list_movements(session: BorrowedSession, query: Annotated[MovementQuery, Query()]) -> Response:
    """What one request has moved, newest first: the `Location` of adjustments and transfers."""
    filters = {"list": "movements", "request_id": query.request_id}
    find = partial(service.movements_of_request, session, query.request_id)
    shown, next_cursor = await pages.turn(query, pages.NEWEST_FIRST, filters, find)
    return json_response(MovementPage(items=[MovementView.of(one) for one in shown], next_cursor=next_cursor))


async def _change(
    session: Session, changes: Sequence[Change], action: str, idempotency: Idempotency, provenance: Provenance
) -> Response:
    async def change() -> Answer:
        movements = await service.change(session, changes, action, provenance)
        payload = Movements(movements=[MovementView.of(movement) for movement in movements])
        location = f"/movements?{urlencode({'request_id': provenance.request_id})}"
        return Answer(201, payload.model_dump_json(), location)

    return await idempotency.run(session, change)
