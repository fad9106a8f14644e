"""The payloads of locations."""

from typing import Annotated, Self

from pydantic import MISSING, BaseModel, ConfigDict, Field

from inventory_api.http.schemas import NAME_PATTERN, StrictModel, Text, UtcDatetime, example
from inventory_api.locations.model import Location

LocationCode = Annotated[str, Field(pattern=NAME_PATTERN, examples=["MAIN"])]
LocationName = Annotated[Text, Field(examples=["Main warehouse"])]


class LocationCreation(StrictModel):
    """POST: a new location. One that is not active takes no stock."""

    model_config = example(code="EAST", name="East warehouse", active=True)

    code: LocationCode
    name: LocationName
    active: bool = True


class LocationPatch(StrictModel):
    """PATCH: any non-empty subset. A field that is absent is not touched."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "examples": [{"active": False}]})

    name: LocationName | MISSING = MISSING
    active: bool | MISSING = MISSING


class LocationView(BaseModel):
    """A location."""

    model_config = example(
        code="EAST", name="East warehouse", active=True, version=1,
        created_at="2026-03-01T08:00:00.000000Z", updated_at="2026-03-01T08:00:00.000000Z",
    )  # fmt: skip

    code: str
    name: str
    active: bool
    version: int
    created_at: UtcDatetime
    updated_at: UtcDatetime

    @classmethod
    def of(cls, location: Location) -> Self:
        return cls(
            code=location.code,
            **location.fields(),
            version=location.version,
            created_at=location.created_at,
            updated_at=location.updated_at,
        )


class LocationPage(BaseModel):
    """Newest first."""

    items: list[LocationView]
    next_cursor: str | None
