"""The spans of a trace as a tree: what called what, when it began, and how long it took."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inventory_api.trace.model import Span


@dataclass(frozen=True, slots=True)
class Branch:
    """A span at its depth. One that `is_cut` has a parent that is not here: a caller's, or one that was not kept."""

    span: Span
    depth: int
    offset_ms: float
    duration_ms: float
    is_cut: bool


def tree(spans: Iterable[Span]) -> list[Branch]:
    """Of one trace: each span once, below its parent, in the order that they began in; offsets are from the first."""
    by_id = {span.span_id: span for span in sorted(spans, key=_began)}
    children: dict[str | None, list[Span]] = defaultdict(list)
    for span in by_id.values():
        children[span.parent_id if span.parent_id in by_id else None].append(span)
    start_ns = min((span.start_ns for span in by_id.values()), default=0)
    return [
        Branch(
            span,
            depth,
            (span.start_ns - start_ns) / 1e6,
            (span.end_ns - span.start_ns) / 1e6,
            span.parent_id is not None and span.parent_id not in by_id,
        )
        for span, depth in _walk(children, [*by_id.values()])
    ]


def _walk(children: dict[str | None, list[Span]], spans: list[Span]) -> Iterator[tuple[Span, int]]:
    """Depth first; whatever hangs on nothing that hangs on a root, which no tracer makes, comes at the end."""
    seen: set[str] = set()
    for roots in (children[None], spans):
        waiting = [(span, 0) for span in reversed(roots)]
        while waiting:
            span, depth = waiting.pop()
            if span.span_id not in seen:
                seen.add(span.span_id)
                yield span, depth
                waiting.extend((child, depth + 1) for child in reversed(children[span.span_id]))


def _began(span: Span) -> tuple[int, str]:
    return span.start_ns, span.span_id
