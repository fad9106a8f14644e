"""RFC 7396, and the bounds of attributes."""

from typing import Any

import pytest

from inventory_api.errors import ValidationFailure
from inventory_api.inventory.attributes import MAX_DEPTH, merge_patch, normalised, problem, require_bounds


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        # The objects among the examples of RFC 7396, appendix A.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_is_that_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


def test_a_number_is_as_long_as_it_will_be_kept() -> None:
    assert problem(normalised({"a": [1e300] * 53})) is None
    assert problem(normalised({"a": [1e300] * 55})) is not None


def test_attributes_are_bounded_in_depth_and_bytes() -> None:
    nested: Any = 1
    for _ in range(MAX_DEPTH):
        nested = {"a": nested}
    assert problem(nested) is None
    assert problem({"a": nested}) is not None
    assert problem({"a": "\u00e9" * 8_186}) is None
    assert problem({"a": "\u00e9" * 8_190}) is not None


def test_hostile_nesting_costs_nothing() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert problem({"a": deep}) is not None


def test_a_merge_over_the_bounds_is_refused() -> None:
    with pytest.raises(ValidationFailure):
        require_bounds(merge_patch({"a": "x" * 10_000}, {"b": "x" * 10_000}))
