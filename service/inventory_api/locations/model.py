"""A location, as the service sees it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Location:
    """`code` never changes. One that is not active takes no more stock; what is there can leave."""

    code: str
    name: str
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def fields(self) -> dict[str, Any]:
        """What PATCH changes, and what the audit compares."""
        return {"name": self.name, "active": self.active}
