"""Contents of objects as they come from S3, and how long that may take."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING

from aiobotocore.response import StreamingBody
from botocore.exceptions import ClientError

from inventory_api.storage.model import CHUNK_BYTES
from inventory_api.storage.s3_failures import code, translated

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

# Of all that one call may take; and a content, of whatever size, may take as much more as it would at that pace.
CALL_SECONDS = 10.0
LEAST_BYTES_PER_SECOND = 524_288


def seconds_for(size: int) -> float:
    """How long a call may take that transfers so many bytes."""
    return CALL_SECONDS + size / LEAST_BYTES_PER_SECOND


async def content(client: "S3Client", bucket: str, name: str, start: int, length: int) -> StreamingBody | None:
    """That part of an object, which is to be closed; None where the object ends before."""
    try:
        found = await client.get_object(Bucket=bucket, Key=name, Range=f"bytes={start}-{start + length - 1}")
    except ClientError as error:
        if code(error) == "InvalidRange":
            return None
        raise
    return found["Body"]


async def chunks(body: StreamingBody) -> AsyncGenerator[bytes, None]:
    """Each full, but for the last: so a storage that drips is late, and not for ever slow."""
    while chunk := await _chunk(body):
        yield chunk


async def nothing() -> AsyncIterator[bytes]:
    """The chunks of what is empty."""
    return
    yield b""


async def _chunk(body: StreamingBody) -> bytes:
    chunk = bytearray()
    with translated():
        async with asyncio.timeout(seconds_for(CHUNK_BYTES)):
            while (left := CHUNK_BYTES - len(chunk)) and (piece := await body.read(left)):
                chunk += piece
    return bytes(chunk)
