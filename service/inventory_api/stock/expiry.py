"""What a reservation holds of a level when it has expired: it is let go by whoever needs it, or by the sweep.

Who lets it go has the turns of the items, and locks the reservation's row before its lines.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from inventory_api import audit, codec, events
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.reservations.model import Reservation
from inventory_api.reservations.model import resource as holder
from inventory_api.stock import moving, reserving
from inventory_api.stock.model import Allocation, Key, Level
from inventory_api.stock.reserving import Effect

# Only the lines of those levels, whose turns the caller has: others are let go by whoever needs them.
LET_GO_EXPIRED = Statement(
    "stock.let_go_expired",
    """
    WITH due AS (
        SELECT line.reservation_id, line.number
        FROM unnest($1::text[], $2::text[]) AS level (sku, location)
        JOIN reservation_line line USING (sku, location)
        WHERE line.held AND line.expires_at <= statement_timestamp()
    ), locked AS (
        SELECT id, status
        FROM reservation
        WHERE id IN (SELECT reservation_id FROM due) AND expires_at <= statement_timestamp()
        ORDER BY id
        FOR NO KEY UPDATE
    ), expired AS (
        UPDATE reservation
        SET status = 'expired', updated_at = clock_timestamp()
        FROM locked
        WHERE reservation.id = locked.id AND locked.status = 'active'
        RETURNING reservation.id, reservation.expires_at, reservation.created_at, reservation.updated_at
    ), let_go AS (
        UPDATE reservation_line line
        SET held = false
        FROM due JOIN locked ON locked.id = due.reservation_id
        WHERE (line.reservation_id, line.number) = (due.reservation_id, due.number) AND line.held
        RETURNING line.reservation_id, line.sku, line.location, line.quantity
    )
    SELECT gone.reservation_id, gone.sku, gone.location, gone.quantity,
           expired.expires_at, expired.created_at, expired.updated_at,
           (SELECT jsonb_agg(jsonb_build_array(line.sku, line.location, line.quantity) ORDER BY line.number)
            FROM reservation_line line WHERE line.reservation_id = expired.id) AS lines
    FROM (SELECT reservation_id, sku, location, sum(quantity)::integer AS quantity,
                 row_number() OVER (PARTITION BY reservation_id ORDER BY sku, location) AS number
          FROM let_go GROUP BY reservation_id, sku, location) AS gone
    LEFT JOIN expired ON expired.id = gone.reservation_id AND gone.number = 1
    ORDER BY gone.reservation_id, gone.sku, gone.location
    """,
)


@dataclass(frozen=True, slots=True)
class _LetGo:
    """What an expired reservation held of one level; once `expired`, where nobody had said so before."""

    reservation_id: UUID
    sku: str
    location: str
    quantity: int
    expired: Reservation | None

    @property
    def key(self) -> Key:
        return self.sku, self.location


async def let_go(
    session: Session, levels: Mapping[Key, Level], keys: Sequence[Key], provenance: Provenance
) -> tuple[dict[Key, Level], int]:
    """Let go of what expired reservations hold of the levels of these keys, with movements and audit.

    The caller has the turns of their items, and `levels` as they are. What they are then, and of how many holds.
    """
    gone = await _let_go_expired(session, keys)
    if not gone:
        return dict(levels), 0
    effects = [Effect(one.key, "expiry", holder(one.reservation_id), -one.quantity) for one in gone]
    # Thresholds are of no matter: more is available by it.
    _, reached = await moving.move(session, levels, reserving.steps(levels, effects), provenance, {})
    await audit.record(session, "expire", _audited(gone), provenance)
    for one in gone:
        if one.expired is not None:
            await events.emit(session, "reservation.expired", one.expired.updated_at, one.expired.told(), provenance)
    return reached, len(gone)


def _audited(gone: Sequence[_LetGo]) -> dict[str, dict[str, Any]]:
    """Of each reservation what it holds no more, and that it has expired, where nobody had said so before."""
    changes: dict[str, dict[str, Any]] = defaultdict(dict)
    for one in gone:
        change = changes[holder(one.reservation_id)]
        change[f"held.{one.sku}.{one.location}"] = {"before": one.quantity, "after": 0}
        if one.expired is not None:
            change["status"] = {"before": "active", "after": "expired"}
    return changes


async def _let_go_expired(session: Session, levels: Sequence[Key]) -> list[_LetGo]:
    """What expired reservations hold of these levels, of which the caller has the turn: they hold it no more."""
    arguments = [sku for sku, _ in levels], [location for _, location in levels]
    return [_let_go(*row) for row in await session.fetch(LET_GO_EXPIRED, *arguments)]


def _let_go(*row: Any) -> _LetGo:
    reservation_id, sku, location, quantity, expires_at, created_at, updated_at, lines = row
    expired = None
    if updated_at is not None:
        held = tuple(Allocation(*line) for line in codec.decode(lines))
        expired = Reservation(reservation_id, "expired", expires_at, created_at, updated_at, held)
    return _LetGo(reservation_id, sku, location, quantity, expired)
