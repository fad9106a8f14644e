"""Renders every error in the one shape, whoever raised it."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from opentelemetry import trace
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from inventory_api.errors import (
    BadRequest,
    Detail,
    InternalFailure,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    ValidationFailure,
)
from inventory_api.http.negotiation import PROBLEM_JSON, prefers_problem
from inventory_api.telemetry import request_context
from inventory_api.telemetry.metrics import NO_ROUTE, Metrics

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "urn:inventory-api:error:"
SERVER_ERROR = 500
# Of what may be thousands, enough to mend a request by.
MAX_DETAILS = 100
# Characters of a member's name, which is the client's where it is not known here.
MAX_NAME = 64
# In the words of JSON, where pydantic's are Python's.
MESSAGES = {"model_attributes_type": "Input should be a JSON object", "dict_type": "Input should be a JSON object"}


def from_exception(error: Exception) -> ServiceError:
    """The error of the contract for anything that was raised."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, RequestValidationError):
        return ValidationFailure(details=[_detail(found) for found in error.errors()[:MAX_DETAILS]])
    if isinstance(error, HTTPException):
        return _from_http(error)
    return InternalFailure()


def report(error: ServiceError, cause: Exception, metrics: Metrics) -> None:
    """Log, count and trace what is the service's fault; the client's faults are in the access line."""
    context = request_context.current()
    if context is not None:
        context.error_type = error.type
    if error.status < SERVER_ERROR:
        return
    route = (context and context.route) or NO_ROUTE
    metrics.exceptions.labels(http_route=route, error_type=error.type).inc()
    trace.get_current_span().record_exception(cause)
    if isinstance(error, InternalFailure):
        logger.error("%s: %s", error.type, error.message, exc_info=cause)
    else:
        # Expected of dependencies: the cause in a line, so that an outage under load does not fill the log with stacks.
        logger.warning("%s: %s", error.type, error.message, extra={"error.cause": repr(cause.__cause__ or cause)})


def render(error: ServiceError, request_headers: Headers, *, extra: Mapping[str, Any] | None = None) -> Response:
    """The response. As `application/problem+json` where the request asks for it; `extra` stands beside the error."""
    context = request_context.current()
    request_id, trace_id = (context.request_id, context.trace_id) if context else (None, None)
    content, media_type = error_content(error, request_id, trace_id, request_headers.getlist("accept"), extra)
    return Response(content, error.status, error_headers(error), media_type)


def error_headers(error: ServiceError) -> dict[str, str]:
    """Those that the response has for the error's sake."""
    if error.retry_after_seconds is None:
        return dict(error.headers)
    return {"Retry-After": str(error.retry_after_seconds), **error.headers}


def error_content(
    error: ServiceError,
    request_id: str | None,
    trace_id: str | None,
    accept: Sequence[str],
    extra: Mapping[str, Any] | None = None,
) -> tuple[bytes, str]:
    """The body and its media type: the one shape, or RFC 9457 for those who ask for it."""
    common = _common(error, request_id, trace_id)
    if prefers_problem(accept):
        body, media_type = _problem(error, request_id, common), PROBLEM_JSON
    else:
        body, media_type = {"error": {"type": error.type, "message": error.message, **common}}, "application/json"
    return json.dumps({**body, **(extra or {})}, ensure_ascii=False).encode(), media_type


def _problem(error: ServiceError, request_id: str | None, common: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": PROBLEM_TYPE + error.type,
        "title": error.title,
        "status": error.status,
        "detail": error.message,
        "instance": f"urn:inventory-api:request:{request_id}",
        **common,
    }


def _common(error: ServiceError, request_id: str | None, trace_id: str | None) -> dict[str, Any]:
    details = [_view(detail) for detail in error.details] if error.details else None
    return {"request_id": request_id, "trace_id": trace_id, "details": details}


class ErrorHandler:
    """What the application calls for errors that are raised inside of it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, request: Request, cause: Exception) -> Response:
        if isinstance(cause, HTTPException) and cause.status_code == MethodNotAllowed.status:
            error: ServiceError = MethodNotAllowed(request.app.state.route_table.allowed_methods(request.scope))
        else:
            error = from_exception(cause)
        report(error, cause, self._metrics)
        return render(error, Headers(scope=request.scope))


def _from_http(error: HTTPException) -> ServiceError:
    if error.status_code == NotFound.status:
        return NotFound("There is no such path.")
    if error.status_code < SERVER_ERROR:
        return BadRequest(str(error.detail))
    return InternalFailure()


def _detail(found: Mapping[str, Any]) -> Detail:
    """Location, code and message only: `input` and `ctx` hold what the client sent, and what JSON cannot."""
    code = str(found["type"])
    location = tuple(part[:MAX_NAME] if isinstance(part, str) else part for part in found["loc"])
    return Detail(location, code, MESSAGES.get(code, str(found["msg"])))


def _view(detail: Detail) -> dict[str, Any]:
    return {
        "location": list(detail.location),
        "code": detail.code,
        "message": detail.message,
        "meta": dict(detail.meta) if detail.meta else None,
    }
