"""What routes of attachments ask for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from inventory_api.attachments.content import FileContent
from inventory_api.attachments.inspecting import Inspector
from inventory_api.attachments.receiving import Received, received
from inventory_api.attachments.rules import Rules
from inventory_api.errors import DependencyUnavailable
from inventory_api.http.auth import Principal
from inventory_api.http.deps import resources_of
from inventory_api.http.head import IS_HEAD
from inventory_api.http.headers import RequestHeader, reads
from inventory_api.http.pace import Pace
from inventory_api.http.routing import PRINCIPAL
from inventory_api.http.transfers import Transfers
from inventory_api.storage.model import Storage

RANGE = RequestHeader("Range", "`bytes=0-99`: that part of the content, one.")
IF_RANGE = RequestHeader("If-Range", "The ETag that the content must have for `Range` to count.")


class Contents:
    """Of one request: where contents are kept, and how they get there."""

    def __init__(
        self,
        request: Request,
        storage: Storage,
        rules: Rules,
        inspector: Inspector,
        uploads: Transfers,
        pace: Pace,
        downloads: Transfers,
    ) -> None:
        self.storage = storage
        self.rules = rules
        self.inspector = inspector
        self.downloads = downloads
        self._request = request
        self._uploads = uploads
        self._pace = pace

    @asynccontextmanager
    async def received(self) -> AsyncIterator[Received]:
        """The file of the request's body, when it is whole and found to be what it is said to be.

        Raises:
            ServiceError: as `receiving.received` and `inspect`.
        """
        async with received(
            self._request.headers.get("content-type", ""),
            self._paced(),
            self.rules.directory,
            self.rules.most_bytes,
            self.inspector,
        ) as found:
            content = FileContent(found.file, found.promise.size)
            await self.inspector.inspect(found.promise.content_type, content)
            yield found

    async def _paced(self) -> AsyncIterator[bytes]:
        """The body, no faster than all of them together may come."""
        async for chunk in self._request.stream():
            yield chunk
            await self._pace.spend(len(chunk))

    @property
    def redirects(self) -> bool:
        """What is signed for a client is a GET."""
        return self.rules.redirects and not self._request.scope.get(IS_HEAD)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Among those whose content comes in; see `Transfers.place`.

        Raises:
            Overloaded: there is no room for it now.
        """
        async with self._uploads.place(self._request.scope):
            yield


async def _contents(request: Request) -> Contents:
    resources = resources_of(request)
    if resources.storage is None:
        raise DependencyUnavailable("This service is set up without a storage for attachments.")
    return Contents(
        request,
        resources.storage,
        resources.attachment_rules,
        resources.inspector,
        resources.uploads,
        resources.upload_pace,
        resources.downloads,
    )


async def _principal(request: Request) -> Principal:
    principal: Principal = request.scope[PRINCIPAL]
    return principal


@reads(RANGE, IF_RANGE)
async def _range(request: Request) -> tuple[str | None, str | None]:
    """The lines of `Range` and `If-Range`, where there is one of each; of a GET alone (RFC 9110, 14.2)."""
    if request.scope.get(IS_HEAD):
        return None, None
    ranges, conditions = RANGE.lines(request), IF_RANGE.lines(request)
    return ranges[0] if len(ranges) == 1 else None, conditions[0] if conditions else None


RequestContents = Annotated[Contents, Depends(_contents)]
RequestPrincipal = Annotated[Principal, Depends(_principal)]
RequestRange = Annotated[tuple[str | None, str | None], Depends(_range)]
