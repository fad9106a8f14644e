"""The route class of every resource: declares its scope, and decides before a byte of the body is read."""

import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from opentelemetry import trace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope as AsgiScope

from inventory_api.http.auth import Principal, Scope
from inventory_api.http.body import JSON_MEDIA_TYPE, JsonRequest
from inventory_api.http.headers import read_by
from inventory_api.telemetry import request_context

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
SCOPES = "required_scopes"
MEDIA_TYPES = "media_types"


def requires(*scopes: Scope) -> Callable[[Endpoint], Endpoint]:
    """Declare the scopes that a route asks for, all of them. A route without this cannot be made."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, SCOPES, scopes)
        return endpoint

    return declare


def accepts(*media_types: str) -> Callable[[Endpoint], Endpoint]:
    """Declare the media types of a body, where they are others than `application/json`."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, MEDIA_TYPES, media_types)
        return endpoint

    return declare


class Route(APIRoute):
    """Authentication, then the rate limit, then the media type, then the body, then FastAPI.

    Not dependencies: those run after the body was received.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        scopes: Sequence[Scope] | None = getattr(endpoint, SCOPES, None)
        if not scopes:
            raise TypeError(f"{endpoint.__qualname__} declares no scope: put @requires(...) on it")
        self.required_scopes = tuple(scopes)
        self.media_types: tuple[str, ...] = getattr(endpoint, MEDIA_TYPES, (JSON_MEDIA_TYPE,))
        super().__init__(path, endpoint, **options)
        self.openapi_extra = {
            "x-required-scopes": list(scopes),
            "parameters": [header.parameter() for header in read_by(self.dependant)],
        }
        _refuse_threads(self.dependant)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            _name_route(request, self.endpoint)
            principal = _authorise(request, self.required_scopes)
            await request.app.state.resources.rate_limiter.admit(principal.name)
            if self.body_field is None:
                return await handler(request)
            json_request = JsonRequest(request.scope, request.receive)
            await json_request.read(self.media_types)
            return await handler(json_request)

        return guarded


def _refuse_threads(dependant: Dependant) -> None:
    """FastAPI runs a dependency that is not asynchronous in a thread: the hop costs more than most of them do."""
    for dependency in dependant.dependencies:
        call = dependency.call
        if not (inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)):
            raise TypeError(f"{getattr(call, '__qualname__', call)} would run in a thread: make it `async def`")
        _refuse_threads(dependency)


def _name_route(request: Request, endpoint: Callable[..., Any]) -> None:
    context = request_context.current()
    if context is not None:
        context.route = request.app.state.route_table.template(endpoint)


def _authorise(request: Request, scopes: Sequence[Scope]) -> Principal:
    principal: Principal = request.app.state.resources.api_keys.authenticate(request.headers.get("authorization"))
    request.state.principal = principal
    context = request_context.current()
    if context is not None:
        context.principal = principal.name
    trace.get_current_span().set_attribute("enduser.id", principal.name)
    principal.require(scopes)
    return principal


class RouteTable:
    """Every route with its full path, prefixes included: the names of routes, and `Allow`."""

    def __init__(self, app: FastAPI) -> None:
        self._contexts = tuple(context for context in iter_route_contexts(app.routes) if context.path)
        self._templates = {context.endpoint: str(context.path) for context in self._contexts}

    def template(self, endpoint: Callable[..., Any]) -> str:
        """The full path of the route of an endpoint."""
        return self._templates[endpoint]

    def allowed_methods(self, scope: AsgiScope) -> list[str]:
        """The methods of a path, over all of its routes; Starlette's own answer knows only the first."""
        matching = (context for context in self._contexts if context.matches(scope)[0] is not Match.NONE)
        methods = {method for context in matching for method in context.methods or ()}
        return sorted(methods | {"HEAD"} if "GET" in methods else methods)

    def operations(self) -> list[tuple[str, str, BaseRoute]]:
        """Every method, full path and route."""
        return [
            (method, str(context.path), context.original_route)
            for context in self._contexts
            for method in sorted(context.methods or ())
        ]
