"""Counts what became of requests that change orders and reservations."""

from collections.abc import Awaitable

from prometheus_client import Counter
from starlette.responses import Response

from inventory_api.errors import ServiceError
from inventory_api.http.idempotency.execution import REPLAYED
from inventory_api.telemetry.metrics import REFUSALS, Metrics


class Outcomes:
    """Each request counts once, whatever it comes to."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def order(self, success: str, answer: Awaitable[Response]) -> Response:
        return await _counted(self._metrics.orders, success, answer)

    async def reservation(self, success: str, answer: Awaitable[Response]) -> Response:
        return await _counted(self._metrics.reservations, success, answer)


async def _counted(counter: Counter, success: str, answer: Awaitable[Response]) -> Response:
    result = "failed"
    try:
        response = await answer
        result = "replayed" if REPLAYED in response.headers else success
    except ServiceError as error:
        if error.status < 500:  # noqa: PLR2004 -- from there on it is not the client's
            known = error.type.lower()
            result = known if known in REFUSALS else "refused"
        raise
    else:
        return response
    finally:
        counter.labels(result=result).inc()
