"""Attachments, as the service sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from inventory_api.errors import InvalidTransition

Status = Literal["pending_upload", "verifying", "available", "rejected", "expired"]
OwnerType = Literal["order", "item"]
# What each may become; the others are what they are for ever. Who fails to look at one puts it back.
TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    "pending_upload": frozenset({"verifying", "available", "expired"}),
    "verifying": frozenset({"pending_upload", "available", "rejected", "expired"}),
}


def resource(attachment_id: UUID) -> str:
    """The name of an attachment in the audit."""
    return f"attachment:{attachment_id}"


def key(attachment_id: UUID) -> str:
    """The name of its object in the storage."""
    return f"attachments/{attachment_id}"


@dataclass(frozen=True, slots=True)
class Owner:
    """An order, by its id, or an item, by its sku."""

    type: OwnerType
    id: str

    @property
    def order_id(self) -> UUID | None:
        return UUID(self.id) if self.type == "order" else None

    @property
    def sku(self) -> str | None:
        return self.id if self.type == "item" else None


@dataclass(frozen=True, slots=True)
class Promise:
    """What its content is said to be: `size` in bytes, `sha256` in lower-case hex."""

    filename: str
    content_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of an order or an item. Its object is there, and is what it is said to be, while it is available."""

    id: UUID
    owner: Owner
    status: Status
    promise: Promise
    expires_at: datetime
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        return f'"{self.promise.sha256}"'

    def require(self, status: Status) -> None:
        """
        Raises:
            InvalidTransition: it cannot become that.
        """
        if status not in TRANSITIONS.get(self.status, frozenset()):
            raise InvalidTransition(f"The attachment is {self.status}.")

    def fields(self) -> dict[str, Any]:
        """What the audit compares."""
        return {
            "status": self.status,
            "owner": f"{self.owner.type}:{self.owner.id}",
            "filename": self.promise.filename,
            "content_type": self.promise.content_type,
            "size": self.promise.size,
            "sha256": self.promise.sha256,
        }
