"""Orders over HTTP."""

from dataclasses import asdict
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import MISSING

from inventory_api.errors import (
    Conflict,
    InsufficientStock,
    InvalidCursor,
    InvalidTransition,
    ItemDiscontinued,
    NotFound,
    ReservationExpired,
    ServiceError,
    UnknownLocation,
    UnknownSku,
)
from inventory_api.http import pages
from inventory_api.http.deps import (
    BorrowedSession,
    Counting,
    RequestIdempotency,
    RequestProvenance,
    RequiredIdempotency,
)
from inventory_api.http.idempotency.execution import answering
from inventory_api.http.openapi import BODY, IDEMPOTENCY, REQUIRED_IDEMPOTENCY, error_responses
from inventory_api.http.responses import json_response
from inventory_api.http.routing import Route, requires
from inventory_api.orders import service
from inventory_api.orders.model import Order
from inventory_api.orders.schemas import OrderCreation, OrderPage, OrderQuery, OrderView

router = APIRouter(prefix="/orders", tags=["orders"], route_class=Route)

OrderId = Annotated[UUID, Path(examples=["01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10"])]
CHANGE: tuple[type[ServiceError], ...] = (NotFound, InvalidTransition, *IDEMPOTENCY)


@router.get("", response_model=OrderPage, responses=error_responses(InvalidCursor))
@requires("orders:read")
async def list_orders(session: BorrowedSession, query: Annotated[OrderQuery, Query()]) -> Response:
    """Orders, newest first."""
    filters = query.filters()
    shown, next_cursor = await pages.turn(
        query, pages.NEWEST_FIRST, {"list": "orders", **asdict(filters)}, partial(service.page, session, filters)
    )
    return json_response(OrderPage(items=[OrderView.of(one) for one in shown], next_cursor=next_cursor))


@router.post(
    "",
    status_code=201,
    response_model=OrderView,
    responses=error_responses(
        *BODY,
        NotFound,
        InsufficientStock,
        ItemDiscontinued,
        InvalidTransition,
        ReservationExpired,
        Conflict,
        UnknownSku,
        UnknownLocation,
        *REQUIRED_IDEMPOTENCY,
    ),
)
@requires("orders:write")
async def create_order(
    creation: OrderCreation,
    session: BorrowedSession,
    idempotency: RequiredIdempotency,
    provenance: RequestProvenance,
    counting: Counting,
) -> Response:
    """Sell every line, or none; or sell what a reservation holds."""
    external_ref = None if creation.external_ref is MISSING else creation.external_ref

    async def create() -> Order:
        if creation.reservation_id is MISSING:
            return await service.create(session, external_ref, creation.demands(), provenance)
        return await service.create_from_reservation(session, external_ref, creation.reservation_id, provenance)

    answer = answering(create, OrderView.of, lambda order: f"/orders/{order.id}")
    return await counting.order("created", idempotency.run(session, answer))


@router.get("/{id}", response_model=OrderView, responses=error_responses(NotFound))
@requires("orders:read")
async def get_order(id: OrderId, session: BorrowedSession) -> Response:  # noqa: A002 -- as in the path
    """One order."""
    return json_response(OrderView.of(await service.get(session, id)))


@router.post("/{id}/fulfill", response_model=OrderView, responses=error_responses(*CHANGE))
@requires("orders:write")
async def fulfill_order(
    id: OrderId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    idempotency: RequestIdempotency,
    provenance: RequestProvenance,
    counting: Counting,
) -> Response:
    """What is reserved for it leaves the stock."""
    answer = answering(lambda: service.fulfil(session, id, provenance), OrderView.of)
    return await counting.order("fulfilled", idempotency.run(session, answer))


@router.post("/{id}/cancel", response_model=OrderView, responses=error_responses(*CHANGE))
@requires("orders:write")
async def cancel_order(
    id: OrderId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    idempotency: RequestIdempotency,
    provenance: RequestProvenance,
    counting: Counting,
) -> Response:
    """What is reserved for it is available again."""
    answer = answering(lambda: service.cancel(session, id, provenance), OrderView.of)
    return await counting.order("cancelled", idempotency.run(session, answer))
