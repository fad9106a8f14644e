"""Adjustments and transfers over HTTP."""

from collections.abc import Sequence

from fastapi import APIRouter, Response

from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.errors import InsufficientStock, StockBelowReserved, UnknownLocation, UnknownSku
from inventory_api.http.deps import BorrowedSession, RequestProvenance, RequiredIdempotency
from inventory_api.http.idempotency.execution import Idempotency
from inventory_api.http.idempotency.records import Answer
from inventory_api.http.openapi import BODY, REQUIRED_IDEMPOTENCY, error_responses
from inventory_api.http.routing import Route, requires
from inventory_api.stock import service
from inventory_api.stock.model import Change
from inventory_api.stock.schemas import Adjustments, Movements, MovementView, Transfers

router = APIRouter(prefix="/inventory", tags=["stock"], route_class=Route)

ERRORS = error_responses(
    *BODY, InsufficientStock, StockBelowReserved, UnknownSku, UnknownLocation, *REQUIRED_IDEMPOTENCY
)


@router.post("/adjustments", status_code=201, response_model=Movements, responses=ERRORS)
@requires("inventory:write")
async def adjust(
    adjustments: Adjustments, session: BorrowedSession, idempotency: RequiredIdempotency, provenance: RequestProvenance
) -> Response:
    """Add to what is on hand, or take from it: every line in order, or none."""
    return await _change(session, adjustments.changes(), "adjust", idempotency, provenance)


@router.post("/transfers", status_code=201, response_model=Movements, responses=ERRORS)
@requires("inventory:write")
async def transfer(
    transfers: Transfers, session: BorrowedSession, idempotency: RequiredIdempotency, provenance: RequestProvenance
) -> Response:
    """Move stock from one location to another one: every line in order, or none."""
    return await _change(session, transfers.changes(), "transfer", idempotency, provenance)


async def _change(
    session: Session, changes: Sequence[Change], action: str, idempotency: Idempotency, provenance: Provenance
) -> Response:
    async def change() -> Answer:
        movements = await service.change(session, changes, action, provenance)
        payload = Movements(movements=[MovementView.of(movement) for movement in movements])
        return Answer(201, payload.model_dump_json())

    return await idempotency.run(session, change)
