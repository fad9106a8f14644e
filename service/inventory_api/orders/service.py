"""What can be done with an order: in one transaction with its stock, ledger and audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
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
from inventory_api.stock.model import Allocation, Demand, Kind

Ending = Literal["fulfilled", "cancelled"]


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What an ending is in the audit, in the ledger and for others, and whether what was reserved leaves by it."""

    action: str
    movement: Kind
    event: events.EventType
    leaves: bool


ENDINGS: Mapping[Ending, _Meaning] = {
    "fulfilled": _Meaning("fulfil", "fulfilment", "order.fulfilled", leaves=True),
    "cancelled": _Meaning("cancel", "cancellation", "order.cancelled", leaves=False),
}


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
    order = await _insert(session, external_ref, None)
    lines = await reservations.hold(session, demands, "order", resource(order.id), provenance)
    return await _complete(session, order, lines, provenance)


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
    return await _complete(session, await _insert(session, external_ref, reservation_id), lines, provenance)


@in_transaction
async def fulfil(session: Session, order_id: UUID, provenance: Provenance) -> Order:
    """What is reserved for it leaves.

    Raises:
        NotFound, InvalidTransition: as the names say.
    """
    return await _end(session, order_id, "fulfilled", provenance)


@in_transaction
async def cancel(session: Session, order_id: UUID, provenance: Provenance) -> Order:
    """What is reserved for it is available again.

    Raises:
        NotFound, InvalidTransition: as the names say.
    """
    return await _end(session, order_id, "cancelled", provenance)


async def _insert(session: Session, external_ref: str | None, reservation_id: UUID | None) -> Order:
    """Without lines: before any turn is waited for, so that turns are kept for as few round trips as can be."""
    order_id = uuid7()
    created_at = await queries.insert(session, order_id, external_ref, reservation_id)
    if created_at is None:
        raise Conflict("There is an order with this external_ref.")
    return Order(order_id, external_ref, "confirmed", reservation_id, created_at, created_at, ())


async def _complete(session: Session, order: Order, lines: Sequence[Allocation], provenance: Provenance) -> Order:
    completed = replace(order, lines=tuple(lines))
    await queries.insert_lines(session, order.id, lines)
    await _record(session, "create", {}, completed, provenance)
    await events.emit(session, "order.created", order.created_at, completed.told(), provenance)
    return completed


async def _end(session: Session, order_id: UUID, status: Ending, provenance: Provenance) -> Order:
    """It becomes that, and nothing is reserved for it any more."""
    order = await get(session, order_id)
    order.require(status)
    levels = await reservations.lock_levels(session, order.lines)
    updated_at = await queries.change(session, order, status)
    if updated_at is None:
        raise InvalidTransition("The order has just been changed by another request.")
    ended = replace(order, status=status, updated_at=updated_at)
    ending = ENDINGS[status]
    await _record(session, ending.action, order.fields(), ended, provenance)
    await events.emit(session, ending.event, updated_at, ended.told(), provenance)
    await reservations.let_go(
        session, levels, order.lines, ending.movement, resource(order_id), provenance, leaves=ending.leaves
    )
    return ended


async def _record(
    session: Session, action: str, before: Mapping[str, object], after: Order, provenance: Provenance
) -> None:
    await audit.record(session, action, {resource(after.id): audit.difference(before, after.fields())}, provenance)
