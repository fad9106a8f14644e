"""Lines of the service's log, of one request."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from inventory_api.trace.model import LogLine

# Of the fields of docs/telemetry.md; of a stack, the log is the place.
SHOWN = (
    "http.request.method", "http.route", "url.path", "http.response.status_code", "duration_ms", "elapsed_ms",
    "principal", "error.type", "error.message", "event.ids", "event.types", "event.type", "webhook.id",
    "webhook.endpoint", "webhook.delivery", "webhook.attempt",
)  # fmt: skip
# W3C Trace Context.
TRACE_ID = re.compile("[0-9a-f]{32}")
# More are no page that anybody reads.
MOST = 1_000


def of_request(texts: Iterable[str], request_id: str) -> Iterator[LogLine]:
    """Lines of JSON that have this request id; whatever stands before the JSON, as a pod's name, is passed over."""
    for text in texts:
        if request_id not in text:
            continue
        try:
            line = json.loads(text[text.index("{") :])
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and line.get("request_id") == request_id:
            yield _line(line)


def in_order(lines: Iterable[LogLine]) -> list[LogLine]:
    """By time, each once, whichever sources have it."""
    found: list[LogLine] = []
    for line in sorted(lines, key=lambda line: line.timestamp):
        if line not in found[-MOST:]:
            found.append(line)
    return found


def _line(line: Mapping[str, Any]) -> LogLine:
    def text(name: str) -> str | None:
        return str(line[name]) if line.get(name) else None

    return LogLine(
        timestamp=text("timestamp") or "",
        level=text("level") or "",
        logger=text("logger") or "",
        message=text("message") or "",
        # It becomes part of a URL, and a line may be anybody's.
        trace_id=found if (found := text("trace_id")) and TRACE_ID.fullmatch(found) else None,
        span_id=text("span_id"),
        trace_flags=text("trace_flags"),
        fields={name: line[name] for name in SHOWN if line.get(name) is not None},
    )
