"""RFC 9110, 13.1."""

import pytest

from inventory_api.errors import PreconditionFailed
from inventory_api.http.conditional import Conditions, parse_tags


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ([], None),
        (["*"], ("*",)),
        (['"a"'], ('"a"',)),
        (['"a", W/"b" ,"c,d"'], ('"a"', 'W/"b"', '"c,d"')),
        (['"a"', '"b"'], ('"a"', '"b"')),
        (['"a"', "*"], ('"a"', "*")),
        (['"*"'], ('"*"',)),
        (["a*"], ()),
        (["a"], ()),
        (['w/"1.2"'], ()),
        (['"1.2"x'], ()),
        (['x "1.2"'], ()),
        (['"open, "1.2"'], ()),
        (['"1.2" "1.2"'], ()),
        ([""], ()),
    ],
)
def test_headers_are_lists_of_tags_and_what_is_no_tag_matches_nothing(
    header: list[str], tags: tuple[str, ...] | None
) -> None:
    assert parse_tags(header) == tags


@pytest.mark.parametrize(
    ("if_match", "passes"), [('"1.2"', True), ("*", True), ('"0", "1.2"', True), ('W/"1.2"', False), ("x", False)]
)
def test_if_match_compares_strongly(if_match: str, passes: bool) -> None:
    conditions = Conditions(if_match=parse_tags([if_match]))
    if passes:
        conditions.check('"1.2"')
    else:
        with pytest.raises(PreconditionFailed):
            conditions.check('"1.2"')


@pytest.mark.parametrize(("header", "matches"), [('"1.2"', True), ('W/"1.2"', True), ("*", True), ('"0"', False)])
def test_if_none_match_compares_weakly(header: str, matches: bool) -> None:
    assert Conditions(if_none_match=parse_tags([header])).matches_none('"1.2"') is matches


def test_without_headers_everything_passes() -> None:
    Conditions().check('"1.2"')
    Conditions().check_absent()


def test_a_creation_passes_with_if_none_match_any_and_fails_with_if_match() -> None:
    Conditions(if_none_match=("*",)).check_absent()
    with pytest.raises(PreconditionFailed):
        Conditions(if_match=("*",)).check_absent()
