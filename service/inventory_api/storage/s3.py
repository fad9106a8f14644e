"""Objects in a bucket of S3, or of whatever speaks as it does."""

import asyncio
import os
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from functools import partial
from typing import IO, TYPE_CHECKING, TypeVar

from aiobotocore.response import StreamingBody
from botocore.exceptions import ClientError

from inventory_api.storage.model import (
    SignedRequest,
    StorageUnavailable,
    StoredObject,
    WrongSize,
    check_key,
)
from inventory_api.storage.s3_client import Client
from inventory_api.storage.s3_content import CALL_SECONDS, content, nothing, resumed, seconds_for
from inventory_api.storage.s3_failures import code, is_busy, translated

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

T = TypeVar("T")

# Beside those of contents, which may be on their way for long: for what is short, the check of readiness too.
SHORT_CALLS = 8


class S3Storage:
    """A bucket, and in it what begins with the prefix. It needs the rights to list, get, put and delete there.

    What has no content is asked a second time, at once, where the storage was busy. A content that was refused is not
    sent again: whoever brought it decides that. What was lost with its connection is sent once more by aiohttp itself,
    whichever it is: all that is done here may be done twice.
    """

    def __init__(self, bucket: str, prefix: str = "", *, transfers: int = 32) -> None:
        """`transfers`: of so many contents at once, which the caller bounds."""
        self._bucket = bucket
        self._prefix = prefix
        self._client = Client(transfers + SHORT_CALLS)

    async def open(self) -> None:
        """Reads what the client needs, so that no request has to: it asks nobody, unless credentials are given out."""
        with suppress(StorageUnavailable), translated():
            await self._client.get()

    async def close(self) -> None:
        with suppress(TimeoutError):
            await self._client.close()

    async def put(self, key: str, file: IO[bytes], size: int, media_type: str, sha256: str) -> None:
        name = self._name(key)
        # Another object for the same file, with a lock: a read that goes on in a thread outlives neither.
        with translated(), open(os.dup(file.fileno()), "rb") as body:  # noqa: PTH123, ASYNC230 -- a descriptor
            if os.fstat(body.fileno()).st_size != size:
                raise WrongSize
            body.seek(0)
            async with asyncio.timeout(seconds_for(size)):
                client = await self._client.get()
                await client.put_object(
                    Bucket=self._bucket,
                    Key=name,
                    Body=body,
                    ContentLength=size,
                    ContentType=media_type,
                    ChecksumSHA256=_base64(sha256),
                )

    async def sign_upload(self, key: str, size: int, media_type: str, sha256: str, seconds: int) -> SignedRequest:
        """It ends before, where the credentials that it is signed with do."""
        checksum = _base64(sha256)
        parameters = {"ContentLength": size, "ContentType": media_type, "ChecksumSHA256": checksum}
        url = await self._signed("put_object", key, seconds, parameters)
        headers = {"content-length": str(size), "content-type": media_type, "x-amz-checksum-sha256": checksum}
        return SignedRequest("PUT", url, headers)

    async def sign_download(self, key: str, seconds: int, media_type: str, disposition: str) -> str | None:
        # Whoever uploaded it may have sent such headers along; what is not signed, the storage keeps.
        parameters = {
            "ResponseContentType": media_type,
            "ResponseContentDisposition": disposition,
            "ResponseContentEncoding": "identity",
            "ResponseCacheControl": "private, no-cache",
        }
        return await self._signed("get_object", key, seconds, parameters)

    async def describe(self, key: str) -> StoredObject | None:
        name = self._name(key)

        async def head(client: "S3Client") -> StoredObject | None:
            try:
                found = await client.head_object(Bucket=self._bucket, Key=name, ChecksumMode="ENABLED")
            except ClientError as error:
                if code(error) not in {"404", "NoSuchKey"}:
                    raise
                # The answer to HEAD is the same for an object and for a bucket that is not there.
                await client.head_bucket(Bucket=self._bucket)
                return None
            checksum = _hex(found.get("ChecksumSHA256"))
            return StoredObject(
                found["ContentLength"], found.get("ContentType", ""), checksum, found.get("ContentEncoding")
            )

        return await self._ask(head)

    async def read(self, key: str, start: int, length: int) -> bytes:
        name = self._name(key)

        async def get(client: "S3Client") -> bytes:
            body = await content(client, self._bucket, name, start, length)
            if body is None:
                return b""
            async with body:
                return await body.read()

        return await self._ask(get, seconds_for(length))

    @asynccontextmanager
    async def stream(self, key: str, start: int, length: int) -> AsyncIterator[AsyncIterator[bytes]]:
        name = self._name(key)
        async with AsyncExitStack() as bodies:

            async def opened(taken: int) -> StreamingBody | None:
                asked = partial(content, bucket=self._bucket, name=name, start=start + taken, length=length - taken)
                if (body := await self._ask(asked)) is not None:
                    # Closed before its end, it takes its connection with it.
                    await bodies.enter_async_context(body)
                return body

            body = await opened(0)
            if body is None:
                yield nothing()
                return
            async with aclosing(resumed(body, opened)) as taken:
                yield taken

    async def remove(self, key: str) -> None:
        name = self._name(key)
        await self._ask(lambda client: client.delete_object(Bucket=self._bucket, Key=name))

    async def check(self) -> None:
        """Without a second try: the next check is one."""
        with translated():
            async with asyncio.timeout(CALL_SECONDS):
                client = await self._client.get()
                await client.head_bucket(Bucket=self._bucket)

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    async def _signed(self, call: str, key: str, seconds: int, parameters: Mapping[str, object]) -> str:
        where = {"Bucket": self._bucket, "Key": self._name(key)}
        with translated():
            async with asyncio.timeout(CALL_SECONDS):
                client = await self._client.get()
                return await client.generate_presigned_url(call, Params={**where, **parameters}, ExpiresIn=seconds)

    async def _ask(self, call: Callable[["S3Client"], Awaitable[T]], seconds: float = CALL_SECONDS) -> T:
        """What the call gives, which may be made twice."""
        with translated():
            async with asyncio.timeout(seconds):
                client = await self._client.get()
                try:
                    return await call(client)
                except ClientError as error:
                    if not is_busy(error):
                        raise
                return await call(client)


def _base64(sha256: str) -> str:
    return b64encode(bytes.fromhex(sha256)).decode()


def _hex(checksum: str | None) -> str | None:
    """None also for the checksum of checksums that an upload in parts has, which is none of the content."""
    return b64decode(checksum).hex() if checksum and "-" not in checksum else None
