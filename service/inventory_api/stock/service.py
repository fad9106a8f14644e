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
from inventory_api.errors import StockBelowReserved
from inventory_api.inventory.model import resource
from inventory_api.stock import expiry, moving, queries, reserving, rules
from inventory_api.stock.model import Change, Demand, Key, Kind, Level, Line, Movement
from inventory_api.stock.moving import Levels, Thresholds
from inventory_api.stock.queries import Target
from inventory_api.stock.rules import Planned


@in_transaction
async def change(session: Session, changes: Sequence[Change], action: str, provenance: Provenance) -> list[Movement]:
    """Make the changes one after the other; `action` is what the audit says. What has expired stands in no way.

    Raises:
        UnknownSku, UnknownLocation: there is none, or the location takes no stock.
        InsufficientStock, StockBelowReserved: too little is there, or too little would be left.
        ValidationFailure: more would be there than can be counted.
    """
    targets = await lock(session, changes)
    levels = {target.key: target.level for target in targets if target.level is not None}
    try:
        steps = rules.plan(changes, targets, levels)
    except StockBelowReserved:
        levels, count = await expiry.let_go(session, levels, [*levels], provenance)
        if not count:
            raise
        steps = rules.plan(changes, targets, levels)
    movements = await _move(session, levels, steps, provenance, thresholds_of(targets))
    await audit.record(session, action, _audited(levels, steps), provenance)
    return movements


async def lock_levels(session: Session, sku: str) -> tuple[Level, ...]:
    """Those of an item that the caller has locked; they stay as they are until its transaction ends."""
    return await queries.lock_levels_of_item(session, sku)


async def set_on_hand(
    session: Session, sku: str, level: Level, delta: int, low_stock_threshold: int | None, provenance: Provenance
) -> Level:
    """Change a level that the caller has locked, within its transaction, and under its audit row; tells the new one.
    What has expired stands in no way.

    Raises:
        InsufficientStock, StockBelowReserved: too little is there, or too little would be left.
        UnknownLocation: more is put where no stock is taken.
        ValidationFailure: more would be there than can be counted.
    """
    change = Change(
        line=("body",),
        location_field="quantity",
        sku=sku,
        location=level.location,
        on_hand_delta=delta,
        kind="set",
        reason="quantity set",
    )
    fault = rules.fault_of(change, level.on_hand + delta, level)
    if fault and fault[0] is StockBelowReserved:
        key = sku, level.location
        level = (await expiry.let_go(session, {key: level}, [key], provenance))[0][key]
        fault = rules.fault_of(change, level.on_hand + delta, level)
    if fault:
        kind, detail = fault
        raise kind(f"{kind.title}, at {level.location}, where the difference is applied.", details=[detail])
    planned = [(change, rules.step_of(change, level.on_hand + delta, level))]
    await _move(session, {(sku, level.location): level}, planned, provenance, {sku: low_stock_threshold})
    return Level(level.location, level.on_hand + delta, level.reserved, level.version + 1)


async def make_level(session: Session, sku: str, location: str) -> Level:
    """One with nothing on hand, of an item that the caller has locked and that has none there."""
    await queries.make_levels(session, [(sku, location)])
    return Level(location, 0, 0, 1)


async def movements_page(
    session: Session, sku: str, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Movement]:
    """At most `limit` movements of an item that come after the position `after`, newest first."""
    return await queries.movements(session, after, limit, sku=sku)


async def movements_of_request(
    session: Session, request_id: str, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Movement]:
    """As `movements_page`, of what one request has moved, whatever the items."""
    return await queries.movements(session, after, limit, request_id=request_id)


def thresholds_of(targets: Sequence[Target]) -> Thresholds:
    """The low_stock_threshold of each item."""
    return {target.sku: target.low_stock_threshold for target in targets}


async def _move(
    session: Session, levels: Levels, planned: Sequence[Planned], provenance: Provenance, thresholds: Thresholds
) -> list[Movement]:
    made, _ = await moving.move(session, levels, [step for _, step in planned], provenance, thresholds)
    rules.refuse_made(planned, made)
    return [one.movement for one in made]


async def lock(session: Session, lines: Sequence[Line]) -> list[Target]:
    """The level of each line, which nobody else changes until the transaction ends; those that are missing are made.

    Raises:
        UnknownSku, UnknownLocation: there is none.
    """
    return await _completed(session, lines, await queries.lock(session, [(line.sku, line.location) for line in lines]))


async def take(
    session: Session, demands: Sequence[Demand], kind: Kind, reference: str, provenance: Provenance
) -> tuple[list[Target], bool]:
    """As `lock`; and where every line can have what it asks for, reserve it. Whether that was done.

    Raises:
        UnknownSku, UnknownLocation: there is none.
    """
    targets, moment = await queries.take(session, demands, kind, reference, provenance)
    if moment is None:
        return await _completed(session, demands, targets), False
    before = reserving.levels_of(targets)
    reached = {
        key: Level(key[1], before[key].on_hand, before[key].reserved + quantity, before[key].version + 1)
        for key, quantity in reserving.totals(reserving.allocated(demands, targets)).items()
    }
    await moving.tell(session, before, reached, moment, provenance, thresholds_of(targets))
    return targets, True


async def _completed(session: Session, lines: Sequence[Line], targets: list[Target]) -> list[Target]:
    rules.refuse_unknown(lines, targets)
    missing = [target.key for target in targets if not target.has_level]
    if missing:
        await queries.make_levels(session, missing)
        # At the locations that were found: that of an item may be another one by now.
        targets = await queries.lock(session, [target.key for target in targets])
    return targets


def _audited(before: Mapping[Key, Level], planned: Sequence[Planned]) -> dict[str, dict[str, Any]]:
    """Of each item, each of its levels that changed."""
    reached = {(step.sku, step.location): step.on_hand for _, step in planned}
    return {
        resource(sku): {
            f"levels.{key[1]}.on_hand": {"before": before[key].on_hand, "after": reached[key]}
            for key in keys
            if before[key].on_hand != reached[key]
        }
        for sku, keys in groupby(sorted(reached), key=lambda key: key[0])
    }
