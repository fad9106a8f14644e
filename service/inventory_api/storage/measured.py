"""A storage whose calls are measured, each a span."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from typing import IO

from opentelemetry import trace
from prometheus_client import Histogram

from inventory_api.storage.model import (
    ObjectMissing,
    SignedRequest,
    Storage,
    StorageUnavailable,
    StoredObject,
    WrongChecksum,
    WrongSize,
)
from inventory_api.telemetry.spans import child_span


class _Measurement:
    """Of one call; `elsewhere` is what of its time was not the storage's."""

    def __init__(self) -> None:
        self.elsewhere = 0.0

    async def leaving_out_the_reader(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The chunks; what is done with them is not counted."""
        async for chunk in chunks:
            began = time.perf_counter()
            try:
                yield chunk
            finally:
                self.elsewhere += time.perf_counter() - began


class MeasuredStorage:
    """Does what another storage does. `duration` is that of the catalogue."""

    def __init__(self, storage: Storage, duration: Histogram, tracer: trace.Tracer) -> None:
        self.measured = storage
        self._duration = duration
        self._tracer = tracer

    async def open(self) -> None:
        await self.measured.open()

    async def close(self) -> None:
        await self.measured.close()

    async def put(self, key: str, file: IO[bytes], size: int, media_type: str, sha256: str) -> None:
        with self._measured("put"), self._span("put"):
            await self.measured.put(key, file, size, media_type, sha256)

    async def sign_upload(self, key: str, size: int, media_type: str, sha256: str, seconds: int) -> SignedRequest:
        with self._measured("sign_upload"), self._span("sign_upload"):
            return await self.measured.sign_upload(key, size, media_type, sha256, seconds)

    async def sign_download(self, key: str, seconds: int, media_type: str, disposition: str) -> str | None:
        with self._measured("sign_download"), self._span("sign_download"):
            return await self.measured.sign_download(key, seconds, media_type, disposition)

    async def describe(self, key: str) -> StoredObject | None:
        with self._measured("describe"), self._span("describe"):
            return await self.measured.describe(key)

    async def read(self, key: str, start: int, length: int) -> bytes:
        with self._measured("read"), self._span("read"):
            return await self.measured.read(key, start, length)

    @asynccontextmanager
    async def stream(self, key: str, start: int, length: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """The span is of its beginning: another task may send what comes, and a current span cannot follow there."""
        async with AsyncExitStack() as stack:
            with self._measured("stream") as measurement:
                with self._span("stream"):
                    chunks = await stack.enter_async_context(self.measured.stream(key, start, length))
                async with aclosing(measurement.leaving_out_the_reader(chunks)) as counted:
                    yield counted

    async def remove(self, key: str) -> None:
        with self._measured("remove"), self._span("remove"):
            await self.measured.remove(key)

    async def check(self) -> None:
        with self._measured("check"), self._span("check"):
            await self.measured.check()

    def _span(self, operation: str) -> AbstractContextManager[object]:
        return child_span(self._tracer, f"storage.{operation}", trace.SpanKind.CLIENT)

    @contextmanager
    def _measured(self, operation: str) -> Iterator[_Measurement]:
        measurement = _Measurement()
        error_type = ""
        began = time.perf_counter()
        try:
            yield measurement
        except BaseException as error:
            error_type = _error_type(error)
            raise
        finally:
            elapsed = time.perf_counter() - began - measurement.elsewhere
            self._duration.labels(operation, error_type).observe(elapsed)


def _error_type(error: BaseException) -> str:
    match error:
        case StorageUnavailable():
            return error.failure
        case ObjectMissing():
            return "missing"
        case WrongSize() | WrongChecksum():
            return "refused"
        case _:
            return "other"
