"""The payloads of items. Requests are strict: no unknown field, no coercion, bounded everything."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import MISSING, AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from inventory_api.http.pages import FilterText, PageQuery
from inventory_api.http.schemas import NAME_PATTERN, StrictModel, Text, UtcDatetime, example
from inventory_api.inventory.attributes import MAX_BYTES, MAX_DEPTH, OUT_OF_BOUNDS, normalised, problem
from inventory_api.inventory.listing import Filters
from inventory_api.inventory.model import Item
from inventory_api.locations.schemas import LocationCode
from inventory_api.stock.model import INT4_MAX

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


def _bounded(attributes: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = normalised(attributes)
    if found := problem(kept):
        raise PydanticCustomError(OUT_OF_BOUNDS, "{problem}", {"problem": found})
    return kept


Sku = Annotated[str, Field(pattern=NAME_PATTERN, description="Immutable.", examples=["BOLT-M8"])]
ItemName = Annotated[Text, Field(examples=["Bolt M8 x 40"])]
Quantity = Annotated[
    int, Field(ge=0, le=INT4_MAX, description="Total on hand; a difference is applied at `warehouse_location`.")
]
LowStockThreshold = Annotated[int, Field(ge=0, le=INT4_MAX)]
BOUNDS = f"Any JSON object of at most {MAX_BYTES} bytes and {MAX_DEPTH} levels."
Attributes = Annotated[dict[str, Any], AfterValidator(_bounded), Field(description=BOUNDS)]
# As a merge may take away more than it adds, what is bounded is what it leads to.
AttributesPatch = Annotated[dict[str, Any], AfterValidator(normalised), Field(description=BOUNDS)]


EXAMPLE: dict[str, Any] = {
    "name": "Bolt M8 x 40", "quantity": 120, "warehouse_location": "MAIN", "is_discontinued": False,
    "low_stock_threshold": 20, "attributes": {"steel": "8.8"},
}  # fmt: skip


class ItemReplacement(StrictModel):
    """PUT: every field, always."""

    model_config = example(**EXAMPLE)

    name: ItemName
    quantity: Quantity
    warehouse_location: LocationCode
    is_discontinued: bool
    low_stock_threshold: LowStockThreshold | None
    attributes: Attributes


class ItemPatch(StrictModel):
    """PATCH: any non-empty subset. A field that is absent is not touched; only `low_stock_threshold` may be null."""

    # The sku alone is no change.
    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 1,
            "not": {"required": ["sku"], "maxProperties": 1},
            "examples": [{"low_stock_threshold": 20}],
        }
    )

    sku: Annotated[Sku, Field(description="May be present if it equals the path.")] | MISSING = MISSING
    name: ItemName | MISSING = MISSING
    quantity: Quantity | MISSING = MISSING
    warehouse_location: LocationCode | MISSING = MISSING
    is_discontinued: bool | MISSING = MISSING
    low_stock_threshold: LowStockThreshold | MISSING | None = MISSING
    attributes: AttributesPatch | MISSING = MISSING


def _in_utc(text: str) -> datetime:
    """RFC 3339 is less than what Python and pydantic take."""
    if RFC_3339.fullmatch(text):
        # What its errors say repeats what was sent.
        with suppress(ValueError, OverflowError):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    raise PydanticCustomError("rfc3339_time", "It must be a time by RFC 3339, with an offset, in the years 1 to 9999.")


class ItemQuery(PageQuery):
    """The filters of items; all that are given narrow the list."""

    location: Annotated[LocationCode | None, Field(description="Only items that have a level there.")] = None
    discontinued: bool | None = None
    low_stock: Annotated[
        bool | None,
        Field(description="Whether what is available, over all locations, is at most `low_stock_threshold`."),
    ] = None
    updated_since: Annotated[
        datetime | None,
        BeforeValidator(lambda text: text and _in_utc(text)),
        Field(description="Of edits of the item; movements of its stock do not count."),
    ] = None
    q: Annotated[FilterText | None, Field(description="How the sku or the name begins, in any case.")] = None

    def filters(self) -> Filters:
        return Filters(self.location, self.discontinued, self.low_stock, self.updated_since, self.q)


class ItemPage(BaseModel):
    """By `sku`."""

    items: list["ItemView"]
    next_cursor: str | None


class LevelView(BaseModel):
    """The stock of an item at one location."""

    location: str
    on_hand: int
    reserved: int
    available: int


class ItemView(BaseModel):
    """An item. `quantity` = sum of `on_hand`, `available` = `quantity` - `reserved`."""

    model_config = ConfigDict(
        json_schema_serialization_defaults_required=True,
        json_schema_extra={
            "examples": [
                {
                    "sku": "BOLT-M8", **EXAMPLE, "reserved": 5, "available": 115, "version": 3,
                    "created_at": "2026-03-01T08:00:00.000000Z", "updated_at": "2026-03-02T09:30:00.000000Z",
                    "levels": [{"location": "MAIN", "on_hand": 120, "reserved": 5, "available": 115}],
                }
            ]
        },
    )  # fmt: skip

    sku: str
    name: str
    quantity: int
    reserved: int
    available: int
    warehouse_location: str
    is_discontinued: bool
    low_stock_threshold: int | None
    attributes: dict[str, Any]
    version: int
    created_at: UtcDatetime
    updated_at: UtcDatetime
    levels: list[LevelView]

    @classmethod
    def of(cls, item: Item) -> Self:
        levels = [
            LevelView(location=lv.location, on_hand=lv.on_hand, reserved=lv.reserved, available=lv.available)
            for lv in item.levels
        ]
        return cls(
            sku=item.sku,
            **item.fields(),
            reserved=item.reserved,
            available=item.quantity - item.reserved,
            version=item.version,
            created_at=item.created_at,
            updated_at=item.updated_at,
            levels=levels,
        )
