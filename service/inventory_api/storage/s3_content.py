"""Contents of objects as they come from S3, and how long that may take."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from aiobotocore.response import StreamingBody
from botocore.exceptions import ClientError

from inventory_api.storage.model import CHUNK_BYTES, StorageUnavailable
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


async def resumed(
    body: StreamingBody, reopened: Callable[[int], Awaitable[StreamingBody | None]]
) -> AsyncGenerator[bytes, None]:
    """The chunks; where a connection ends before its content does, from where they are, by another one.

    An S3 that closes what it has answered may take the last bytes with it (RFC 9112, 9.6). `reopened` is given how many
    bytes were taken. Where nothing came of a connection, there is no other. To close the bodies is the caller's.
    """
    taken = 0
    while True:
        before = taken
        try:
            async with aclosing(chunks(body)) as pieces:
                async for chunk in pieces:
                    taken += len(chunk)
                    yield chunk
        except StorageUnavailable as error:
            if error.failure != "unavailable" or taken == before or (rest := await reopened(taken)) is None:
                raise
            body = rest
        else:
            return


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
