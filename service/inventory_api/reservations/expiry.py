"""What a reservation holds when it has expired: it is let go by whoever needs it, or by the sweep."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from inventory_api import audit
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.inventory.model import resource as item
from inventory_api.reservations import queries
from inventory_api.reservations.model import resource
from inventory_api.reservations.queries import LetGo
from inventory_api.stock import queries as stock
from inventory_api.stock import reserving
from inventory_api.stock.model import Key, Level
from inventory_api.stock.reserving import Effect


async def let_go(
    session: Session, levels: Mapping[Key, Level], keys: Sequence[Key], provenance: Provenance
) -> tuple[dict[Key, Level], int]:
    """Let go of what expired reservations hold of the levels of these keys, with movements and audit.

    The caller has the turns of their items, and `levels` as they are. What they are then, and of how many holds.
    """
    gone = await queries.let_go_expired(session, keys)
    if not gone:
        return dict(levels), 0
    effects = [Effect(one.key, "expiry", resource(one.reservation_id), -one.quantity) for one in gone]
    steps = reserving.steps(levels, effects)
    session.changed(*{item(one.sku) for one in gone})
    await stock.move(session, steps, provenance)
    await audit.record(session, "expire", _audited(gone), provenance)
    reached = {
        step.key: Level(step.location, step.on_hand, step.reserved, levels[step.key].version + 1) for step in steps
    }
    return {**levels, **reached}, len(gone)


def _audited(gone: Sequence[LetGo]) -> dict[str, dict[str, Any]]:
    """Of each reservation what it holds no more, and that it has expired, where nobody had said so before."""
    changes: dict[str, dict[str, Any]] = defaultdict(dict)
    for one in gone:
        change = changes[resource(one.reservation_id)]
        change[f"held.{one.sku}.{one.location}"] = {"before": one.quantity, "after": 0}
        if one.has_expired:
            change["status"] = {"before": "active", "after": "expired"}
    return changes
