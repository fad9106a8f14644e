"""What counts as a change."""

from typing import Any

import pytest

from inventory_api.audit import difference


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"a": 1}, {"a": 1}, set()),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b"}),
        ({}, {"a": None}, set()),
        ({"a": 1}, {}, {"a"}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, set()),
        ({"a": {"x": 1}}, {"a": {"x": True}}, {"a"}),
        ({"a": [0]}, {"a": [False]}, {"a"}),
    ],
)
def test_a_difference_is_one_of_the_json_values(
    before: dict[str, Any], after: dict[str, Any], changed: set[str]
) -> None:
    found = difference(before, after)
    assert set(found) == changed
    assert all(found[name] == {"before": before.get(name), "after": after.get(name)} for name in changed)
