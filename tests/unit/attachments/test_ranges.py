"""Which part of a content is asked for."""

import pytest

from inventory_api.attachments.ranges import requested
from inventory_api.errors import RangeNotSatisfiable

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 100)),
        ("bytes=10-19", (10, 10)),
        ("bytes=90-", (90, 10)),
        ("bytes=90-1000", (90, 10)),
        ("bytes=-10", (90, 10)),
        ("bytes=-1000", (0, 100)),
        ("Bytes= 1-2 ", (1, 2)),
    ],
)
def test_a_range_is_that_part(header: str, part: tuple[int, int]) -> None:
    assert requested(header, None, ETAG, 100) == part


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "bytes=a-b", "lines=0-1", "bytes=--1", "bytes=1"],
)
def test_what_is_no_single_range_asks_for_all(header: str | None) -> None:
    assert requested(header, None, ETAG, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=9999999999999999999-"])
def test_one_behind_the_end_is_refused_and_told_how_much_there_is(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        requested(header, None, ETAG, 100)
    assert caught.value.headers == {"Content-Range": "bytes */100"}


@pytest.mark.parametrize(("if_range", "part"), [(ETAG, (0, 1)), ('"other"', None), (f"W/{ETAG}", None)])
def test_a_range_of_another_content_asks_for_all(if_range: str, part: tuple[int, int] | None) -> None:
    """By the strong comparison (RFC 9110, 13.1.5)."""
    assert requested("bytes=0-0", if_range, ETAG, 100) == part
