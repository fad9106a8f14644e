"""Reads one file of a `multipart/form-data` body (RFC 7578) to the disk, as it comes, while it is what it is to be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import multipart

from inventory_api.attachments import media
from inventory_api.attachments.detecting import HEAD_BYTES
from inventory_api.attachments.filenames import safe_filename
from inventory_api.attachments.inspecting import Inspector
from inventory_api.attachments.model import Promise
from inventory_api.attachments.spool import Spool
from inventory_api.errors import ContentMismatch, Detail, UnsupportedMediaType, ValidationFailure

MULTIPART = "multipart/form-data"
PART = "file"
# What may be around the content: boundaries, and the headers of the part.
FRAME_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Received:
    """A whole file, in `file`, which is closed when the caller is done with it."""

    file: IO[bytes]
    promise: Promise


@asynccontextmanager
async def received(
    content_type: str, body: AsyncIterator[bytes], directory: Path | None, most_bytes: int, inspector: Inspector
) -> AsyncIterator[Received]:
    """The file of the part `file`. Ends reading as soon as it is known that it will not be taken.

    Raises:
        UnsupportedMediaType: the body is no multipart/form-data, or the part's type is none that is taken.
        ValidationFailure: the body is malformed, or has not exactly one part, or that has no name of a file.
        PayloadTooLarge: the content has more than `most_bytes`.
        ContentMismatch: the first bytes are not what the part's type says.
    """
    parser = _parser(content_type)
    async with Spool(directory, most_bytes) as spool:
        try:
            promise = await _read(parser, body, spool, inspector)
        except multipart.MultipartError as error:
            raise _malformed("malformed_multipart", "The body is not well-formed multipart/form-data.") from error
        yield Received(spool.file, promise)


def _parser(content_type: str) -> multipart.PushMultipartParser:
    media_type, options = multipart.parse_options_header(content_type)
    if media_type.lower() != MULTIPART:
        raise UnsupportedMediaType(f"The body must be {MULTIPART}.", accepted=(MULTIPART,))
    try:
        return multipart.PushMultipartParser(options.get("boundary", ""), max_segment_count=1, strict=True)
    except multipart.MultipartError as error:
        raise _malformed("malformed_multipart", "The Content-Type has no boundary that can be one.") from error


async def _read(
    parser: multipart.PushMultipartParser, body: AsyncIterator[bytes], spool: Spool, inspector: Inspector
) -> Promise:
    part: multipart.MultipartSegment | None = None
    declared, head, is_judged = "", bytearray(), False
    with parser:
        async for chunk in body:
            if not chunk:
                continue
            for event in parser.parse(chunk):
                if isinstance(event, multipart.MultipartSegment):
                    part, declared = event, _declared(event)
                elif event:
                    await spool.write(event)
                    head += event[: HEAD_BYTES - len(head)]
                    if len(head) == HEAD_BYTES and not is_judged:
                        is_judged = True
                        await check_detected(declared, bytes(head), inspector)
    if part is None:
        raise _malformed("missing", "There must be a part that is called file.")
    if not is_judged:
        await check_detected(declared, bytes(head), inspector)
    await spool.flush()
    return Promise(safe_filename(part.filename or "", declared), declared, spool.size, spool.sha256)


def _declared(part: multipart.MultipartSegment) -> str:
    """The type that the part has by its own header."""
    if part.name != PART or part.filename is None:
        raise _malformed("unexpected_part", "There must be one part, which is called file, and has a file name.")
    if part.header("Content-Transfer-Encoding", "binary").lower() not in ("binary", "7bit", "8bit"):
        raise _malformed("encoded_part", "The part must not be encoded.")
    declared = part.content_type or ""
    media.check_type(declared)
    return declared


async def check_detected(declared: str, head: bytes, inspector: Inspector) -> None:
    """
    Raises:
        ContentMismatch: what begins like this is nothing of that type.
    """
    if not head:
        raise ContentMismatch("The file is empty.")
    if await inspector.detect(head) != declared:
        raise ContentMismatch("The content is not of the type that is declared.")


def _malformed(code: str, message: str) -> ValidationFailure:
    return ValidationFailure(message, details=[Detail(("body", PART), code, message)])
