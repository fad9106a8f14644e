"""`/system/*`: liveness, startup and readiness; on the API port without the checks."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.datastructures import Headers

from inventory_api.errors import NotReady
from inventory_api.health import READY, Health
from inventory_api.http.errors import render
from inventory_api.http.schemas import ErrorBody


class Status(BaseModel):
    """On the management port, readiness adds `checks`: the status of each dependency, and whether it is required."""

    status: str


class NotReadyBody(ErrorBody):
    """The error shape, and beside it what the 200 would say."""

    status: str


NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": NotReadyBody, "description": "`NOT_READY`"}}


def system_router(health: Health, *, detailed: bool) -> APIRouter:
    """`detailed`: with the state of every dependency, for the management port."""
    router = APIRouter(prefix="/system", tags=["system"])

    @router.get("/live", response_model=Status)
    async def live() -> Response:
        """The event loop turns. Depends on nothing; 200 also while draining."""
        return JSONResponse({"status": "alive"})

    @router.get("/startup", response_model=Status, responses=NOT_READY)
    async def startup(request: Request) -> Response:
        """The process is up and the first round of checks is done, whatever it said."""
        if not health.started:
            return _not_ready(request, "starting", {})
        return JSONResponse({"status": "started"})

    @router.get("/ready", response_model=Status, responses=NOT_READY)
    async def ready(request: Request) -> Response:
        """Requests should come here. 503 in the error shape, with the same members beside the error."""
        readiness = health.readiness()
        checks = {"checks": health.checks()} if detailed else {}
        if readiness in READY:
            return JSONResponse({"status": readiness, **checks})
        return _not_ready(request, readiness, checks)

    return router


def _not_ready(request: Request, status: str, checks: dict[str, Any]) -> Response:
    error = NotReady(f"The service is {status}.")
    return render(error, Headers(scope=request.scope), extra={"status": status, **checks})
