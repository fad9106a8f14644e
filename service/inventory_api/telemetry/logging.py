"""One JSON object a line on stdout, whoever logs: the service, gunicorn, uvicorn, warnings.

Fields as in docs/telemetry.md; `extra={...}` adds more, under the names of OpenTelemetry.
"""

import json
import logging
import logging.config
from datetime import UTC, datetime
from typing import Any

from opentelemetry import trace
from prometheus_client import Counter

from inventory_api.telemetry import request_context

SERVICE = "inventory-api"
# What every LogRecord has; anything else on a record came by `extra`.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
LOGGERS = ("gunicorn.error", "gunicorn.access", "uvicorn.error", "uvicorn.access")


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON with the ids of the request and of the span that it was made in."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "service": SERVICE,
            "message": record.getMessage(),
            "logger": record.name,
        }
        line.update(_request_fields())
        line.update({name: value for name, value in vars(record).items() if name not in STANDARD})
        if record.exc_info and record.exc_info[0] is not None:
            line["error.type"] = record.exc_info[0].__qualname__
            line["error.message"] = str(record.exc_info[1])
            line["error.stack"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _request_fields() -> dict[str, Any]:
    fields: dict[str, Any] = {}
    context = request_context.current()
    if context is not None:
        fields["request_id"] = context.request_id
        fields["elapsed_ms"] = round(context.elapsed_seconds() * 1000, 2)
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        fields["trace_id"] = trace.format_trace_id(span.trace_id)
        fields["span_id"] = trace.format_span_id(span.span_id)
        fields["trace_flags"] = f"{span.trace_flags:02x}"
    return fields


class CountRecords(logging.Filter):
    """Counts what passes in `log_records_total`; lets everything through."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter

    def filter(self, record: logging.LogRecord) -> bool:
        self._counter.labels(level=record.levelname.lower()).inc()
        return True


def dict_config(level: str) -> dict[str, Any]:
    """The configuration, as `logging.config.dictConfig` and gunicorn's `logconfig_dict` take it.

    gunicorn's loggers are named because uvicorn-worker copies their handlers and turns propagation off.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
        "root": {"level": level, "handlers": ["stdout"]},
        "loggers": {name: {"level": level, "handlers": ["stdout"], "propagate": False} for name in LOGGERS},
    }


def configure(level: str) -> None:
    """Send every logger of this process, and warnings, through the JSON formatter."""
    logging.config.dictConfig(dict_config(level))
    logging.captureWarnings(True)


def count_records(counter: Counter) -> None:
    """Count what every configured handler writes, from now on."""
    handlers: set[logging.Handler] = set(logging.getLogger().handlers)
    for name in LOGGERS:
        handlers.update(logging.getLogger(name).handlers)
    for handler in handlers:
        handler.addFilter(CountRecords(counter))
