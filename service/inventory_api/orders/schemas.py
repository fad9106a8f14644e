"""The payloads of orders."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import MISSING, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from inventory_api.http.pages import FilterText, PageQuery
from inventory_api.http.schemas import StrictModel, Text, UtcDatetime, example
from inventory_api.orders.model import Order
from inventory_api.orders.queries import Filters
from inventory_api.reservations.schemas import ALLOCATED, LINE, AllocationView, DemandLines
from inventory_api.stock.model import Demand

StatusName = Literal["confirmed", "fulfilled", "cancelled"]
ExternalRef = Annotated[Text, Field(description="Of whoever orders, such as a number. No two orders have the same.")]
# Its form is checked, and a UUID is made of it, though bodies are strict.
ReservationRef = Annotated[UUID, Field(strict=False)]


class OrderCreation(StrictModel):
    """Of lines, or of what a reservation holds."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["lines"]}, {"required": ["reservation_id"]}],
            "examples": [{"external_ref": "shop-1042", "lines": [LINE]}],
        }
    )

    external_ref: ExternalRef | MISSING = MISSING
    lines: DemandLines | MISSING = MISSING
    reservation_id: ReservationRef | MISSING = MISSING

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.lines is MISSING) == (self.reservation_id is MISSING):
            raise PydanticCustomError("one_of", "There must be lines or a reservation_id, and not both.")
        return self

    def demands(self) -> list[Demand]:
        lines = [] if self.lines is MISSING else self.lines
        return [line.demand(number) for number, line in enumerate(lines)]


class OrderView(BaseModel):
    """What was sold."""

    model_config = example(
        id="01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10", external_ref="shop-1042", status="confirmed",
        reservation_id="01a20a1b-7d82-73dc-b78a-69813c3423f9", lines=[ALLOCATED],
        created_at="2026-03-01T08:00:00.000000Z", updated_at="2026-03-01T08:00:00.000000Z",
    )  # fmt: skip

    id: UUID
    external_ref: str | None
    status: StatusName
    reservation_id: UUID | None
    lines: list[AllocationView]
    created_at: UtcDatetime
    updated_at: UtcDatetime

    @classmethod
    def of(cls, order: Order) -> Self:
        return cls(
            id=order.id,
            external_ref=order.external_ref,
            status=order.status,
            reservation_id=order.reservation_id,
            lines=[AllocationView.of(line) for line in order.lines],
            created_at=order.created_at,
            updated_at=order.updated_at,
        )


class OrderQuery(PageQuery):
    """Which orders."""

    status: StatusName | None = None
    external_ref: FilterText | None = None

    def filters(self) -> Filters:
        return Filters(self.status, self.external_ref)


class OrderPage(BaseModel):
    """Newest first."""

    items: list[OrderView]
    next_cursor: str | None
