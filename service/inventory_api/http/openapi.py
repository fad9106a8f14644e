"""OpenAPI that says what happens: the errors of a route, its scopes, its media types, its headers."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from inventory_api.errors import (
    BadRequest,
    DeadlineExceeded,
    DependencyUnavailable,
    Detail,
    Forbidden,
    HeadersTooLarge,
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    InsufficientStock,
    InternalFailure,
    MalformedJson,
    NotReady,
    Overloaded,
    PayloadTooLarge,
    RateLimited,
    RequestTimeout,
    ServiceError,
    StockBelowReserved,
    Unauthenticated,
    UnknownLocation,
    UnknownSku,
    UnsupportedMediaType,
    ValidationFailure,
)
from inventory_api.http.errors import error_content, error_headers
from inventory_api.http.idempotency.key import HEADER as IDEMPOTENCY_KEY
from inventory_api.http.negotiation import JSON, PROBLEM_JSON
from inventory_api.http.routing import Route, RouteTable
from inventory_api.http.schemas import ErrorBody, ProblemBody

COMMON: tuple[type[ServiceError], ...] = (
    BadRequest, Unauthenticated, Forbidden, ValidationFailure, RateLimited, HeadersTooLarge, InternalFailure,
    DependencyUnavailable, NotReady, Overloaded, DeadlineExceeded,
)  # fmt: skip
# Of routes with a JSON body.
BODY: tuple[type[ServiceError], ...] = (MalformedJson, RequestTimeout, PayloadTooLarge, UnsupportedMediaType)
# Of routes with an Idempotency-Key.
IDEMPOTENCY: tuple[type[ServiceError], ...] = (IdempotencyInProgress, IdempotencyKeyReused)
REQUIRED_IDEMPOTENCY: tuple[type[ServiceError], ...] = (IdempotencyKeyRequired, *IDEMPOTENCY)
SCHEME = "ApiKey"
REFERENCE = "#/components/schemas/{model}"
TEXT: dict[str, Any] = {"schema": {"type": "string"}}
# Of what was counted, where a limit is set.
RATE_LIMIT = ("RateLimit", "RateLimit-Policy")
EVERY_RESPONSE = {"X-Request-ID": TEXT, "X-Response-Time": TEXT, "Server-Timing": TEXT}
OF_STATUS = {"201": ("Location",)}
# Refused before they are counted.
NOT_COUNTED = {"401", "403"}
ETAG = {"ETag": TEXT}
# Of examples.
REQUEST_ID, TRACE_ID = "01a20a1b-7d82-73dc-b78a-69813c3423f9", "d4eb709b751e68b6d33b18db4c0c656d"
LEVEL = {"sku": "BOLT-M8", "location": "MAIN", "on_hand": 3, "reserved": 1, "available": 2}
DETAILS = {
    ValidationFailure: Detail(("body", "name"), "string_type", "Input should be a valid string"),
    UnknownSku: Detail(("body", "lines", 0, "sku"), "unknown_sku", "There is no such item."),
    UnknownLocation: Detail(("body", "lines", 0, "location"), "unknown_location", "There is no such location."),
    InsufficientStock: Detail(
        ("body", "lines", 0, "delta"), "insufficient_stock", "There is not so much on hand.", LEVEL
    ),
    StockBelowReserved: Detail(
        ("body", "lines", 0, "delta"), "stock_below_reserved", "Less would be left than is reserved.", LEVEL
    ),
}
# `responses=` of a read with an ETag, beside its errors.
CONDITIONAL_READ: dict[int | str, dict[str, Any]] = {
    200: {"headers": ETAG},
    304: {"description": "The ETag is that of If-None-Match.", "headers": ETAG},
}


def error_responses(*errors: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the errors given, and those that every route can answer."""
    by_status: dict[int, list[type[ServiceError]]] = defaultdict(list)
    for error in (*errors, *COMMON):
        by_status[error.status].append(error)
    return {
        status: {
            "model": ErrorBody,
            "description": " or ".join(f"`{error.type}`" for error in by_status[status]),
            "headers": {name: TEXT for error in by_status[status] for name in error_headers(_raised(error))},
            "content": {
                media_type: {"examples": {error.type: _example(error, media_type) for error in by_status[status]}}
                for media_type in (JSON, PROBLEM_JSON)
            },
        }
        for status in sorted(by_status)
    }


def _example(error: type[ServiceError], media_type: str) -> dict[str, Any]:
    """As it would be rendered."""
    content, _ = error_content(_raised(error), REQUEST_ID, TRACE_ID, [media_type])
    return {"value": json.loads(content)}


def _raised(error: type[ServiceError]) -> ServiceError:
    raised = RateLimited(wait_seconds=12) if error is RateLimited else error()
    raised.details = (DETAILS[error],) if error in DETAILS else None
    return raised


def declare(app: FastAPI, table: RouteTable) -> None:
    """Make the application's document complete; what FastAPI cannot know of a route is added to it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            _add_components(document)
            for operation, route in _operations(document, table):
                _complete(operation, route)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _add_components(document: dict[str, Any]) -> None:
    components = document["components"]
    problem = ProblemBody.model_json_schema(ref_template=REFERENCE)
    components["schemas"].update(problem.pop("$defs", {}))
    components["schemas"]["ProblemBody"] = problem
    components["securitySchemes"] = {SCHEME: {"type": "http", "scheme": "bearer", "description": "An API key."}}


def _operations(document: dict[str, Any], table: RouteTable) -> Iterator[tuple[dict[str, Any], Route | None]]:
    routes = {(method, path): route for method, path, route in table.operations()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            route = routes[method.upper(), path]
            yield operation, route if isinstance(route, Route) else None


def _complete(operation: dict[str, Any], route: Route | None) -> None:
    for status, response in operation["responses"].items():
        names = OF_STATUS.get(status, ())
        response["headers"] = {**EVERY_RESPONSE, **response.get("headers", {}), **dict.fromkeys(names, TEXT)}
        content = response.get("content", {})
        if PROBLEM_JSON in content:
            content[PROBLEM_JSON]["schema"] = {"$ref": REFERENCE.format(model="ProblemBody")}
    if route is None:
        return
    for status, response in operation["responses"].items():
        if status not in NOT_COUNTED:
            response["headers"].update(dict.fromkeys(RATE_LIMIT, TEXT))
        if status.startswith("2") and IDEMPOTENCY_KEY in {found["name"] for found in operation["parameters"]}:
            response["headers"]["Idempotent-Replayed"] = TEXT
        # As they were given: FastAPI leaves out what is null.
        for media_type, given in route.responses.get(int(status), {}).get("content", {}).items():
            if "examples" in given:
                response["content"][media_type]["examples"] = given["examples"]
    operation["security"] = [{SCHEME: []}]
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]
        (schema,) = content.values()
        operation["requestBody"]["content"] = dict.fromkeys(route.media_types, schema)
