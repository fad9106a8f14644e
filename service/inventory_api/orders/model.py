"""Orders, as the service sees them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from inventory_api import codec
from inventory_api.errors import InvalidTransition
from inventory_api.stock.model import Allocation

Status = Literal["confirmed", "fulfilled", "cancelled"]
# What each may become; the others are what they are for ever.
TRANSITIONS: Mapping[Status, frozenset[Status]] = {"confirmed": frozenset({"fulfilled", "cancelled"})}


def resource(order_id: UUID) -> str:
    """The name of an order in the audit, and of what is done for it in the ledger."""
    return f"order:{order_id}"


@dataclass(frozen=True, slots=True)
class Order:
    """While it is confirmed, so much of each level is reserved for it."""

    id: UUID
    external_ref: str | None
    status: Status
    reservation_id: UUID | None
    created_at: datetime
    updated_at: datetime
    lines: tuple[Allocation, ...]

    def require(self, status: Status) -> None:
        """
        Raises:
            InvalidTransition: it cannot become that.
        """
        if status not in TRANSITIONS.get(self.status, frozenset()):
            raise InvalidTransition(f"The order is {self.status}.")

    def told(self) -> dict[str, Any]:
        """What events say of it: what a client is answered."""
        times = {"created_at": codec.rfc3339(self.created_at), "updated_at": codec.rfc3339(self.updated_at)}
        return {"id": str(self.id), **self.fields(), **times}

    def fields(self) -> dict[str, Any]:
        """What the audit compares."""
        lines = [asdict(line) for line in self.lines]
        reservation_id = str(self.reservation_id) if self.reservation_id else None
        return {
            "status": self.status,
            "external_ref": self.external_ref,
            "reservation_id": reservation_id,
            "lines": lines,
        }
