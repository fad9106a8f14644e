"""What may become of stock, and the errors of what may not. Pure: what is there is given."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from inventory_api.errors import (
    Detail,
    InsufficientStock,
    ServiceError,
    StockBelowReserved,
    UnknownLocation,
    UnknownSku,
    ValidationFailure,
)
from inventory_api.stock.model import INT4_MAX, Change, Key, Level, Line, Step
from inventory_api.stock.queries import Made, Target

Fault = tuple[type[ServiceError], Detail]
Planned = tuple[Change, Step]
# Which of them is told, where lines are at fault in several ways; what it says of how many of how many lines.
MESSAGES: dict[type[ServiceError], str] = {
    ValidationFailure: "More would be on hand than can be counted, for {}.",
    InsufficientStock: "Not enough stock for {}.",
    StockBelowReserved: "Less would be left than is reserved, for {}.",
}


def refuse_unknown(lines: Sequence[Line], targets: Sequence[Target]) -> None:
    """
    Raises:
        UnknownSku, UnknownLocation: with every line that names none.
    """
    pairs = list(zip(lines, targets, strict=True))
    skus = [
        Detail((*line.line, "sku"), "unknown_sku", "There is no such item.")
        for line, target in pairs
        if not target.is_known
    ]
    if skus:
        raise UnknownSku(details=skus)
    locations = [
        Detail((*line.line, line.location_field), "unknown_location", "There is no such location.")
        for line, target in pairs
        if not target.has_location
    ]
    if locations:
        raise UnknownLocation(details=locations)


def plan(changes: Sequence[Change], targets: Sequence[Target], levels: Mapping[Key, Level]) -> list[Planned]:
    """What each change leads to, one line after the other; a line that cannot be made changes nothing for the next.

    Raises:
        ValidationFailure, InsufficientStock, StockBelowReserved: with every line that cannot be made for this reason.
    """
    on_hand = {key: level.on_hand for key, level in levels.items()}
    steps: list[Planned] = []
    faults: list[Fault] = []
    lines = [list(line) for _, line in groupby(zip(changes, targets, strict=True), key=lambda pair: pair[0].line)]
    for line in lines:
        reached = dict(on_hand)
        made, fault = _plan_line(line, levels, reached)
        if fault is not None:
            faults.append(fault)
        else:
            on_hand = reached
            steps += made
    for kind, message in MESSAGES.items():
        if details := [detail for found, detail in faults if found is kind]:
            raise kind(message.format(counted(len(details), len(lines))), details=details)
    return steps


def _plan_line(
    line: Sequence[tuple[Change, Target]], levels: Mapping[Key, Level], on_hand: dict[Key, int]
) -> tuple[list[Planned], Fault | None]:
    """Its steps, and what is wrong with the first that cannot be made; `on_hand` becomes what they lead to."""
    steps: list[Planned] = []
    for change, target in line:
        level = Level(target.location, on_hand[target.key], levels[target.key].reserved, 0)
        reached = on_hand[target.key] = level.on_hand + change.on_hand_delta
        if fault := fault_of(change, reached, level):
            return [], fault
        steps.append((change, step_of(change, reached, level)))
    return steps, None


def step_of(change: Change, reached: int, level: Level) -> Step:
    return Step(
        sku=change.sku,
        location=level.location,
        kind=change.kind,
        on_hand_delta=change.on_hand_delta,
        reserved_delta=0,
        on_hand=reached,
        reserved=level.reserved,
        reason=change.reason,
        reference=change.reference,
    )


def fault_of(change: Change, reached: int, level: Level) -> Fault | None:
    """Why the level cannot become that, if it cannot: the kind of error, and what it says of the change."""
    place = (*change.line, change.quantity_field)
    if reached > INT4_MAX:
        return ValidationFailure, _too_much(change, level.described(change.sku))
    if reached < 0:
        text = "There is not so much on hand."
        return InsufficientStock, Detail(place, "insufficient_stock", text, level.described(change.sku))
    if reached < level.reserved:
        text = "Less would be left than is reserved."
        return StockBelowReserved, Detail(place, "stock_below_reserved", text, level.described(change.sku))
    return None


def refuse_made(steps: Sequence[Planned], made: Sequence[Made]) -> None:
    """What is only known once it was done, in a transaction that this ends.

    Raises:
        UnknownLocation: with every line that puts stock where none is taken.
        ValidationFailure: with every line by which more of an item is on hand, everywhere, than can be counted.
    """
    added = [(change, result) for (change, _), result in zip(steps, made, strict=True) if change.on_hand_delta > 0]
    inactive = [
        Detail(
            (*change.line, change.location_field if change.location else change.quantity_field),
            "inactive_location",
            "The location takes no stock.",
            {"location": result.movement.location},
        )
        for change, result in added
        if not result.takes_stock
    ]
    if inactive:
        raise UnknownLocation("A location takes no stock.", details=inactive)
    delta = Counter[str]()
    for change, _ in steps:
        delta[change.sku] += change.on_hand_delta
    too_much = [
        _too_much(change, {"sku": change.sku, "on_hand": result.on_hand_of_item - delta[change.sku]})
        for change, result in added
        if result.on_hand_of_item > INT4_MAX
    ]
    if too_much:
        lines = len({change.line for change, _ in steps})
        raise ValidationFailure(MESSAGES[ValidationFailure].format(counted(len(too_much), lines)), details=too_much)


def _too_much(change: Change, meta: Mapping[str, object]) -> Detail:
    text = f"At most {INT4_MAX} of an item can be on hand, over all locations."
    return Detail((*change.line, change.quantity_field), "too_much", text, meta)


def counted(faults: int, lines: int) -> str:
    """Such as "1 of 2 lines"."""
    return f"{faults} of {lines} line{'' if lines == 1 else 's'}"
