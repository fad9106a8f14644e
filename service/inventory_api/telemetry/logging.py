"""One JSON object a line on stdout, whoever logs: the service, gunicorn, uvicorn, warnings, what nobody caught.

Fields as in docs/telemetry.md; `extra={...}` adds more, under the names of OpenTelemetry.
"""

import json
import logging
import logging.config
import sys
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from opentelemetry import trace
from prometheus_client import Counter

from inventory_api.telemetry import request_context

logger = logging.getLogger(__name__)

SERVICE = "inventory-api"
# What every LogRecord has; anything else on a record came by `extra`.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
# The SDK says of each batch that it could not be sent, and of each try: one is as good as all.
REPETITIVE = "opentelemetry"
REPEAT_SECONDS = 60.0
ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)
LOGGERS = ("gunicorn.error", "gunicorn.access", "uvicorn.error", "uvicorn.access")
# At DEBUG they write credentials, signatures and whole answers.
DISCREET = ("aiobotocore", "botocore", "aiohttp", "httpcore", "httpx", "urllib3")


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
        return ENCODER.encode(line)


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


class Seldom(logging.Filter):
    """Lets each message of the loggers below `name` through once in `REPEAT_SECONDS`; everything else always."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._next: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True
        now, source = time.monotonic(), (record.pathname, record.lineno)
        if now < self._next.get(source, 0.0):
            return False
        self._next[source] = now + REPEAT_SECONDS
        return True


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
        "filters": {"seldom": {"()": Seldom, "name": REPETITIVE}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "filters": ["seldom"],
                "stream": "ext://sys.stdout",
            }
        },
        "root": {"level": level, "handlers": ["stdout"]},
        "loggers": {
            **{name: {"level": level, "handlers": ["stdout"], "propagate": False} for name in LOGGERS},
            **{name: {"level": "INFO" if level == "DEBUG" else level} for name in DISCREET},
        },
    }


def configure(level: str) -> None:
    """Send every logger of this process through the JSON formatter; warnings and what nobody caught, too."""
    logging.config.dictConfig(dict_config(level))
    logging.captureWarnings(True)
    _collect_only_what_is_written()
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


def _collect_only_what_is_written() -> None:
    """Threads, processes and tasks are looked up for each record otherwise (Logging HOWTO, "Optimization")."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if hasattr(logging, "logAsyncioTasks"):  # since 3.12
        logging.logAsyncioTasks = False


def _log_uncaught(kind: type[BaseException], error: BaseException, stack: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, stack)
    else:
        logger.critical("the process ends by an exception that nobody caught", exc_info=(kind, error, stack))


def _log_uncaught_in_thread(caught: threading.ExceptHookArgs) -> None:
    name = caught.thread.name if caught.thread else "unknown"
    found = caught.exc_value or caught.exc_type()
    logger.error("a thread ended by an exception: %s", name, exc_info=(caught.exc_type, found, caught.exc_traceback))


def _log_unraisable(caught: "sys.UnraisableHookArgs") -> None:
    found = caught.exc_value or caught.exc_type()
    exc_info = (caught.exc_type, found, caught.exc_traceback)
    logger.error("%s: %r", caught.err_msg or "an exception that could not be raised", caught.object, exc_info=exc_info)


def count_records(counter: Counter) -> None:
    """Count what every configured handler writes, from now on."""
    handlers: set[logging.Handler] = set(logging.getLogger().handlers)
    for name in LOGGERS:
        handlers.update(logging.getLogger(name).handlers)
    for handler in handlers:
        handler.addFilter(CountRecords(counter))
