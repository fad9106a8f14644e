"""JSON with one meaning, or an error."""

from typing import Any

import pytest

from inventory_api.errors import MalformedJson, PayloadTooLarge, ServiceError, ValidationFailure
from inventory_api.http.body import MAX_VALUES, parse


@pytest.mark.parametrize(
    "text", ["{}", "0.0", "-0e-400", '{"a": [1, 2.5, true, null, "x"]}', '"\\u00e9\\ud83d\\ude00"', " 1 "]
)
def test_json_is_read(text: str) -> None:
    parse(text.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"nul", b"{'a': 1}", b'{"a": 1,}', b'{"a": 1, "a": 1}', b'{"b": {"a": 1, "a": 2}}', b"NaN",
        b"-Infinity", b"1e400", b"-1e400", b"0.1e-400", b"-1e-400", b"\xff\xfe",
        b'"\x00"', b"[" * 9_000, b"9" * 5_000, b"{}{}",
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


@pytest.mark.parametrize(
    "text",
    [
        '["' + "a,[{" * 100_000 + '"]',
        '["' + '\\\\\\",[' * 100_000 + '"]',
        "[" + ",".join(["1"] * (MAX_VALUES - 1)) + "]",
        "{" + ",".join(f'"{n},{n}": "[,]"' for n in range(MAX_VALUES - 1)) + "}",
    ],
    ids=["in a string", "behind what is escaped", "just so many numbers", "just so many members"],
)
def test_what_is_in_strings_is_no_value(text: str) -> None:
    parse(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "[" + ",".join(["1"] * (MAX_VALUES + 1)) + "]",
        "{" + ",".join(f'"{n}": {n}' for n in range(95_000)) + "}",
        "[" + ",".join(["[]"] * 250_000) + "]",
        "[" * 200_000,
        "," * 1_000_000,
    ],
    ids=["one number more", "members", "arrays", "nesting", "no JSON"],
)
def test_the_number_of_values_is_bounded_before_anything_is_made_of_them(text: str) -> None:
    with pytest.raises(PayloadTooLarge, match="at most 10000 values"):
        parse(text.encode())


@pytest.mark.parametrize("end", ["", "\\", '"', '\\"'])
def test_counting_looks_at_each_character_once(end: str) -> None:
    """What is escaped could begin a string, from which all would be looked at again: half a million times."""
    with pytest.raises(MalformedJson):
        parse(('["' + "," * MAX_VALUES + '\\"' * 500_000 + end).encode())
