"""Headers that dependencies read from the request themselves.

Declared to FastAPI, each would cost as much as the rest of a dependency: it looks at the type again with every request.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fastapi import Request
from fastapi.dependencies.models import Dependant

Dependency = TypeVar("Dependency", bound=Callable[..., Any])
READ = "headers_read"


@dataclass(frozen=True)
class RequestHeader:
    """One header, as it stands in OpenAPI."""

    name: str
    description: str
    pattern: str | None = None
    required: bool = False

    def lines(self, request: Request) -> list[str]:
        """Every line of it, in order; none where it was not sent."""
        return request.headers.getlist(self.name)

    def as_required(self) -> "RequestHeader":
        return replace(self, required=True)

    def parameter(self) -> dict[str, Any]:
        """Its Parameter Object (OpenAPI 3.1, 4.8.12)."""
        schema = {"type": "string", **({"pattern": self.pattern} if self.pattern else {})}
        return {
            "name": self.name,
            "in": "header",
            "required": self.required,
            "description": self.description,
            "schema": schema,
        }


def reads(*headers: RequestHeader) -> Callable[[Dependency], Dependency]:
    """Declare the headers that a dependency reads, for the document."""

    def declare(dependency: Dependency) -> Dependency:
        setattr(dependency, READ, headers)
        return dependency

    return declare


def read_by(dependant: Dependant) -> Iterator[RequestHeader]:
    """The headers of everything that a route depends on."""
    for dependency in dependant.dependencies:
        yield from getattr(dependency.call, READ, ())
        yield from read_by(dependency)
