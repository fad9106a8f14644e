"""What stock is, in as few words as possible: what the service is set against."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal

Key = tuple[str, str]


@dataclass
class Item:
    home: str
    on_hand: dict[str, int]
    reserved: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One change of one level; `line` is which of the request's lines it is of."""

    line: int
    sku: str
    location: str | None
    delta: int


@dataclass(frozen=True)
class Refused:
    """The error's type, and the lines that it names."""

    error: Literal["UNKNOWN_SKU", "UNKNOWN_LOCATION", "INSUFFICIENT_STOCK", "STOCK_BELOW_RESERVED"]
    lines: list[int]


class Model:
    """`change` and `set_quantity` make what is asked for, or tell why not."""

    def __init__(self, locations: Sequence[str]) -> None:
        self.items: dict[str, Item] = {}
        self.active = set(locations)

    def change(self, steps: Sequence[Step]) -> list[int] | Refused:
        """What is on hand after each step, all of which are made, or none."""
        if unknown := [step.line for step in steps if step.sku not in self.items]:
            return Refused("UNKNOWN_SKU", unknown)
        steps = [replace(step, location=step.location or self.items[step.sku].home) for step in steps]
        levels: dict[Key, int] = {}
        reached, too_little, reserved = [], list[int](), list[int]()
        for line, of_line in groupby(steps, key=lambda step: step.line):
            tried = dict(levels)
            for step in of_line:
                assert step.location is not None
                item, key = self.items[step.sku], (step.sku, step.location)
                tried[key] = tried.get(key, item.on_hand.get(step.location, 0)) + step.delta
                reached.append(tried[key])
                if tried[key] < item.reserved.get(step.location, 0):
                    (too_little if tried[key] < 0 else reserved).append(line)
                    break
            else:
                levels = tried
        if too_little:
            return Refused("INSUFFICIENT_STOCK", too_little)
        if reserved:
            return Refused("STOCK_BELOW_RESERVED", reserved)
        if closed := [step.line for step in steps if step.delta > 0 and step.location not in self.active]:
            return Refused("UNKNOWN_LOCATION", closed)
        for (sku, location), on_hand in levels.items():
            self.items[sku].on_hand[location] = on_hand
        return reached

    def set_quantity(self, sku: str, quantity: int, home: str) -> Refused | None:
        """By the difference at the item's home, which may be another one from now on."""
        item = self.items[sku]
        after = item.on_hand.get(home, 0) + quantity - sum(item.on_hand.values())
        if after < item.reserved.get(home, 0):
            return Refused("INSUFFICIENT_STOCK" if after < 0 else "STOCK_BELOW_RESERVED", [])
        if after > item.on_hand.get(home, 0) and home not in self.active:
            return Refused("UNKNOWN_LOCATION", [])
        if quantity != sum(item.on_hand.values()):
            item.on_hand[home] = after
        item.home = home
        return None
