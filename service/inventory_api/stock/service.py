"""What can be done with stock: all of it or nothing, in one transaction with its movements and audit rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from inventory_api import audit
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.transaction import in_transaction
from inventory_api.errors import (
    Detail,
    InsufficientStock,
    ServiceError,
    StockBelowReserved,
    UnknownLocation,
    UnknownSku,
    ValidationFailure,
)
from inventory_api.inventory.model import resource
from inventory_api.stock import queries
from inventory_api.stock.model import INT4_MAX, Change, Level, Movement
from inventory_api.stock.queries import Key, Step, Target


@in_transaction
async def change(session: Session, changes: Sequence[Change], action: str, provenance: Provenance) -> list[Movement]:
    """Make the changes one after the other; `action` is what the audit says.

    Raises:
        UnknownSku, UnknownLocation: there is none, or the location takes no stock.
        InsufficientStock, StockBelowReserved: too little is there, or too little would be left.
        ValidationFailure: more would be there than can be counted.
    """
    targets = await _lock(session, changes)
    levels = {target.key: target.level for target in targets if target.level is not None}
    steps = _steps(changes, targets, levels)
    movements = await queries.move(session, steps, provenance)
    await audit.record(session, action, _audited(levels, steps), provenance)
    return movements


async def lock_levels(session: Session, sku: str) -> tuple[Level, ...]:
    """Those of an item that the caller has locked; they stay as they are until its transaction ends."""
    return await queries.lock_levels_of_item(session, sku)


async def set_on_hand(session: Session, sku: str, level: Level, delta: int, provenance: Provenance) -> Level:
    """Change a level that the caller has locked, within its transaction, and under its audit row; tells the new one."""
    change = Change((), "", "", sku, level.location, delta, "set", "quantity set")
    step = Step(change, level.location, level.on_hand + delta, level.reserved)
    await queries.move(session, [step], provenance)
    return Level(level.location, step.on_hand, level.reserved, level.version + 1)


async def make_level(session: Session, sku: str, location: str) -> Level:
    """One with nothing on hand, of an item that the caller has locked and that has none there."""
    await queries.make_levels(session, [(sku, location)])
    return Level(location, 0, 0, 1)


async def movements_page(
    session: Session, sku: str, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Movement]:
    """At most `limit` movements of an item that come after the position `after`, newest first."""
    return await queries.movements_of_item(session, sku, after, limit)


async def _lock(session: Session, changes: Sequence[Change]) -> list[Target]:
    """The level of each change, locked; those that are missing are made."""
    lines = [(change.sku, change.location) for change in changes]
    targets = await queries.lock(session, lines)
    _refuse_unknown(changes, targets)
    missing = [target.key for target in targets if not target.has_level]
    if missing:
        await queries.make_levels(session, missing)
        # At the locations that were found: that of an item may be another one by now.
        targets = await queries.lock(session, [target.key for target in targets])
    return targets


def _refuse_unknown(changes: Sequence[Change], targets: Sequence[Target]) -> None:
    pairs = list(zip(changes, targets, strict=True))
    skus = [
        Detail((*change.line, "sku"), "unknown_sku", "There is no such item.")
        for change, target in pairs
        if not target.is_known
    ]
    if skus:
        raise UnknownSku(details=skus)
    locations = [
        Detail((*change.line, change.location_field), "unknown_location", "There is no such location.")
        if target.is_active is None
        else Detail((*change.line, change.location_field), "inactive_location", "The location takes no stock.")
        for change, target in pairs
        if target.is_active is None or (not target.is_active and change.on_hand_delta > 0)
    ]
    if locations:
        raise UnknownLocation(details=locations)


def _steps(changes: Sequence[Change], targets: Sequence[Target], levels: Mapping[Key, Level]) -> list[Step]:
    """What each change leads to, or an error with every change that cannot be made."""
    on_hand = {key: level.on_hand for key, level in levels.items()}
    steps: list[Step] = []
    faults: list[tuple[type[ServiceError], Detail]] = []
    for change, target in zip(changes, targets, strict=True):
        key, reserved = target.key, levels[target.key].reserved
        reached = on_hand[key] + change.on_hand_delta
        if fault := _fault(change, reached, reserved, Level(target.location, on_hand[key], reserved, 0)):
            faults.append(fault)
        else:
            on_hand[key] = reached
            steps.append(Step(change, target.location, reached, reserved))
    for kind in (ValidationFailure, InsufficientStock, StockBelowReserved):
        if any(found is kind for found, _ in faults):
            raise kind(
                f"{len(faults)} of {len(changes)} changes cannot be made.", details=[detail for _, detail in faults]
            )
    return steps


def _fault(change: Change, reached: int, reserved: int, level: Level) -> tuple[type[ServiceError], Detail] | None:
    place = (*change.line, change.quantity_field)
    meta = {"location": level.location, "on_hand": level.on_hand, "reserved": level.reserved}
    meta["available"] = level.available
    if reached > INT4_MAX:
        return ValidationFailure, Detail(place, "too_much", f"At most {INT4_MAX} can be on hand.", meta)
    if reached < 0:
        return InsufficientStock, Detail(place, "insufficient_stock", "There is not so much on hand.", meta)
    if reached < reserved:
        text = "Less would be left than is reserved."
        return StockBelowReserved, Detail(place, "stock_below_reserved", text, meta)
    return None


def _audited(before: Mapping[Key, Level], steps: Sequence[Step]) -> dict[str, dict[str, Any]]:
    """Of each item, each of its levels that changed."""
    reached = {(step.change.sku, step.location): step.on_hand for step in steps}
    return {
        resource(sku): {
            f"levels.{key[1]}.on_hand": {"before": before[key].on_hand, "after": reached[key]}
            for key in keys
            if before[key].on_hand != reached[key]
        }
        for sku, keys in groupby(sorted(reached), key=lambda key: key[0])
    }
