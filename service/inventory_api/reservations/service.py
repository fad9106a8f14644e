"""What can be done with stock that is to be held, and with what holds it: in one transaction with ledger and audit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from uuid_utils.compat import uuid7

from inventory_api import audit
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.transaction import in_transaction
from inventory_api.errors import DependencyUnavailable, NotFound
from inventory_api.reservations import queries
from inventory_api.reservations.model import Reservation, resource
from inventory_api.stock import expiry, moving, reserving
from inventory_api.stock import service as stock
from inventory_api.stock.model import Allocation, Demand, Key, Kind, Level, Line
from inventory_api.stock.reserving import Effect

# Levels that one sweep looks at, and of how many the turn may not come in time.
SWEPT = 1_000
BUSY = 10
SWEEPER = "system:hold-sweep"


async def get(session: Session, reservation_id: UUID) -> Reservation:
    """
    Raises:
        NotFound: there is none with this id.
    """
    return _found(await queries.get(session, reservation_id))


@in_transaction
async def create(session: Session, demands: Sequence[Demand], seconds: int, provenance: Provenance) -> Reservation:
    """Hold all of that for so long, or nothing.

    Raises:
        UnknownSku, UnknownLocation, ItemDiscontinued, InsufficientStock: as the names say, with every such line.
    """
    reservation_id = uuid7()
    lines = await hold(session, demands, "reservation", resource(reservation_id), provenance)
    # Not before the turns have come: it is held for so long from then.
    expires_at, created_at = await queries.insert(session, reservation_id, seconds)
    await queries.insert_lines(session, reservation_id, expires_at, lines)
    made = Reservation(reservation_id, "active", expires_at, created_at, created_at, tuple(lines))
    await _record(session, "create", {}, made, provenance)
    return made


@in_transaction
async def extend(session: Session, reservation_id: UUID, seconds: int, provenance: Provenance) -> Reservation:
    """Let it expire so many seconds from now.

    Raises:
        NotFound, ReservationExpired, InvalidTransition: as the names say.
    """
    reservation = _found(await queries.lock(session, reservation_id))
    reservation.require("committed", "released")
    expires_at, updated_at = await queries.extend(session, reservation_id, seconds)
    extended = replace(reservation, expires_at=expires_at, updated_at=updated_at)
    await _record(session, "extend", reservation.fields(), extended, provenance)
    return extended


@in_transaction
async def release(session: Session, reservation_id: UUID, provenance: Provenance) -> Reservation:
    """Hold it no more.

    Raises:
        NotFound, ReservationExpired, InvalidTransition: as the names say.
    """
    reservation = _found(await queries.get(session, reservation_id))
    reservation.require("released")
    levels = await lock_levels(session, reservation.lines)
    reservation = _found(await queries.lock(session, reservation_id))
    reservation.require("released")
    updated_at = await queries.end(session, reservation_id, "released")
    await let_go(session, levels, reservation.lines, "release", resource(reservation_id), provenance)
    released = replace(reservation, status="released", updated_at=updated_at)
    await _record(session, "release", reservation.fields(), released, provenance)
    return released


async def commit(session: Session, reservation_id: UUID, provenance: Provenance) -> tuple[Allocation, ...]:
    """End it within the caller's transaction, who takes over what it holds: that stays reserved.

    Raises:
        NotFound, ReservationExpired, InvalidTransition: as the names say.
    """
    reservation = _found(await queries.lock(session, reservation_id))
    reservation.require("committed")
    await queries.end(session, reservation_id, "committed")
    await _record(session, "commit", reservation.fields(), replace(reservation, status="committed"), provenance)
    return reservation.lines


async def hold(
    session: Session, demands: Sequence[Demand], kind: Kind, reference: str, provenance: Provenance
) -> list[Allocation]:
    """Reserve all of that within the caller's transaction, under its audit row; what has expired stands in no way.

    Raises:
        UnknownSku, UnknownLocation, ItemDiscontinued, InsufficientStock: as the names say, with every such line.
    """
    targets, is_taken = await stock.take(session, demands, kind, reference, provenance)
    lines = reserving.allocated(demands, targets)
    if is_taken:
        return lines
    reserving.refuse_discontinued(demands, targets)
    needed, levels = reserving.totals(lines), reserving.levels_of(targets)
    if short := reserving.short(needed, levels):
        levels, _ = await expiry.let_go(session, levels, short, provenance)
        reserving.refuse_short(demands, targets, levels)
    taken = [Effect(key, kind, reference, quantity) for key, quantity in needed.items()]
    await moving.move(session, levels, reserving.steps(levels, taken), provenance, stock.thresholds_of(targets))
    return lines


async def lock_levels(session: Session, lines: Sequence[Allocation]) -> Mapping[Key, Level]:
    """The levels of what is reserved, which nobody else changes until the transaction ends."""
    named = [Line(line=("body",), sku=sku, location=location) for sku, location in reserving.totals(lines)]
    return reserving.levels_of(await stock.lock(session, named))


async def let_go(
    session: Session,
    levels: Mapping[Key, Level],
    lines: Sequence[Allocation],
    kind: Kind,
    reference: str,
    provenance: Provenance,
    *,
    leaves: bool = False,
) -> None:
    """It is reserved no more, and where it `leaves`, it is on hand no more; within the caller's transaction."""
    effects = [
        Effect(key, kind, reference, -quantity, -quantity if leaves else 0)
        for key, quantity in reserving.totals(lines).items()
    ]
    # Thresholds are of no matter: no less is available by it.
    await moving.move(session, levels, reserving.steps(levels, effects), provenance, {})


async def sweep(session: Session, provenance: Provenance) -> int:
    """Let go of what expired reservations hold, the longest expired first; of how many holds.

    One level at a time, so that nobody waits for another item than the sweep is at; what is busy is left for the next.

    Raises:
        DependencyUnavailable: of more levels than `BUSY`.
    """
    count = busy = 0
    for key in await queries.expired_levels(session, SWEPT):
        try:
            count += await _sweep(session, key, provenance)
        except DependencyUnavailable:
            busy += 1
            if busy > BUSY:
                raise
    return count


async def purge(session: Session, days: int) -> int:
    """Remove reservations that were released or have expired so long ago; how many, some at a time."""
    return await queries.purge(session, days)


@in_transaction
async def _sweep(session: Session, key: Key, provenance: Provenance) -> int:
    levels = await lock_levels(session, [Allocation(*key, 0)])
    _, count = await expiry.let_go(session, levels, [key], provenance)
    return count


async def _record(
    session: Session, action: str, before: Mapping[str, object], after: Reservation, provenance: Provenance
) -> None:
    await audit.record(session, action, {resource(after.id): audit.difference(before, after.fields())}, provenance)


def _found(reservation: Reservation | None) -> Reservation:
    if reservation is None:
        raise NotFound("There is no reservation with this id.")
    return reservation
