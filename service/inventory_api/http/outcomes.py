"""Counts what became of requests that change orders and reservations, and upload files."""

import asyncio
from collections.abc import Awaitable, Collection

from prometheus_client import Counter
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from inventory_api.errors import ServiceError
from inventory_api.http.idempotency.execution import REPLAYED
from inventory_api.telemetry import request_context
from inventory_api.telemetry.metrics import REFUSALS, UPLOAD_REFUSALS, Metrics


class Outcomes:
    """Each request counts once, whatever it comes to."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def order(self, success: str, answer: Awaitable[Response]) -> Response:
        return await _counted(self._metrics.orders, REFUSALS, success, answer)

    async def reservation(self, success: str, answer: Awaitable[Response]) -> Response:
        return await _counted(self._metrics.reservations, REFUSALS, success, answer)

    async def upload(self, success: str, answer: Awaitable[Response]) -> Response:
        return await _counted(self._metrics.uploads, UPLOAD_REFUSALS, success, answer)


async def _counted(counter: Counter, refusals: Collection[str], success: str, answer: Awaitable[Response]) -> Response:
    result = "failed"
    try:
        response = await answer
        result = "replayed" if REPLAYED in response.headers else success
    except ServiceError as error:
        known = error.type.lower()
        if known in refusals:
            result = known
        elif error.status < 500:  # noqa: PLR2004 -- from there on it is not the client's
            result = "refused"
        raise
    except asyncio.CancelledError:
        if (context := request_context.current()) is not None and context.body_is_late:
            result = "request_timeout"
        raise
    except ClientDisconnect:
        # Only of an upload is anything awaited from the client here.
        result = "aborted"
        raise
    else:
        return response
    finally:
        counter.labels(result=result).inc()
