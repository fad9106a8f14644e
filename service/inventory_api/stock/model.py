"""Levels, what is to become of them, and what has become of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from inventory_api.errors import Location as Place

Kind = Literal[
    "set", "adjustment", "transfer_out", "transfer_in",
    "reservation", "release", "expiry", "order", "fulfilment", "cancellation",
]  # fmt: skip
Key = tuple[str, str]  # Of a level: sku and location.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a line of a request names. `line` is where it is in the request, and the fields are those of that line."""

    line: Place
    quantity_field: str = "quantity"
    location_field: str = "location"
    sku: str
    location: str | None  # None: that of the item


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Line):
    """One change of what is on hand."""

    on_hand_delta: int
    kind: Kind
    reason: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand(Line):
    """So much is to be reserved."""

    quantity: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """So much of one level that a reservation or an order has reserved."""

    sku: str
    location: str
    quantity: int

    @property
    def key(self) -> Key:
        return self.sku, self.location


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to a level, and what it is then."""

    sku: str
    location: str
    kind: Kind
    on_hand_delta: int
    reserved_delta: int
    on_hand: int
    reserved: int
    reason: str | None = None
    reference: str | None = None

    @property
    def key(self) -> Key:
        return self.sku, self.location


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
