"""Spans as a tree, whatever order they come in and whatever of them is missing."""

from inventory_api.trace.model import Span
from inventory_api.trace.tree import tree


def span(span_id: str, parent: str | None, start_ms: float, end_ms: float) -> Span:
    start, end = int(start_ms * 1e6), int(end_ms * 1e6)
    return Span("t", span_id, parent, span_id, "internal", "inventory-api", start, end, "unset", {})


def drawn(*spans: Span) -> list[tuple[str, int, float, bool]]:
    return [(one.span.span_id, one.depth, one.offset_ms, one.is_cut) for one in tree(spans)]


def test_each_is_below_its_parent_in_the_order_that_they_began_in() -> None:
    spans = (span("c", "b", 3, 4), span("d", "a", 5, 6), span("b", "a", 2, 4), span("a", None, 1, 9))
    assert drawn(*spans) == [("a", 0, 0, False), ("b", 1, 1, False), ("c", 2, 2, False), ("d", 1, 4, False)]


def test_one_whose_parent_is_not_here_is_a_root_that_says_so() -> None:
    assert drawn(span("a", "of the caller", 1, 9), span("b", "a", 2, 3)) == [("a", 0, 0, True), ("b", 1, 1, False)]


def test_one_that_came_twice_is_there_once() -> None:
    assert drawn(span("a", None, 1, 2), span("a", None, 1, 2)) == [("a", 0, 0, False)]


def test_those_that_are_each_others_parents_are_there_all_the_same() -> None:
    assert drawn(span("a", "b", 1, 2), span("b", "a", 3, 4)) == [("a", 0, 0, False), ("b", 1, 2, False)]


def test_of_nothing_there_is_no_tree() -> None:
    assert drawn() == []
