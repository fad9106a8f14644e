"""Reservations, as the service sees them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from inventory_api import codec
from inventory_api.errors import InvalidTransition, ReservationExpired
from inventory_api.stock.model import Allocation

Status = Literal["active", "committed", "released", "expired"]
# What each may become; the others are what they are for ever.
TRANSITIONS: Mapping[Status, frozenset[Status]] = {"active": frozenset({"committed", "released", "expired"})}
MAX_SECONDS, DEFAULT_SECONDS = 3600, 600


def resource(reservation_id: UUID) -> str:
    """The name of a reservation in the audit, and of what is done for it in the ledger."""
    return f"reservation:{reservation_id}"


@dataclass(frozen=True, slots=True)
class Reservation:
    """So much of each level is reserved until then. One whose time is over has expired, whoever has seen it or not."""

    id: UUID
    status: Status
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    lines: tuple[Allocation, ...]

    def require(self, *statuses: Status) -> None:
        """
        Raises:
            ReservationExpired: its time is over.
            InvalidTransition: it cannot become any of those.
        """
        if self.status == "expired":
            raise ReservationExpired
        if not TRANSITIONS.get(self.status, frozenset()) & set(statuses):
            raise InvalidTransition(f"The reservation is {self.status}.")

    def told(self) -> dict[str, Any]:
        """What events say of it: what a client is answered."""
        times = {"created_at": codec.rfc3339(self.created_at), "updated_at": codec.rfc3339(self.updated_at)}
        return {"id": str(self.id), **self.fields(), **times}

    def fields(self) -> dict[str, Any]:
        """What the audit compares."""
        lines = [asdict(line) for line in self.lines]
        return {"status": self.status, "expires_at": codec.rfc3339(self.expires_at), "lines": lines}
