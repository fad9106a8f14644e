"""Answers with a content, as it comes from the storage."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inventory_api.attachments.filenames import content_disposition
from inventory_api.attachments.model import Attachment, key
from inventory_api.errors import DependencyUnavailable
from inventory_api.http.head import IS_HEAD
from inventory_api.http.transfers import Transfers
from inventory_api.storage.model import ObjectMissing, Storage
from inventory_api.telemetry import request_context

logger = logging.getLogger(__name__)

# Whatever a browser makes of it, it runs nothing, and is no part of this origin.
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Accept-Ranges": "bytes",
}


class Download(Response):
    """Of an attachment, or a part of it: where it begins, and how long it is, in bytes.

    It is begun when the storage has begun to answer: where that fails, the client has a 503, and no broken 200.
    """

    def __init__(
        self, storage: Storage, transfers: Transfers, attachment: Attachment, part: tuple[int, int] | None
    ) -> None:
        promise = attachment.promise
        start, length = part or (0, promise.size)
        headers = {
            **SAFE,
            "ETag": attachment.etag,
            "Content-Disposition": content_disposition(promise.filename),
            "Content-Length": str(length),
        }
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{promise.size}"
        super().__init__(None, 206 if part else 200, headers, promise.content_type)
        self._storage = storage
        self._transfers = transfers
        self._key = key(attachment.id)
        self._start = start
        self._length = length

    @asynccontextmanager
    async def _content(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """
        Raises:
            DependencyUnavailable: the storage is not, or has it no more.
        """
        try:
            async with self._storage.stream(self._key, self._start, self._length) as chunks:
                yield chunks
        except ObjectMissing as error:
            logger.error("the object of an attachment that is available is gone: %s", self._key)
            raise DependencyUnavailable("The content is missing in the storage.") from error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope.get(IS_HEAD):
            await send(begun)
            await send({"type": "http.response.body", "body": b""})
            return
        async with self._transfers.place(scope), self._content() as chunks:
            # From here on it takes as long as the client does; the server ends one that does not read.
            if context := request_context.current():
                context.end_deadline()
            await send(begun)
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
