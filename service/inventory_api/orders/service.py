"""What can be done with an order: in one transaction with its stock, ledger and audit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from inventory_api import audit, events
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.transaction import in_transaction
from inventory_api.errors import Conflict, InvalidTransition, NotFound
from inventory_api.orders import queries
from inventory_api.orders.model import Order, resource
from inventory_api.orders.queries import Filters
from inventory_api.reservations import service as reservations
from inventory_api.stock.model import Allocation, Demand


async def get(session: Session, order_id: UUID) -> Order:
    """
    Raises:
        NotFound: there is none with this id.
    """
    order = await queries.get(session, order_id)
    if order is None:
        raise NotFound("There is no order with this id.")
    return order


async def page(
    session: Session, filters: Filters, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Order]:
    """At most `limit` orders that come after the position `after`, newest first."""
    return await queries.page(session, filters, after, limit)


@in_transaction
async def create(
    session: Session, external_ref: str | None, demands: Sequence[Demand], provenance: Provenance
) -> Order:
    """Reserve all of that for it, or nothing.

    Raises:
        Conflict: there is one with this external_ref.
        UnknownSku, UnknownLocation, ItemDiscontinued, InsufficientStock: as the names say, with every such line.
    """
    order_id = uuid7()
    lines = await reservations.hold(session, demands, "order", resource(order_id), provenance)
    return await _insert(session, order_id, external_ref, None, lines, provenance)


@in_transaction
async def create_from_reservation(
    session: Session, external_ref: str | None, reservation_id: UUID, provenance: Provenance
) -> Order:
    """Take over what is held.

    Raises:
        Conflict: there is one with this external_ref.
        NotFound, ReservationExpired, InvalidTransition: of the reservation, as the names say.
    """
    lines = await reservations.commit(session, reservation_id, provenance)
    return await _insert(session, uuid7(), external_ref, reservation_id, lines, provenance)


@in_transaction
async def fulfil(session: Session, order_id: UUID, provenance: Provenance) -> Order:
    """What is reserved for it leaves.

    Raises:
        NotFound, InvalidTransition: as the names say.
    """
    order = await get(session, order_id)
    order.require("fulfilled")
    levels = await reservations.lock_levels(session, order.lines)
    fulfilled = await _change(session, order, replace(order, status="fulfilled"), "fulfil", provenance)
    await reservations.let_go(session, levels, order.lines, "fulfilment", resource(order_id), provenance, leaves=True)
    return fulfilled


@in_transaction
async def cancel(session: Session, order_id: UUID, provenance: Provenance) -> Order:
    """What is reserved for it is available again.

    Raises:
        NotFound, InvalidTransition: as the names say.
    """
    order = await get(session, order_id)
    order.require("cancelled")
    levels = await reservations.lock_levels(session, order.lines)
    cancelled = await _change(session, order, replace(order, status="cancelled"), "cancel", provenance)
    await reservations.let_go(session, levels, order.lines, "cancellation", resource(order_id), provenance)
    return cancelled


async def _insert(
    session: Session,
    order_id: UUID,
    external_ref: str | None,
    reservation_id: UUID | None,
    lines: Sequence[Allocation],
    provenance: Provenance,
) -> Order:
    created_at = await queries.insert(session, order_id, external_ref, reservation_id, lines)
    if created_at is None:
        raise Conflict("There is an order with this external_ref.")
    order = Order(order_id, external_ref, "confirmed", reservation_id, created_at, created_at, tuple(lines))
    await _record(session, "create", {}, order, provenance)
    await events.emit(session, "order.created", created_at, _told(order), provenance)
    return order


async def _change(session: Session, order: Order, changed: Order, action: str, provenance: Provenance) -> Order:
    updated_at = await queries.change(session, order, changed.status)
    if updated_at is None:
        raise InvalidTransition("The order has just been changed by another request.")
    await _record(session, action, order.fields(), changed, provenance)
    kind: events.EventType = "order.fulfilled" if changed.status == "fulfilled" else "order.cancelled"
    await events.emit(session, kind, updated_at, _told(changed), provenance)
    return replace(changed, updated_at=updated_at)


def _told(order: Order) -> dict[str, object]:
    """What an event says of it."""
    return {"id": str(order.id), **order.fields()}


async def _record(
    session: Session, action: str, before: Mapping[str, object], after: Order, provenance: Provenance
) -> None:
    await audit.record(session, action, {resource(after.id): audit.difference(before, after.fields())}, provenance)
