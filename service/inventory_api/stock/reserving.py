"""What may be reserved, and what becomes of levels when it is, or is no more. Pure: what is there is given."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory_api.errors import Detail, InsufficientStock, ItemDiscontinued
from inventory_api.stock.model import Allocation, Demand, Key, Kind, Level, Step
from inventory_api.stock.queries import Target
from inventory_api.stock.rules import counted


@dataclass(frozen=True, slots=True)
class Effect:
    """What is done to one level for one reason."""

    key: Key
    kind: Kind
    reference: str
    reserved_delta: int
    on_hand_delta: int = 0


def refuse_discontinued(demands: Sequence[Demand], targets: Sequence[Target]) -> None:
    """
    Raises:
        ItemDiscontinued: with every line of an item that is not sold any more.
    """
    details = [
        Detail((*demand.line, "sku"), "item_discontinued", "The item is not sold any more.")
        for demand, target in zip(demands, targets, strict=True)
        if target.is_discontinued
    ]
    if details:
        text = f"Not sold any more: {counted(len(details), len(demands))}."
        raise ItemDiscontinued(text, details=details)


def allocated(demands: Sequence[Demand], targets: Sequence[Target]) -> list[Allocation]:
    """What each line asks for, at the level that it was found to mean."""
    pairs = zip(demands, targets, strict=True)
    return [Allocation(target.sku, target.location, demand.quantity) for demand, target in pairs]


def totals(allocations: Sequence[Allocation]) -> dict[Key, int]:
    """Of each level, however many lines are of it."""
    sums = Counter[Key]()
    for allocation in allocations:
        sums[allocation.key] += allocation.quantity
    return dict(sums)


def short(needed: Mapping[Key, int], levels: Mapping[Key, Level]) -> list[Key]:
    """The levels at which less is available than is needed."""
    return [key for key, quantity in needed.items() if levels[key].available < quantity]


def refuse_short(demands: Sequence[Demand], targets: Sequence[Target], levels: Mapping[Key, Level]) -> None:
    """
    Raises:
        InsufficientStock: with every line of a level at which less is available than all of its lines ask for.
    """
    wanting = set(short(totals(allocated(demands, targets)), levels))
    details = [
        Detail(
            (*demand.line, demand.quantity_field),
            "insufficient_stock",
            "There is not so much available.",
            levels[target.key].described(target.sku),
        )
        for demand, target in zip(demands, targets, strict=True)
        if target.key in wanting
    ]
    if details:
        raise InsufficientStock(f"Not enough stock for {counted(len(details), len(demands))}.", details=details)


def levels_of(targets: Sequence[Target]) -> dict[Key, Level]:
    """Those that were locked."""
    return {target.key: target.level for target in targets if target.level is not None}


def steps(levels: Mapping[Key, Level], effects: Sequence[Effect]) -> list[Step]:
    """Each effect with what its level is then, one after the other."""
    on_hand = {key: level.on_hand for key, level in levels.items()}
    reserved = {key: level.reserved for key, level in levels.items()}
    made = []
    for effect in effects:
        key = effect.key
        on_hand[key] += effect.on_hand_delta
        reserved[key] += effect.reserved_delta
        made.append(
            Step(
                *key,
                effect.kind,
                effect.on_hand_delta,
                effect.reserved_delta,
                on_hand[key],
                reserved[key],
                reference=effect.reference,
            )
        )
    return made
