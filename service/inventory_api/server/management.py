"""The application of the management port: probes, metrics, and what runs here."""

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from inventory_api import __version__
from inventory_api.database.migrate import known_migrations
from inventory_api.drain import Drain
from inventory_api.health import Health
from inventory_api.http.context import RequestContextMiddleware
from inventory_api.http.errors import ErrorHandler
from inventory_api.http.head import HeadMiddleware
from inventory_api.http.routing import RouteTable
from inventory_api.http.system import system_router
from inventory_api.server.metrics_gathering import MetricsGatherer
from inventory_api.settings import Settings
from inventory_api.telemetry import tracing
from inventory_api.telemetry.metrics import Metrics


def create_management(
    settings: Settings, metrics: Metrics, health: Health, gatherer: MetricsGatherer, drain: Drain
) -> FastAPI:
    """`/metrics` and `/system/*`, and nothing else."""
    management = FastAPI(
        openapi_url=None,
        redirect_slashes=False,
        telemetry=tracing.NO_NATIVE_TELEMETRY,
        middleware=[
            Middleware(RequestContextMiddleware, metrics=metrics, closing=lambda: drain.closing, counted=False),
            Middleware(HeadMiddleware),
        ],
        exception_handlers={HTTPException: ErrorHandler(metrics)},
    )
    management.include_router(system_router(health, detailed=True))

    @management.get("/metrics")
    async def render_metrics(request: Request) -> Response:
        content, content_type = await gatherer.render(request.headers.get("accept", ""))
        return Response(content, media_type=None, headers={"Content-Type": content_type})

    @management.get("/system/info")
    async def info() -> Response:
        return JSONResponse(
            {
                "version": __version__,
                "commit": settings.commit,
                "schema": known_migrations()[-1],
                "settings": settings.public(),
            }
        )

    management.state.route_table = RouteTable(management)
    return management
