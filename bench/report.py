"""The table: medians over the rounds, and for each target its ratio to the plain application in the same round."""

import statistics
from collections.abc import Mapping, Sequence

from .measuring import Series
from .targets import CONTROL, FULL, STOCK

LEAST_CAPACITY, MOST_P99 = 1.0, 0.5
# Of the control, which would be 1 on a machine that does nothing else.
CONTROL_WITHIN = 1.15

HEADINGS = (
    "operation",
    "target",
    "requests/s",
    "x stock",
    "p50",
    "p99",
    "p99 x stock",
    "p99 over",
    "x stock",
    "refused",
)


def rows(operation: str, series: Mapping[str, Series]) -> list[tuple[str, ...]]:
    """One for each target."""
    stock = series[STOCK]
    return [
        (
            operation,
            name,
            f"{statistics.median(found.capacity):.0f}",
            _ratio(found.capacity, stock.capacity),
            f"{statistics.median(found.p50) * 1000:.2f} ms",
            f"{statistics.median(found.p99) * 1000:.2f} ms",
            _ratio(found.p99, stock.p99),
            f"{statistics.median(found.p99_of_too_many) * 1000:.0f} ms",
            _ratio(found.p99_of_too_many, stock.p99_of_too_many),
            f"{statistics.median(found.refused):.1%}",
        )
        for name, found in series.items()
    ]


def table(found: Sequence[tuple[str, ...]]) -> str:
    """Markdown, for docs/performance.md."""
    widths = [max(len(row[column]) for row in (HEADINGS, *found)) for column in range(len(HEADINGS))]
    ruler = tuple("-" * width for width in widths)
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (HEADINGS, ruler, *found)
    ]
    return "\n".join(lines)


def median_ratio(found: Sequence[float], stock: Sequence[float]) -> float:
    """Of the ratios of each round, as the machine's speed differs from round to round."""
    return statistics.median(ours / theirs for ours, theirs in zip(found, stock, strict=True))


def verdict(series: Mapping[str, Series]) -> tuple[bool, str]:
    """Whether the service keeps what it claims of a GET, and in words; nothing is kept where the control differs."""
    stock, control, full = series[STOCK], series[CONTROL], series[FULL]
    error = median_ratio(control.capacity, stock.capacity)
    if not 1 / CONTROL_WITHIN <= error <= CONTROL_WITHIN:
        return False, f"no verdict: the plain application had {error:.2f} x its own capacity. Try a quieter machine."
    capacity = median_ratio(full.capacity, stock.capacity)
    p99 = median_ratio(full.p99_of_too_many, stock.p99_of_too_many)
    of_capacity = f"{capacity:.2f} x the capacity (at least {LEAST_CAPACITY:g})"
    return (
        capacity >= LEAST_CAPACITY and p99 <= MOST_P99,
        f"{of_capacity}, {p99:.2f} x the p99 where that is too little (at most {MOST_P99:g})",
    )


def _ratio(found: Sequence[float], stock: Sequence[float]) -> str:
    ratios = [ours / theirs for ours, theirs in zip(found, stock, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
