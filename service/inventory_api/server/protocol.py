"""uvicorn's HTTP protocol with the error contract for what is no HTTP at all."""

import json
import logging

from uuid_utils.compat import uuid7
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from inventory_api.errors import BadRequest

logger = logging.getLogger(__name__)


class HttpProtocol(HttpToolsProtocol):
    """Answers a request that cannot be parsed in the one error shape, with a request id of its own."""

    def send_400_response(self, msg: str) -> None:
        error = BadRequest()
        request_id = str(uuid7())
        body = json.dumps(
            {
                "error": {
                    "type": error.type,
                    "message": error.message,
                    "request_id": request_id,
                    "trace_id": None,
                    "details": None,
                }
            }
        ).encode()
        client = self.client[0] if self.client else None
        logger.info("%s: %s", error.type, msg, extra={"request_id": request_id, "client.address": client})
        head = (
            b"content-type: application/json\r\n"
            b"content-length: %d\r\n"
            b"x-request-id: %s\r\n"
            b"connection: close\r\n\r\n" % (len(body), request_id.encode())
        )
        self.transport.write(STATUS_LINE[error.status] + head + body)
        self.transport.close()
