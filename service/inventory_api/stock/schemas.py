"""The payloads of adjustments, transfers and movements."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import MISSING, AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from inventory_api.http.pages import FilterText, PageQuery
from inventory_api.http.schemas import StrictModel, Text, UtcDatetime, example
from inventory_api.inventory.schemas import Sku
from inventory_api.locations.schemas import LocationCode
from inventory_api.stock.model import INT4_MAX, Change, Movement

MAX_LINES = 100
# Of the examples.
ADJUSTMENT: dict[str, Any] = {"sku": "BOLT-M8", "delta": -2, "reason": "damaged", "reference": "count-2026-03"}
TRANSFER: dict[str, Any] = {"sku": "BOLT-M8", "from": "MAIN", "to": "EAST", "quantity": 40}


def _not_zero(delta: int) -> int:
    if delta == 0:
        raise PydanticCustomError("zero_delta", "A change of 0 is none.")
    return delta


Delta = Annotated[
    int,
    Field(ge=-INT4_MAX, le=INT4_MAX, description="Added to what is on hand.", json_schema_extra={"not": {"const": 0}}),
    AfterValidator(_not_zero),
]
Reference = Annotated[Text, Field(description="Of whoever asks, such as the number of a delivery.")]


class ChangedLevel(BaseModel):
    """The stock of an item at one location, as an event tells of it. `version` is higher with each change."""

    model_config = example(sku="BOLT-M8", location="MAIN", on_hand=120, reserved=5, available=115, version=17)

    sku: str
    location: str
    on_hand: int
    reserved: int
    available: int
    version: int


class LowLevel(ChangedLevel):
    """Also what it has come down to, or below."""

    model_config = example(
        sku="BOLT-M8", location="MAIN", on_hand=24, reserved=5, available=19, version=18, low_stock_threshold=20
    )

    low_stock_threshold: int


class AdjustmentLine(StrictModel):
    """`location` is that of the item, where it is absent."""

    model_config = example(**ADJUSTMENT)

    sku: Sku
    delta: Delta
    reason: Text
    location: LocationCode | MISSING = MISSING
    reference: Reference | MISSING = MISSING

    def change(self, number: int) -> Change:
        return Change(
            line=("body", "lines", number),
            quantity_field="delta",
            location_field="location",
            sku=self.sku,
            location=None if self.location is MISSING else self.location,
            on_hand_delta=self.delta,
            kind="adjustment",
            reason=self.reason,
            reference=None if self.reference is MISSING else self.reference,
        )


class Adjustments(StrictModel):
    """All of them are made, in order, or none."""

    model_config = example(lines=[ADJUSTMENT])

    lines: Annotated[list[AdjustmentLine], Field(min_length=1, max_length=MAX_LINES)]

    def changes(self) -> list[Change]:
        return [line.change(number) for number, line in enumerate(self.lines)]


class TransferLine(StrictModel):
    """From one location to another one."""

    model_config = example(**TRANSFER)

    sku: Sku
    from_: Annotated[LocationCode, Field(alias="from")]
    to: LocationCode
    quantity: Annotated[int, Field(ge=1, le=INT4_MAX)]
    reference: Reference | MISSING = MISSING

    @model_validator(mode="after")
    def _elsewhere(self) -> Self:
        if self.from_ == self.to:
            raise PydanticCustomError("same_location", "A transfer must lead to another location.")
        return self

    def changes(self, number: int) -> list[Change]:
        def change(location: str, location_field: str, delta: int) -> Change:
            return Change(
                line=("body", "lines", number),
                quantity_field="quantity",
                location_field=location_field,
                sku=self.sku,
                location=location,
                on_hand_delta=delta,
                kind="transfer_out" if delta < 0 else "transfer_in",
                reference=None if self.reference is MISSING else self.reference,
            )

        return [change(self.from_, "from", -self.quantity), change(self.to, "to", self.quantity)]


class Transfers(StrictModel):
    """All of them are made, in order, or none."""

    model_config = example(lines=[TRANSFER])

    lines: Annotated[list[TransferLine], Field(min_length=1, max_length=MAX_LINES)]

    def changes(self) -> list[Change]:
        return [change for number, line in enumerate(self.lines) for change in line.changes(number)]


class MovementView(BaseModel):
    """One row of the ledger: what changed, and what the level was then."""

    model_config = example(
        id="01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10", sku="BOLT-M8", location="MAIN", kind="adjustment",
        on_hand_delta=-2, reserved_delta=0, on_hand=118, reserved=5, reason="damaged", reference="count-2026-03",
        actor="key:warehouse", request_id="01a20a1b-7d82-73dc-b78a-69813c3423f9",
        trace_id="d4eb709b751e68b6d33b18db4c0c656d", created_at="2026-03-02T10:00:00.000000Z",
    )  # fmt: skip

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
    created_at: UtcDatetime

    @classmethod
    def of(cls, movement: Movement) -> Self:
        return cls.model_validate(movement, from_attributes=True)


class Movements(BaseModel):
    """Those of one request, in the order of its lines."""

    movements: list[MovementView]


class MovementQuery(PageQuery):
    """Whose movements."""

    request_id: Annotated[FilterText, Field(description="`X-Request-ID` of the request that moved them.")]


class MovementPage(BaseModel):
    """Newest first."""

    items: list[MovementView]
    next_cursor: str | None
