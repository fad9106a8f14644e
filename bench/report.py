"""The table: medians over the rounds, and for each target its ratio to the plain application in the same round."""

import statistics
from collections.abc import Mapping, Sequence

from .measuring import Series
from .targets import STOCK

HEADINGS = ("operation", "target", "requests/s", "x stock", "p50", "p99", "p99 x stock", "refused")


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


def _ratio(found: Sequence[float], stock: Sequence[float]) -> str:
    ratios = [ours / theirs for ours, theirs in zip(found, stock, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
