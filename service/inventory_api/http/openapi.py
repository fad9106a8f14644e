"""The error answers of a route, as OpenAPI says them."""

from typing import Any

from inventory_api.errors import ServiceError
from inventory_api.http.errors import PROBLEM_JSON
from inventory_api.http.schemas import ErrorBody, ProblemBody

# What every route with a key, a path and a database can answer.
COMMON_STATUSES = (401, 403, 422, 500, 503, 504)


def error_types(status: int, base: type[ServiceError] = ServiceError) -> list[str]:
    """The `type`s of the registry with this status; a subclass without one of its own is no other to a client."""
    own = [base.type] if "type" in vars(base) and base.status == status else []
    return [*own, *(found for error in base.__subclasses__() for found in error_types(status, error))]


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the statuses given and those that every route can answer."""
    return {status: _response(status) for status in sorted({*statuses, *COMMON_STATUSES})}


def _response(status: int) -> dict[str, Any]:
    types = " or ".join(f"`{name}`" for name in error_types(status))
    return {
        "description": types,
        "model": ErrorBody,
        "content": {PROBLEM_JSON: {"schema": ProblemBody.model_json_schema()}},
    }
