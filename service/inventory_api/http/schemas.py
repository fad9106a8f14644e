"""What every payload shares."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from inventory_api import codec

UtcDatetime = Annotated[
    datetime,
    PlainSerializer(codec.rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


# What a client names a resource by, in its path. No path can name `.` and `..`: clients resolve them (RFC 3986, 5.2.4).
NAME_PATTERN = r"^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63}|\.[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}|\.\.[A-Za-z0-9._-]{1,62})$"
# Such as a name or a reason. U+0085 is white space where it is checked, and none by ECMA-262, as the document is read.
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"[^\s\x85]")]


def example(**fields: Any) -> ConfigDict:
    """`model_config` of a payload: one as it is in the document."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class StrictModel(BaseModel):
    """Base of every request body: an unknown field or a value of another type is an error, never a guess."""

    model_config = ConfigDict(strict=True, extra="forbid")


class DetailView(BaseModel):
    """One place in the request that is at fault."""

    location: Annotated[list[str | int], Field(examples=[["body", "name"]])]
    code: Annotated[str, Field(examples=["string_type"])]
    message: str
    meta: dict[str, Any] | None = None


class ErrorView(BaseModel):
    """What went wrong. `type` is stable; `message` is for people."""

    type: str
    message: str
    request_id: str
    trace_id: str | None
    details: list[DetailView] | None


class ErrorBody(BaseModel):
    """The one shape of every error."""

    error: ErrorView


class ProblemBody(BaseModel):
    """The same error by RFC 9457, when the request accepts `application/problem+json`."""

    type: Annotated[str, Field(description="A URI that ends in the error's type.")]
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    trace_id: str | None
    details: list[DetailView] | None
