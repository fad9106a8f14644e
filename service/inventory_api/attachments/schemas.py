"""The payloads of attachments."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from inventory_api.attachments.filenames import safe_filename
from inventory_api.attachments.media import LARGEST
from inventory_api.attachments.model import Attachment, Owner, Promise
from inventory_api.http.schemas import NAME_PATTERN, StrictModel, UtcDatetime, example

StatusName = Literal["pending_upload", "verifying", "available", "rejected", "expired"]
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ID = "01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10"
BYTES = {"type": "string", "format": "binary", "examples": ["the bytes of the file"]}
# What is sent, and what is answered.
FORM: dict[str, Any] = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "additionalProperties": False,
        "properties": {"file": {**BYTES, "description": "One file, with its name and its type."}},
    },
    "encoding": {"file": {"contentType": ", ".join(LARGEST)}},
}
CONTENT: dict[str, Any] = {media_type: {"schema": BYTES} for media_type in LARGEST}


class OrderRef(StrictModel):
    """An order."""

    type: Literal["order"]
    id: Annotated[UUID, Field(strict=False)]


class ItemRef(StrictModel):
    """An item; its sku is its id."""

    type: Literal["item"]
    id: Annotated[str, Field(pattern=NAME_PATTERN)]


class UploadCreation(StrictModel):
    """What is to be uploaded: the storage takes exactly that. `size` in bytes, `sha256` in lower-case hex."""

    model_config = example(
        owner={"type": "item", "id": "BOLT-M8"}, filename="data-sheet.pdf", content_type="application/pdf",
        size=20_000_000, sha256=DIGEST,
    )  # fmt: skip

    owner: Annotated[OrderRef | ItemRef, Field(discriminator="type")]
    filename: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    content_type: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    size: Annotated[int, Field(ge=1, le=2**53 - 1)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

    def promise(self) -> Promise:
        return Promise(safe_filename(self.filename, self.content_type), self.content_type, self.size, self.sha256)

    def owned_by(self) -> Owner:
        return Owner(self.owner.type, str(self.owner.id))


class OwnerView(BaseModel):
    """An order, by its id, or an item, by its sku."""

    type: Literal["order", "item"]
    id: str


class AttachmentView(BaseModel):
    """A file of an order or an item. It can be fetched while its status is `available`."""

    model_config = example(
        id=ID, owner={"type": "item", "id": "BOLT-M8"}, status="available", filename="data-sheet.pdf",
        content_type="application/pdf", size=48_211, sha256=DIGEST, created_at="2026-03-01T08:00:00.000000Z",
        updated_at="2026-03-01T08:00:01.000000Z",
    )  # fmt: skip

    id: UUID
    owner: OwnerView
    status: StatusName
    filename: str
    content_type: str
    size: int
    sha256: str
    created_at: UtcDatetime
    updated_at: UtcDatetime

    @classmethod
    def of(cls, attachment: Attachment) -> Self:
        promise = attachment.promise
        return cls(
            id=attachment.id,
            owner=OwnerView(type=attachment.owner.type, id=attachment.owner.id),
            status=attachment.status,
            filename=promise.filename,
            content_type=promise.content_type,
            size=promise.size,
            sha256=promise.sha256,
            created_at=attachment.created_at,
            updated_at=attachment.updated_at,
        )


class UploadView(BaseModel):
    """Send the content to `url` by `method`, with exactly these headers, and then complete it."""

    model_config = example(
        id=ID, method="PUT", url="https://storage.example/bucket/attachments/01a20a1b?X-Amz-Signature=...",
        headers={"content-type": "application/pdf", "content-length": "20000000"},
        expires_at="2026-03-01T08:15:00.000000Z",
    )  # fmt: skip

    id: UUID
    method: str
    url: str
    headers: dict[str, str]
    expires_at: UtcDatetime


class AttachmentPage(BaseModel):
    """Newest first."""

    items: list[AttachmentView]
    next_cursor: str | None
