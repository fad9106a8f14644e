"""Reads a JSON body strictly, before FastAPI sees it: one meaning, or an error (RFC 8259, RFC 7493)."""

import json
import re
from typing import Any, NoReturn

from starlette.datastructures import Headers
from starlette.requests import Request

from inventory_api.errors import (
    Detail,
    Location,
    MalformedJson,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailure,
)

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
JSON_MEDIA_TYPE = "application/json"
MERGE_PATCH = "application/merge-patch+json"
NOT_ZERO = re.compile(r"-?[0.]*[1-9]")
CHARSET = re.compile(r'charset\s*=\s*"?([^\s";]*)', re.IGNORECASE)
MAX_DEPTH = 64
# What parsing and validation cost is by the number of values, of which a body has up to one in two bytes.
MAX_VALUES = 10_000
# A string as a whole, or what begins a value that is not the first: possessive, so that no text is looked at twice.
STRING_OR_VALUE = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[,\[{]', re.DOTALL)


class JsonRequest(Request):
    """A request whose body is read strictly."""

    async def read(self, media_types: tuple[str, ...]) -> Any:
        """The body, parsed.

        Raises:
            UnsupportedMediaType: the declared type is none of `media_types`, or the body is encoded.
            MalformedJson: it is empty, no JSON, JSON with two meanings (a member twice, NaN), or nested too deep.
            PayloadTooLarge: it has more values than `MAX_VALUES`.
            ValidationFailure: a string that PostgreSQL cannot store (NUL, a lone surrogate).
        """
        if media_type(self.headers) not in media_types:
            raise UnsupportedMediaType(f"The body must be {' or '.join(media_types)}.", accepted=media_types)
        if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("The body must not be compressed.", headers={"Accept-Encoding": "identity"})
        return parse(await self.body())


def media_type(headers: Headers) -> str:
    """The media type without parameters, in lower case; empty where none is declared, or several are, or no UTF-8."""
    lines = headers.getlist("content-type")
    if len(lines) != 1:
        return ""
    declared, _, parameters = lines[0].partition(";")
    charset = CHARSET.search(parameters)
    return declared.strip().lower() if charset is None or charset[1].lower() == "utf-8" else ""


def parse(body: bytes) -> Any:
    """See `JsonRequest.read`."""
    if not body:
        raise MalformedJson("The body is empty.")
    try:
        text = body.decode("utf-8")
        _check_values(text)
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded
        )
    except UnicodeDecodeError as error:
        raise MalformedJson("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedJson(f"The body is not valid JSON (line {error.lineno}, column {error.colno}).") from error
    except RecursionError as error:
        raise _too_deep() from error
    # The count is cheap, and of most bodies enough.
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise _too_deep()
    if "\\u" in text and (location := _unstorable(value)) is not None:
        detail = Detail(("body", *location), "string_unicode", "NUL and lone surrogates are not text.")
        raise ValidationFailure(details=[detail])
    return value


def _check_values(text: str) -> None:
    """Stops at the bound, so that it costs no more for what has far more."""
    if text.count(",") + text.count("[") + text.count("{") <= MAX_VALUES:
        return
    values = 0
    for found in STRING_OR_VALUE.finditer(text):
        values += text[found.start()] != '"'
        if values > MAX_VALUES:
            raise PayloadTooLarge(f"The body may have at most {MAX_VALUES} values.")


def _too_deep() -> MalformedJson:
    return MalformedJson(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether more than so many objects and arrays are in each other."""
    containers = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        members = (member for found in containers for member in (found.values() if isinstance(found, dict) else found))
        containers = [member for member in members if isinstance(member, dict | list)]
    return bool(containers)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedJson("An object has a member twice.")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise MalformedJson("NaN and Infinity are not JSON.")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")) or (value == 0 and NOT_ZERO.match(text)):
        raise MalformedJson("A number is too large or too small.")
    return value


def _bounded(text: str) -> int:
    if len(text) > 400:  # noqa: PLR2004 -- more digits than the largest double has
        raise MalformedJson("A number is too large.")
    return int(text)


def _unstorable(value: Any) -> Location | None:
    """Where the first such string is; without recursion, since the nesting is the client's."""
    pending: list[tuple[Location, Any]] = [((), value)]
    while pending:
        location, found = pending.pop()
        if isinstance(found, str) and UNSTORABLE.search(found):
            return location
        if isinstance(found, dict):
            if any(UNSTORABLE.search(name) for name in found):
                return location
            pending.extend(((*location, name), member) for name, member in found.items())
        elif isinstance(found, list):
            pending.extend(((*location, index), member) for index, member in enumerate(found))
    return None
