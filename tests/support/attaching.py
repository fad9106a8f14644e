"""Attachments of a service in this process, kept in a directory."""

import asyncio
import hashlib
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from inventory_api.database.pool import Database
from inventory_api.jobs.handlers import Handlers
from inventory_api.storage.files import FileStorage
from inventory_api.webhooks.schedule import Schedule
from tests.support.delivering import RETENTION
from tests.support.service import Service

PNG, JPEG, PDF = "image/png", "image/jpeg", "application/pdf"


def image(kind: str = "PNG", size: tuple[int, int] = (8, 8), noise: int = 0) -> bytes:
    """A picture; with `noise`, one of at least about so many bytes."""
    if noise:
        side = int((noise / 3) ** 0.5) + 1
        picture = Image.effect_noise((side, side * 3), 100)
    else:
        picture = Image.new("RGB", size, "teal")
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def an_item(service: Service, sku: str = "A-1") -> str:
    """The path of its attachments."""
    (await service.put(sku)).raise_for_status()
    return f"/inventory/{sku}/attachments"


async def upload(
    service: Service, path: str, content: bytes, name: str = "picture.png", media_type: str = PNG
) -> httpx.Response:
    return await service.api.post(path, files={"file": (name, content, media_type)})


async def sign(
    service: Service, content: bytes, media_type: str = PNG, headers: dict[str, str] | None = None, **changed: Any
) -> httpx.Response:
    """Of an item that is called A-1."""
    body = {
        "owner": {"type": "item", "id": "A-1"},
        "filename": "picture.png",
        "content_type": media_type,
        "size": len(content),
        "sha256": sha256(content),
    }
    return await service.api.post("/attachments/uploads", json={**body, **changed}, headers=headers)


async def send(service: Service, signed: dict[str, Any], content: bytes, **headers: str) -> httpx.Response:
    """By whoever has the URL, without a key."""
    given = {**signed["headers"], **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await service.anonymous.request(signed["method"], signed["url"], content=content, headers=given)


def storage_of(service: Service) -> FileStorage:
    found = service.app.api.state.resources.storage.measured
    assert isinstance(found, FileStorage)
    return found


async def never(*_: object) -> Any:
    """In place of what a storage does, one that hangs."""
    await asyncio.sleep(60)


def handlers_of(service: Service, database: Database) -> Handlers:
    """What a queue worker of that service does."""
    return Handlers(database, lambda: "", RETENTION, Schedule(), lambda: None, storage_of(service))


def stored(directory: Path) -> list[Path]:
    """Everything that is in the storage, finished or not, but for the key that it signs by."""
    return [path for path in directory.rglob("*") if path.is_file() and path.name != ".signing-key"]


def png_of(size: int) -> bytes:
    """A picture of exactly so many bytes: what is missing is in a private chunk, which decoders skip."""
    picture = image()
    end = picture[-12:]
    data = b"prVt" + os.urandom(size - len(picture) - 12)
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    return picture[:-12] + chunk + end


def pdf_of(size: int) -> bytes:
    """A document of exactly so many bytes: what is missing is in a comment behind its header."""
    head = b"%PDF-1.7\n%"
    objects = b"1 0 obj\n<< /Type /Catalog >>\nendobj\n"
    tail = "\nxref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 1 /Root 1 0 R >>\nstartxref\n{:012d}\n%%EOF\n"
    padding = size - len(head) - len(objects) - len(tail.format(0)) - 1
    before = head + b" " * padding + b"\n" + objects
    return before + tail.format(len(before) + 1).encode()
