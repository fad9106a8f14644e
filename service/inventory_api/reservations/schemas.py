"""The payloads of reservations; orders have the same lines."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import MISSING, BaseModel, Field

from inventory_api.http.schemas import StrictModel, UtcDatetime, example
from inventory_api.inventory.schemas import Sku
from inventory_api.locations.schemas import LocationCode
from inventory_api.reservations.model import DEFAULT_SECONDS, MAX_SECONDS, Reservation
from inventory_api.stock.model import INT4_MAX, Allocation, Demand

MAX_LINES = 100
# Of the examples.
LINE: dict[str, Any] = {"sku": "BOLT-M8", "quantity": 4}
ALLOCATED: dict[str, Any] = {"sku": "BOLT-M8", "location": "MAIN", "quantity": 4}

Seconds = Annotated[int, Field(ge=1, le=MAX_SECONDS, description="From now until it expires.")]


class DemandLine(StrictModel):
    """`location` is that of the item, where it is absent."""

    model_config = example(**LINE)

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=INT4_MAX)]
    location: LocationCode | MISSING = MISSING

    def demand(self, number: int) -> Demand:
        return Demand(
            line=("body", "lines", number),
            sku=self.sku,
            location=None if self.location is MISSING else self.location,
            quantity=self.quantity,
        )


DemandLines = Annotated[list[DemandLine], Field(min_length=1, max_length=MAX_LINES)]


class ReservationCreation(StrictModel):
    """All of it is held, or nothing."""

    model_config = example(lines=[LINE], ttl_seconds=DEFAULT_SECONDS)

    lines: DemandLines
    ttl_seconds: Seconds = DEFAULT_SECONDS

    def demands(self) -> list[Demand]:
        return [line.demand(number) for number, line in enumerate(self.lines)]


class ReservationExtension(StrictModel):
    """A new time, from now, whatever was left of the old one."""

    model_config = example(ttl_seconds=DEFAULT_SECONDS)

    ttl_seconds: Seconds


class AllocationView(BaseModel):
    """So much of an item, at one location."""

    model_config = example(**ALLOCATED)

    sku: str
    location: str
    quantity: int

    @classmethod
    def of(cls, allocation: Allocation) -> Self:
        return cls.model_validate(allocation, from_attributes=True)


class ReservationView(BaseModel):
    """What is held, and until when."""

    model_config = example(
        id="01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10", status="active", lines=[ALLOCATED],
        expires_at="2026-03-01T08:10:00.000000Z", created_at="2026-03-01T08:00:00.000000Z",
        updated_at="2026-03-01T08:00:00.000000Z",
    )  # fmt: skip

    id: UUID
    status: Literal["active", "committed", "released", "expired"]
    lines: list[AllocationView]
    expires_at: UtcDatetime
    created_at: UtcDatetime
    updated_at: UtcDatetime

    @classmethod
    def of(cls, reservation: Reservation) -> Self:
        return cls(
            id=reservation.id,
            status=reservation.status,
            lines=[AllocationView.of(line) for line in reservation.lines],
            expires_at=reservation.expires_at,
            created_at=reservation.created_at,
            updated_at=reservation.updated_at,
        )
