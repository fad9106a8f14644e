"""Direct uploads where the storage is a directory: to this service itself, by a request that the storage has signed."""

import re
from uuid import UUID

from fastapi import APIRouter, Request, Response

from inventory_api.attachments.model import key
from inventory_api.errors import Forbidden
from inventory_api.http.transfers import Transfers
from inventory_api.storage.files import FileStorage
from inventory_api.storage.promise import METHOD, SignatureRefused
from inventory_api.telemetry import request_context

PATH = "/attachments/uploads/{id}/content"
# Whose bodies may be as large as what was signed.
SIGNED_PATHS = re.compile(PATH.format(id="[^/]+"))


def signed_uploads(storage: FileStorage, transfers: Transfers) -> APIRouter:
    """Its one route. The signature is what allows it: there is no API key, as there is none at an S3."""
    router = APIRouter()

    @router.api_route(PATH, methods=[METHOD], include_in_schema=False)
    async def upload(id: UUID, request: Request) -> Response:  # noqa: A002 -- as in the path
        if context := request_context.current():
            context.route = PATH
        try:
            promise = await storage.verify_upload(key(id), request.query_params, request.headers)
        except SignatureRefused as error:
            raise Forbidden("The URL was not signed for this, or its time is over.") from error
        async with transfers.place(request.scope):
            await storage.receive(key(id), promise, request.stream())
        return Response(status_code=200)

    return router
