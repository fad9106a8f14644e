"""Wires the service together: the only place that knows all of its parts."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from opentelemetry.sdk.trace import TracerProvider
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import Lifespan, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from inventory_api import __version__
from inventory_api.attachments.inspecting import Inspector
from inventory_api.attachments.media import LARGEST
from inventory_api.attachments.receiving import FRAME_BYTES
from inventory_api.attachments.routes import UPLOAD_PATHS
from inventory_api.attachments.rules import Rules as AttachmentRules
from inventory_api.attachments.signed_uploads import SIGNED_PATHS, signed_uploads
from inventory_api.database.checks import CheckConnection, DatabaseCheck, SchemaCheck
from inventory_api.database.pool import Database
from inventory_api.drain import Drain
from inventory_api.errors import DeadlineExceeded, DependencyUnavailable, InternalFailure, Overloaded, ServiceError
from inventory_api.health import Check, Health
from inventory_api.http import openapi
from inventory_api.http.audit_routes import router as audit_router
from inventory_api.http.auth import ApiKeys
from inventory_api.http.body_limit import MAX_JSON_BYTES, BodyLimitMiddleware
from inventory_api.http.context import PROBES, RequestContextMiddleware
from inventory_api.http.deadline import DeadlineMiddleware
from inventory_api.http.discovery import resource_routers
from inventory_api.http.errors import ErrorHandler
from inventory_api.http.head import HeadMiddleware
from inventory_api.http.overload import ADMISSION, Gate, OverloadMiddleware
from inventory_api.http.pace import Pace
from inventory_api.http.rate_limit.limiter import RateLimiter
from inventory_api.http.routing import RouteTable
from inventory_api.http.system import system_router
from inventory_api.http.transfers import Transfers
from inventory_api.redis.breaker import Breaker
from inventory_api.redis.check import RedisCheck
from inventory_api.redis.client import create as create_client
from inventory_api.redis.guarded import GuardedRedis
from inventory_api.redis.read_cache import ReadCache
from inventory_api.resources import Resources
from inventory_api.server.edge import Edge
from inventory_api.server.management import create_management
from inventory_api.server.management_port import listening
from inventory_api.server.metrics_gathering import MetricsGatherer
from inventory_api.server.slot import Slot
from inventory_api.settings import Settings
from inventory_api.storage.check import StorageCheck
from inventory_api.storage.create import create as create_storage
from inventory_api.storage.files import FileStorage
from inventory_api.storage.measured import MeasuredStorage
from inventory_api.telemetry import event_loop, sampling, tracing
from inventory_api.telemetry import logging as json_logging
from inventory_api.telemetry.metrics import NO_ROUTE, Metrics
from inventory_api.webhooks import catalogue
from inventory_api.webhooks.rules import Rules
from inventory_api.webhooks.schedule import Schedule

# What every route can answer; who is told that the process ends meets no scrape any more.
COUNTED = (InternalFailure, DependencyUnavailable, Overloaded, DeadlineExceeded)
# For so long, in seconds, a content can be fetched from the storage itself.
DOWNLOAD_SECONDS = 60


class Application:
    """What the server runs: the port that a connection came in by decides which application answers."""

    def __init__(
        self,
        api: FastAPI,
        management: FastAPI,
        management_port: int,
        drain: Drain,
        edge: Edge,
        trusted_proxies: Sequence[str],
    ) -> None:
        self.api = api
        self.management = management
        self.drain = drain
        self.edge = edge
        # uvicorn types its own applications more narrowly than Starlette does.
        self._answering_api: Any = (
            ProxyHeadersMiddleware(cast("Any", api), list(trusted_proxies)) if trusted_proxies else api
        )
        self._management_port = management_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        by_management = scope["type"] == "http" and (scope.get("server") or ("", 0))[1] == self._management_port
        try:
            await (self.management if by_management else self._answering_api)(scope, receive, send)
        finally:
            if admission := scope.get(ADMISSION):
                admission.leave()


def create_app(settings: Settings, slot: Slot | None = None, *, one_port: bool = False) -> Application:
    """The service of one server worker. Nothing is opened before its lifespan; call it after the fork.

    `one_port`: the server binds the API's port only, so the management port is opened here.
    """
    metrics = Metrics()
    metrics.build_info.labels(version=__version__, commit=settings.commit, component="api").set(1)
    json_logging.count_records(metrics.log_records)
    slot = slot or Slot()
    drain = Drain(slot.is_last)
    resources = create_resources(settings, metrics, drain, settings.pool_max)
    gatherer = MetricsGatherer(metrics, slot)
    management = create_management(settings, metrics, resources.health, gatherer, drain)
    management_port = listening(management, settings.host, settings.management_port) if one_port else nullcontext()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with management_port, resources.opened(), gatherer.opened(), event_loop.watched(metrics):
            yield

    gate = Gate(settings.in_flight_limit, metrics)
    edge = Edge(metrics, gate, lambda: drain.closing)
    api = _create_api(settings, resources, drain, gate, lifespan)
    return Application(api, management, settings.management_port, drain, edge, settings.trusted_proxies)


def create_resources(settings: Settings, metrics: Metrics, drain: Drain, connections: int) -> Resources:
    """What a process has, with so many connections to the database beside those of its checks. Opens nothing."""
    provider = tracing.create_provider(__version__, metrics.spans_dropped)
    connection = CheckConnection(settings.current_database_url)
    metrics.connections_max.labels(pool="check").set(1)
    checks: list[Check] = [DatabaseCheck(connection), SchemaCheck(connection)]
    redis = _create_redis(settings, metrics, provider)
    checking = create_client(settings.current_redis_url, max_connections=1)
    if redis is not None and checking is not None:
        checks.append(RedisCheck(checking, redis))
    storage = _create_storage(settings, metrics, provider)
    if storage is not None:
        checks.append(StorageCheck(storage))
    item_cache = ReadCache(
        "item",
        redis,
        metrics.cache_requests,
        database=settings.database_id(),
        release=__version__,
    )
    return Resources(
        metrics=metrics,
        tracer_provider=provider,
        api_keys=ApiKeys(settings.api_keys_file, metrics.api_keys_loaded),
        database=Database(
            settings.current_database_url,
            size=connections,
            acquire_timeout=settings.pool_acquire_timeout,
            metrics=metrics,
            tracer=provider.get_tracer("inventory_api.database"),
            after_commit=item_cache.drop,
        ),
        redis=redis,
        item_cache=item_cache,
        rate_limiter=RateLimiter(settings.rate_limit, redis, metrics.rate_limited),
        webhook_rules=Rules(settings.webhook_loopback, Schedule(settings.webhook_delays)),
        storage=storage,
        attachment_rules=AttachmentRules(
            most_bytes=settings.upload_max_bytes,
            upload_seconds=settings.upload_url_ttl,
            download_seconds=DOWNLOAD_SECONDS,
            redirects=settings.download_redirect,
            directory=settings.upload_directory,
        ),
        inspector=Inspector(settings.uploads_at_once),
        uploads=Transfers("in", settings.uploads_at_once, settings.upload_deadline, metrics),
        upload_pace=Pace(settings.upload_bytes_per_second),
        downloads=Transfers("out", settings.downloads_at_once, settings.upload_deadline, metrics),
        health=Health(
            checks,
            required=settings.required_checks,
            draining=lambda: drain.draining,
            up=metrics.health_check,
            ready=metrics.health_ready,
            drains=metrics.health_draining,
        ),
    )


def _create_storage(settings: Settings, metrics: Metrics, provider: TracerProvider) -> MeasuredStorage | None:
    if settings.storage_url is None:
        return None
    storage = create_storage(settings.storage_url, settings.uploads_at_once + settings.downloads_at_once)
    return MeasuredStorage(storage, metrics.storage_duration, provider.get_tracer("inventory_api.storage"))


def _create_redis(settings: Settings, metrics: Metrics, provider: TracerProvider) -> GuardedRedis | None:
    client = create_client(settings.current_redis_url)
    if client is None:
        return None
    breaker = Breaker("redis", metrics.redis_breaker_state)
    return GuardedRedis(client, breaker, metrics.redis_errors, provider.get_tracer("inventory_api.redis"))


def _create_api(
    settings: Settings, resources: Resources, drain: Drain, gate: Gate, lifespan: Lifespan[FastAPI]
) -> FastAPI:
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
                RequestContextMiddleware, metrics=resources.metrics, closing=lambda: drain.closing, counted=True
            ),
            Middleware(OverloadMiddleware, gate=gate),
            Middleware(DeadlineMiddleware, seconds=settings.request_deadline),
            Middleware(BodyLimitMiddleware, limit=partial(_body_limit, settings.upload_max_bytes)),
            Middleware(HeadMiddleware),
        ],
        exception_handlers={ServiceError: handler, RequestValidationError: handler, HTTPException: handler},
    )
    # A path is answered by the first that matches.
    for router in (*resource_routers(), audit_router):
        # As they are: what `include_router` wraps them in is matched twice with every request.
        api.router.routes.extend(router.routes)
    if resources.storage is not None and isinstance(resources.storage.measured, FileStorage):
        api.include_router(signed_uploads(resources.storage.measured, resources.uploads))
    api.include_router(system_router(resources.health, detailed=False))
    api.webhooks.include_router(catalogue.declared())
    api.state.resources = resources
    api.state.route_table = RouteTable(api)
    openapi.declare(api, api.state.route_table)
    _initialise_exceptions(resources.metrics, api.state.route_table)
    sampling.instrument(api, resources.tracer_provider, never=PROBES)
    return api


def _body_limit(most_upload_bytes: int, scope: Scope) -> int:
    """Of a file, what is around it included; of anything else, that of JSON."""
    if SIGNED_PATHS.fullmatch(scope["path"]):
        return max(LARGEST.values())
    return most_upload_bytes + FRAME_BYTES if UPLOAD_PATHS.fullmatch(scope["path"]) else MAX_JSON_BYTES


def _initialise_exceptions(metrics: Metrics, table: RouteTable) -> None:
    """A series that appears with its first error starts at 1, and `rate()` never sees that error."""
    routes = {path for _, path, route in table.operations() if isinstance(route, APIRoute) and path not in PROBES}
    for path in (*routes, NO_ROUTE):
        for error in COUNTED:
            metrics.exceptions.labels(http_route=path, error_type=error.type)
