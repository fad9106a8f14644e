"""The shape of a log line."""

import json
import logging
import sys
from typing import Any

from inventory_api.telemetry import request_context
from inventory_api.telemetry.logging import JsonFormatter
from inventory_api.telemetry.request_context import RequestContext


def _line(**extra: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": "a %s", "args": ("b",), **extra})
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return dict(json.loads(text))


def test_a_line_has_the_fields_of_the_contract() -> None:
    line = _line()
    assert (line["level"], line["service"], line["message"], line["logger"]) == ("info", "inventory-api", "a b", "x")
    assert line["timestamp"].endswith("Z")
    assert "request_id" not in line


def test_a_line_inside_a_request_has_its_id_and_how_long_it_took_so_far() -> None:
    token = request_context.enter(RequestContext("r-1"))
    line = _line()
    request_context.leave(token)
    assert line["request_id"] == "r-1"
    assert line["elapsed_ms"] >= 0


def test_what_cannot_be_encoded_and_line_breaks_stay_in_one_line() -> None:
    line = _line(msg="two\nlines %s", args=(object,), **{"http.route": "/x", "odd": object()})
    assert line["http.route"] == "/x"


def test_an_exception_is_in_fields_of_its_own() -> None:
    try:
        raise ValueError("wrong\nvalue")
    except ValueError:
        line = _line(exc_info=sys.exc_info())
    assert (line["error.type"], line["error.message"]) == ("ValueError", "wrong\nvalue")
    assert "Traceback" in line["error.stack"]
