"""Reservations over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from inventory_api.errors import (
    InsufficientStock,
    InvalidTransition,
    ItemDiscontinued,
    NotFound,
    ReservationExpired,
    ServiceError,
    UnknownLocation,
    UnknownSku,
)
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
from inventory_api.reservations import service
from inventory_api.reservations.schemas import ReservationCreation, ReservationExtension, ReservationView

router = APIRouter(prefix="/reservations", tags=["reservations"], route_class=Route)

ReservationId = Annotated[UUID, Path(examples=["01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10"])]
CHANGE: tuple[type[ServiceError], ...] = (NotFound, InvalidTransition, ReservationExpired, *IDEMPOTENCY)


@router.post(
    "",
    status_code=201,
    response_model=ReservationView,
    responses=error_responses(
        *BODY, InsufficientStock, ItemDiscontinued, UnknownSku, UnknownLocation, *REQUIRED_IDEMPOTENCY
    ),
)
@requires("orders:write")
async def create_reservation(
    creation: ReservationCreation,
    session: BorrowedSession,
    idempotency: RequiredIdempotency,
    provenance: RequestProvenance,
    counting: Counting,
) -> Response:
    """Hold stock for a while: every line, or none."""
    answer = answering(
        lambda: service.create(session, creation.demands(), creation.ttl_seconds, provenance),
        ReservationView.of,
        lambda reservation: f"/reservations/{reservation.id}",
    )
    return await counting.reservation("created", idempotency.run(session, answer))


@router.get("/{id}", response_model=ReservationView, responses=error_responses(NotFound))
@requires("orders:read")
async def get_reservation(id: ReservationId, session: BorrowedSession) -> Response:  # noqa: A002 -- as in the path
    """One reservation. One whose time is over is `expired`, whether its stock was needed since or not."""
    return json_response(ReservationView.of(await service.get(session, id)))


@router.post("/{id}/extend", response_model=ReservationView, responses=error_responses(*BODY, *CHANGE))
@requires("orders:write")
async def extend_reservation(
    id: ReservationId,  # noqa: A002 -- as in the path
    extension: ReservationExtension,
    session: BorrowedSession,
    idempotency: RequestIdempotency,
    provenance: RequestProvenance,
    counting: Counting,
) -> Response:
    """Hold it for so long from now."""
    answer = answering(lambda: service.extend(session, id, extension.ttl_seconds, provenance), ReservationView.of)
    return await counting.reservation("extended", idempotency.run(session, answer))


@router.post("/{id}/release", response_model=ReservationView, responses=error_responses(*CHANGE))
@requires("orders:write")
async def release_reservation(
    id: ReservationId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    idempotency: RequestIdempotency,
    provenance: RequestProvenance,
    counting: Counting,
) -> Response:
    """Hold it no more."""
    answer = answering(lambda: service.release(session, id, provenance), ReservationView.of)
    return await counting.reservation("released", idempotency.run(session, answer))
