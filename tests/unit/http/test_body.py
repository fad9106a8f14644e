"""JSON with one meaning, or an error."""

from typing import Any

import pytest

from inventory_api.errors import MalformedJson, ServiceError, ValidationFailure
from inventory_api.http.body import parse


@pytest.mark.parametrize("text", ["{}", '{"a": [1, 2.5, true, null, "x"]}', '"\\u00e9\\ud83d\\ude00"', " 1 "])
def test_json_is_read(text: str) -> None:
    parse(text.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"nul", b"{'a': 1}", b'{"a": 1,}', b'{"a": 1, "a": 1}', b'{"b": {"a": 1, "a": 2}}', b"NaN",
        b"-Infinity", b"1e400", b"-1e400", b"\xff\xfe", b'"\x00"', b"[" * 200_000, b"9" * 5_000, b"{}{}",
    ],
)  # fmt: skip
def test_what_is_no_json_or_has_two_meanings_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson) as raised:
        parse(body)
    assert len(raised.value.message) < 100


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ('{"a": "\\u0000"}', ("body", "a")),
        ('{"a": [{"b": "\\ud800"}]}', ("body", "a", 0, "b")),
        ('{"\\u0000": 1}', ("body",)),
        ('"\\udfff"', ("body",)),
    ],
)
def test_text_that_postgresql_cannot_store_is_a_validation_failure_with_its_place(text: str, location: Any) -> None:
    with pytest.raises(ValidationFailure) as raised:
        parse(text.encode())
    details = raised.value.details
    assert details is not None
    assert details[0].location == location


@pytest.mark.parametrize("form", ["[{}]", '{{"a": {}}}', "[1, {}, 2]"])
def test_nesting_is_bounded_at_64_levels_whatever_the_stack_allows(form: str) -> None:
    deepest = "1"
    for _ in range(64):
        deepest = form.format(deepest)
    parse(deepest.encode())
    parse(("[" + ",".join(["[]"] * 1_000) + "]").encode())
    with pytest.raises(MalformedJson, match="64 levels"):
        parse(f"[{deepest}]".encode())


def test_hostile_nesting_is_an_error_and_never_a_crash() -> None:
    for depth in (500, 900, 950, 990, 1_000, 5_000):
        body = b'{"a":' * depth + b"1" + b"}" * depth
        try:
            parse(body)
        except ServiceError as error:
            assert isinstance(error, MalformedJson)  # noqa: PT017 -- depends on how deep the stack is already
