"""The list of items, and its filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from inventory_api.database.listing import Given, Listing, given

COLUMNS = """
           sku, name, warehouse_location, is_discontinued, low_stock_threshold, attributes, version,
           created_at, updated_at,
           (SELECT coalesce(jsonb_agg(jsonb_build_array(l.location, l.on_hand, l.reserved, l.version)
                                      ORDER BY l.location), '[]')
            FROM stock_level l WHERE l.sku = item.sku) AS levels"""

PAGE = Listing(
    "inventory.page",
    f"""
    SELECT {COLUMNS}
    FROM item
    {{where}}
    ORDER BY sku
    LIMIT {{limit}}
    """,  # noqa: S608 -- a constant
    {
        "after": "sku > {}",
        # Bounded as the items are: PostgreSQL does not conclude that by itself.
        "location": "EXISTS (SELECT FROM stock_level l WHERE l.sku = item.sku AND l.location = {} AND l.sku > {})",
        "discontinued": "is_discontinued",
        "not_discontinued": "NOT is_discontinued",
        "low_stock": "is_low_stock",
        "not_low_stock": "NOT is_low_stock",
        "updated_since": "updated_at >= {}",
        # A prefix is a range of text, up to the last code point that there can be behind it.
        "q": """(lower(sku) COLLATE "C" BETWEEN lower({0}) AND lower({0}) || chr(1114111)
       OR lower(name) COLLATE "C" BETWEEN lower({0}) AND lower({0}) || chr(1114111))""",
    },
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Each narrows the list; None does not."""

    location: str | None = None
    discontinued: bool | None = None
    low_stock: bool | None = None
    updated_since: datetime | None = None
    q: str | None = None

    def conditions(self, after: Sequence[str | None] = (None,)) -> Given:
        """Those of `PAGE`, with their arguments."""
        flags = {"discontinued": self.discontinued, "low_stock": self.low_stock}
        return {
            **given(after, updated_since=self.updated_since, q=self.q),
            **({"location": (self.location, after[0] or "")} if self.location is not None else {}),
            **{name if value else f"not_{name}": () for name, value in flags.items() if value is not None},
        }
