"""Levels, what is to become of them, and what has become of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from inventory_api.errors import Location as Place

Kind = Literal["set", "adjustment", "transfer_out", "transfer_in"]
INT4_MAX = 2_147_483_647


@dataclass(frozen=True, slots=True)
class Level:
    """The stock of one item at one location. 0 <= reserved <= on_hand, always."""

    location: str
    on_hand: int
    reserved: int
    version: int

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved

    def described(self, sku: str) -> dict[str, str | int]:
        """What a client is told of the level of an item that does not allow what it asks for."""
        there = {"on_hand": self.on_hand, "reserved": self.reserved, "available": self.available}
        return {"sku": sku, "location": self.location, **there}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of what is on hand. `line` is where the request asks for it, and the fields are those of that line."""

    line: Place
    quantity_field: str
    location_field: str
    sku: str
    location: str | None  # None: that of the item
    on_hand_delta: int
    kind: Kind
    reason: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """One row of the ledger: the deltas, and the level that they led to. Never changed, never removed."""

    id: UUID
    sku: str
    location: str
    kind: str
    on_hand_delta: int
    reserved_delta: int
    on_hand: int
    reserved: int
    reason: str | None
    reference: str | None
    actor: str
    request_id: str
    trace_id: str | None
    created_at: datetime
