"""The payloads of items. Requests are strict: no unknown field, no coercion, bounded everything."""

from typing import Annotated, Any, Self

from pydantic import MISSING, AfterValidator, BaseModel, ConfigDict, Field

from inventory_api.http.schemas import StrictModel, UtcDatetime
from inventory_api.inventory.attributes import MAX_BYTES, MAX_DEPTH, normalised, problem
from inventory_api.inventory.model import Item

SKU_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"
INT4_MAX = 2_147_483_647


def _bounded(attributes: dict[str, Any]) -> dict[str, Any]:
    if found := problem(attributes):
        raise ValueError(found)
    return {name: normalised(value) for name, value in attributes.items()}


Sku = Annotated[str, Field(pattern=SKU_PATTERN, description="Immutable.", examples=["BOLT-M8"])]
LocationCode = Annotated[str, Field(pattern=SKU_PATTERN, examples=["MAIN"])]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S", examples=["Bolt M8 x 40"])]
Quantity = Annotated[
    int, Field(ge=0, le=INT4_MAX, description="Total on hand; a difference is applied at `warehouse_location`.")
]
LowStockThreshold = Annotated[int, Field(ge=0, le=INT4_MAX)]
Attributes = Annotated[
    dict[str, Any],
    AfterValidator(_bounded),
    Field(description=f"Any JSON object of at most {MAX_BYTES} bytes and {MAX_DEPTH} levels."),
]


class ItemReplacement(StrictModel):
    """PUT: every field, always."""

    name: Name
    quantity: Quantity
    warehouse_location: LocationCode
    is_discontinued: bool
    low_stock_threshold: LowStockThreshold | None
    attributes: Attributes


class ItemPatch(StrictModel):
    """PATCH: any non-empty subset. A field that is absent is not touched; only `low_stock_threshold` may be null."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    sku: Annotated[Sku, Field(description="May be present if it equals the path.")] | MISSING = MISSING
    name: Name | MISSING = MISSING
    quantity: Quantity | MISSING = MISSING
    warehouse_location: LocationCode | MISSING = MISSING
    is_discontinued: bool | MISSING = MISSING
    low_stock_threshold: LowStockThreshold | MISSING | None = MISSING
    attributes: Attributes | MISSING = MISSING


class LevelView(BaseModel):
    """The stock of an item at one location."""

    location: str
    on_hand: int
    reserved: int
    available: int


class ItemView(BaseModel):
    """An item. `quantity` = sum of `on_hand`, `available` = `quantity` - `reserved`."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

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
