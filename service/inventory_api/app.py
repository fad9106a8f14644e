"""Wires the service together: the only place that knows all of its parts."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from inventory_api import __version__
from inventory_api.drain import Drain
from inventory_api.errors import ServiceError
from inventory_api.http.body_limit import BodyLimitMiddleware
from inventory_api.http.context import RequestContextMiddleware
from inventory_api.http.deadline import DeadlineMiddleware
from inventory_api.http.errors import ErrorHandler
from inventory_api.http.overload import OverloadMiddleware
from inventory_api.http.routing import RouteTable
from inventory_api.http.system import system_router
from inventory_api.inventory.routes import router as inventory_router
from inventory_api.resources import Resources
from inventory_api.server.management import create_management
from inventory_api.server.metrics_gathering import MetricsGatherer
from inventory_api.server.slot import Slot
from inventory_api.settings import Settings
from inventory_api.telemetry import event_loop, tracing
from inventory_api.telemetry import logging as json_logging
from inventory_api.telemetry.metrics import Metrics

NOT_TRACED = r"^[a-z]+://[^/]+/system/"


class Application:
    """What the server runs: the port that a connection came in by decides which application answers."""

    def __init__(
        self, api: FastAPI, management: FastAPI, management_port: int, drain: Drain, trusted_proxies: Sequence[str]
    ) -> None:
        self.api = api
        self.management = management
        self.drain = drain
        # uvicorn types its own applications more narrowly than Starlette does.
        self._answering_api: Any = (
            ProxyHeadersMiddleware(cast("Any", api), list(trusted_proxies)) if trusted_proxies else api
        )
        self._management_port = management_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        by_management = scope["type"] == "http" and (scope.get("server") or ("", 0))[1] == self._management_port
        await (self.management if by_management else self._answering_api)(scope, receive, send)


def create_app(settings: Settings, slot: Slot | None = None) -> Application:
    """The service of one server worker. Nothing is opened before its lifespan; call it after the fork."""
    metrics = Metrics()
    metrics.build_info.labels(version=__version__, commit=settings.commit).set(1)
    json_logging.count_records(metrics.log_records)
    drain = Drain()
    resources = Resources(settings, metrics, tracing.create_provider(__version__), drain)
    gatherer = MetricsGatherer(metrics, slot or Slot())
    api = _create_api(settings, resources, gatherer, drain)
    management = create_management(settings, resources, gatherer, drain)
    return Application(api, management, settings.management_port, drain, settings.trusted_proxies)


def _create_api(settings: Settings, resources: Resources, gatherer: MetricsGatherer, drain: Drain) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with resources.opened(), gatherer.opened(), event_loop.watched(resources.metrics):
            yield

    handler = ErrorHandler(resources.metrics)
    api = FastAPI(
        title="inventory-api",
        version=__version__,
        description="Inventory, orders and attachments.",
        lifespan=lifespan,
        docs_url="/docs" if settings.docs else None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=tracing.NO_NATIVE_TELEMETRY,
        middleware=[
            Middleware(
                RequestContextMiddleware, metrics=resources.metrics, draining=lambda: drain.draining, counted=True
            ),
            Middleware(OverloadMiddleware, limit=settings.in_flight_limit, metrics=resources.metrics),
            Middleware(DeadlineMiddleware, seconds=settings.request_deadline),
            Middleware(BodyLimitMiddleware),
        ],
        exception_handlers={ServiceError: handler, RequestValidationError: handler, HTTPException: handler},
    )
    api.include_router(inventory_router)
    api.include_router(system_router(resources.health, detailed=False))
    api.state.resources = resources
    api.state.route_table = RouteTable(api)
    FastAPIInstrumentor.instrument_app(
        api,
        tracer_provider=resources.tracer_provider,
        excluded_urls=NOT_TRACED,
        exclude_spans=["send", "receive"],
    )
    return api
