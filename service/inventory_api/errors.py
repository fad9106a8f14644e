"""Every error that the service answers with.

ServiceError
|-- BadRequest               400 BAD_REQUEST              the protocol was not kept
|-- MalformedJson            400 MALFORMED_JSON
|-- InvalidCursor            400 INVALID_CURSOR
|-- IdempotencyKeyRequired   400 IDEMPOTENCY_KEY_REQUIRED
|-- ContentMismatch          400 CONTENT_MISMATCH         the bytes are not what they are said to be
|-- Unauthenticated          401 UNAUTHENTICATED          WWW-Authenticate: Bearer
|-- Forbidden                403 FORBIDDEN                names the missing scope
|-- NotFound                 404 NOT_FOUND
|-- MethodNotAllowed         405 METHOD_NOT_ALLOWED       Allow
|-- RequestTimeout           408 REQUEST_TIMEOUT          Connection: close
|-- Conflict                 409 CONFLICT
|-- IdempotencyInProgress    409 IDEMPOTENCY_IN_PROGRESS  Retry-After
|-- InsufficientStock        409 INSUFFICIENT_STOCK
|-- StockBelowReserved       409 STOCK_BELOW_RESERVED
|-- ItemDiscontinued         409 ITEM_DISCONTINUED
|-- InvalidTransition        409 INVALID_TRANSITION
|-- ReservationExpired       409 RESERVATION_EXPIRED
|-- PreconditionFailed       412 PRECONDITION_FAILED
|-- PayloadTooLarge          413 PAYLOAD_TOO_LARGE
|-- UnsupportedMediaType     415 UNSUPPORTED_MEDIA_TYPE
|-- RangeNotSatisfiable      416 RANGE_NOT_SATISFIABLE    Content-Range
|-- ValidationFailure        422 VALIDATION_FAILURE
|   |-- EmptyPatch           422 EMPTY_PATCH
|   |-- IdempotencyKeyReused 422 IDEMPOTENCY_KEY_REUSED
|   |-- UnknownLocation      422 UNKNOWN_LOCATION
|   `-- UnknownSku           422 UNKNOWN_SKU
|-- PreconditionRequired     428 PRECONDITION_REQUIRED
|-- RateLimited              429 RATE_LIMITED             Retry-After
|-- HeadersTooLarge          431 HEADERS_TOO_LARGE
|-- InternalFailure          500 INTERNAL_FAILURE         says nothing of the inside
|-- DependencyUnavailable    503 DEPENDENCY_UNAVAILABLE   Retry-After
|-- NotReady                 503 NOT_READY
|-- Overloaded               503 OVERLOADED               Retry-After, spread
`-- DeadlineExceeded         504 DEADLINE_EXCEEDED

An error is raised once, at the place that knows, and rendered in one place (`http/errors.py`). `message` and
`details` are for the client: they hold nothing that the client sent, and nothing of the inside.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Detail:
    """One place in the request that is at fault. `meta` holds server-side values only."""

    location: Location
    code: str
    message: str
    meta: Mapping[str, object] | None = None


class ServiceError(Exception):
    """Base of all. `type` and `status` are a contract with clients; `message` may be more exact than the default."""

    type: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    retry_after_seconds: ClassVar[int | None] = None

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Sequence[Detail] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or f"{self.title}."
        self.details = tuple(details) if details else None
        self.headers = dict(headers or {})
        super().__init__(self.message)


class BadRequest(ServiceError):
    type, status, title = "BAD_REQUEST", 400, "The request is not valid HTTP"


class MalformedJson(ServiceError):
    type, status, title = "MALFORMED_JSON", 400, "The body is not valid JSON"


class InvalidCursor(ServiceError):
    type, status, title = "INVALID_CURSOR", 400, "The cursor is not valid for this list"


class IdempotencyKeyRequired(ServiceError):
    type, status, title = "IDEMPOTENCY_KEY_REQUIRED", 400, "This request needs an Idempotency-Key"


class ContentMismatch(ServiceError):
    type, status, title = "CONTENT_MISMATCH", 400, "The content is not what it is said to be"


class Unauthenticated(ServiceError):
    """RFC 6750: the challenge is part of the answer."""

    type, status, title = "UNAUTHENTICATED", 401, "A valid API key is required"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(ServiceError):
    type, status, title = "FORBIDDEN", 403, "The API key lacks a scope"


class NotFound(ServiceError):
    type, status, title = "NOT_FOUND", 404, "There is nothing here"


class MethodNotAllowed(ServiceError):
    """RFC 9110, 15.5.6: `Allow` lists what the resource supports."""

    type, status, title = "METHOD_NOT_ALLOWED", 405, "The method is not allowed here"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(headers={"Allow": ", ".join(sorted(allowed))})


class RequestTimeout(ServiceError):
    """RFC 9110, 15.5.9: the rest of the request may still come, so the connection is closed."""

    type, status, title = "REQUEST_TIMEOUT", 408, "The request did not arrive in time"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"Connection": "close"})


class Conflict(ServiceError):
    type, status, title = "CONFLICT", 409, "There is another one with the same name"


class IdempotencyInProgress(ServiceError):
    type, status, title = "IDEMPOTENCY_IN_PROGRESS", 409, "A request with this Idempotency-Key is being worked on"
    retry_after_seconds = 1


class InsufficientStock(ServiceError):
    type, status, title = "INSUFFICIENT_STOCK", 409, "There is not enough stock"


class StockBelowReserved(ServiceError):
    type, status, title = "STOCK_BELOW_RESERVED", 409, "The stock would fall below what is reserved"


class ItemDiscontinued(ServiceError):
    type, status, title = "ITEM_DISCONTINUED", 409, "An item is not sold any more"


class InvalidTransition(ServiceError):
    type, status, title = "INVALID_TRANSITION", 409, "What it is does not allow this"


class ReservationExpired(ServiceError):
    type, status, title = "RESERVATION_EXPIRED", 409, "The reservation has expired"


class PreconditionFailed(ServiceError):
    type, status, title = "PRECONDITION_FAILED", 412, "The resource is not in the state that the request requires"


class PayloadTooLarge(ServiceError):
    type, status, title = "PAYLOAD_TOO_LARGE", 413, "The body is too large"


class HeadersTooLarge(ServiceError):
    type, status, title = "HEADERS_TOO_LARGE", 431, "The headers are too large"


class UnsupportedMediaType(ServiceError):
    """RFC 9110, 12.5.1: `Accept` lists what the resource takes."""

    type, status, title = "UNSUPPORTED_MEDIA_TYPE", 415, "The media type of the body is not supported"

    def __init__(
        self, message: str | None = None, *, accepted: Sequence[str] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, headers=headers or ({"Accept": ", ".join(accepted)} if accepted else None))


class RangeNotSatisfiable(ServiceError):
    """RFC 9110, 15.5.17: `Content-Range` says how much there is, in bytes."""

    type, status, title = "RANGE_NOT_SATISFIABLE", 416, "The content has no such range"

    def __init__(self, size: int = 0) -> None:
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


class ValidationFailure(ServiceError):
    type, status, title = "VALIDATION_FAILURE", 422, "The request is not valid"


class EmptyPatch(ValidationFailure):
    type, title = "EMPTY_PATCH", "The patch sets no field"


class IdempotencyKeyReused(ValidationFailure):
    type, title = "IDEMPOTENCY_KEY_REUSED", "The Idempotency-Key was used for another request"


class UnknownSku(ValidationFailure):
    type, title = "UNKNOWN_SKU", "An item is not known"


class UnknownLocation(ValidationFailure):
    type, title = "UNKNOWN_LOCATION", "A location is not known"


class PreconditionRequired(ServiceError):
    """RFC 6585: the request must be conditional, so that no update is lost."""

    type, status, title = "PRECONDITION_REQUIRED", 428, "The request must have an If-Match header"


class RateLimited(ServiceError):
    """RFC 6585, 4. After `Retry-After`, in whole seconds, there is quota again."""

    type, status, title = "RATE_LIMITED", 429, "Too many requests were made with this API key"

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(headers={"Retry-After": str(wait_seconds)})


class InternalFailure(ServiceError):
    type, status, title = "INTERNAL_FAILURE", 500, "Service unavailable"

    def __init__(self) -> None:
        super().__init__("Service unavailable")


class DependencyUnavailable(ServiceError):
    type, status, title = "DEPENDENCY_UNAVAILABLE", 503, "A service that this one needs is not available"
    retry_after_seconds = 1


class NotReady(ServiceError):
    type, status, title = "NOT_READY", 503, "The service is not ready"


class Overloaded(ServiceError):
    """`Retry-After` is spread, so that those who were refused together do not come back together."""

    type, status, title = "OVERLOADED", 503, "The service is overloaded"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": str(random.randint(1, 5))})  # noqa: S311 -- spreads, hides nothing


class DeadlineExceeded(ServiceError):
    """Whether the request had an effect is not known; a request with `If-Match` may be sent again without harm."""

    type, status, title = "DEADLINE_EXCEEDED", 504, "The request took too long"
