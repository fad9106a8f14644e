"""Levels become others: in the ledger, and for those who are told of it. One place, so that no change is left out."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from inventory_api import events
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.inventory.model import resource
from inventory_api.stock import queries
from inventory_api.stock.model import Key, Level, Step
from inventory_api.stock.queries import Made

Levels = Mapping[Key, Level]
# Of items, by their skus; one that is missing has none, or cannot be crossed by what is done.
Thresholds = Mapping[str, int | None]


async def move(
    session: Session, levels: Levels, steps: Sequence[Step], provenance: Provenance, thresholds: Thresholds
) -> tuple[list[Made], dict[Key, Level]]:
    """Take levels that the caller has locked to where the steps lead, within its transaction, under its audit row.

    The movement of each step, and all the levels as they are then.
    """
    made = await queries.move(session, steps, provenance)
    reached = {
        step.key: Level(step.location, step.on_hand, step.reserved, levels[step.key].version + 1) for step in steps
    }
    if made:
        await tell(session, levels, reached, made[-1].movement.created_at, provenance, thresholds)
    return made, {**levels, **reached}


async def tell(
    session: Session,
    before: Levels,
    reached: Levels,
    moment: datetime,
    provenance: Provenance,
    thresholds: Thresholds,
) -> None:
    """Of each version of a level once; and where what is available has come down to the item's threshold, or to 0."""
    session.changed(*{resource(sku) for sku, _ in reached})
    for (sku, location), level in reached.items():
        data = {**level.described(sku), "version": level.version}
        await events.emit(session, "inventory.level.changed", moment, data, provenance)
        was, threshold = before[sku, location].available, thresholds.get(sku)
        if threshold is not None and was > threshold >= level.available:
            told = {**data, "low_stock_threshold": threshold}
            await events.emit(session, "inventory.level.low", moment, told, provenance)
        if was > 0 and level.available == 0:
            await events.emit(session, "inventory.level.depleted", moment, data, provenance)
