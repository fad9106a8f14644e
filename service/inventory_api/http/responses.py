"""JSON responses of payloads that were built here, and so need no second validation."""

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response


def json_response(payload: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(payload.model_dump_json(), status, headers, "application/json")


def not_modified(etag: str) -> Response:
    """304 has no body, and the ETag that it would have had (RFC 9110, 15.4.5)."""
    return Response(status_code=304, headers={"ETag": etag})
