"""Items, as the service sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from inventory_api import codec
from inventory_api.stock.model import Level


def resource(sku: str) -> str:
    """The name of an item in the audit, and by that in the cache."""
    return f"item:{sku}"


@dataclass(frozen=True, slots=True)
class Item:
    """An item with its levels, in the order of their locations."""

    sku: str
    name: str
    warehouse_location: str
    is_discontinued: bool
    low_stock_threshold: int | None
    attributes: Mapping[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
    levels: tuple[Level, ...]

    @property
    def quantity(self) -> int:
        return sum(level.on_hand for level in self.levels)

    @property
    def reserved(self) -> int:
        return sum(level.reserved for level in self.levels)

    @property
    def etag(self) -> str:
        """Changes with every edit of the item and with every movement of its stock."""
        return f'"{self.version}.{sum(level.version for level in self.levels)}"'

    def told(self) -> dict[str, Any]:
        """What events say of it: what a client is answered."""
        levels = [
            {"location": one.location, "on_hand": one.on_hand, "reserved": one.reserved, "available": one.available}
            for one in self.levels
        ]
        return {
            "sku": self.sku,
            **self.fields(),
            "reserved": self.reserved,
            "available": self.quantity - self.reserved,
            "version": self.version,
            "created_at": codec.rfc3339(self.created_at),
            "updated_at": codec.rfc3339(self.updated_at),
            "levels": levels,
        }

    def fields(self) -> dict[str, Any]:
        """What PUT sets and PATCH changes, and what the audit compares."""
        return {
            "name": self.name,
            "quantity": self.quantity,
            "warehouse_location": self.warehouse_location,
            "is_discontinued": self.is_discontinued,
            "low_stock_threshold": self.low_stock_threshold,
            "attributes": self.attributes,
        }

    def level_at(self, location: str) -> Level | None:
        return next((level for level in self.levels if level.location == location), None)

    def with_level(self, level: Level) -> "Item":
        """The same item with this level, in place of the one at the same location if there is one."""
        others = [other for other in self.levels if other.location != level.location]
        return replace(self, levels=tuple(sorted([*others, level], key=lambda one: one.location)))
