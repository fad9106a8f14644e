"""The route class of every resource: declares its scope, and decides before a byte of the body is read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from opentelemetry import trace
from starlette.requests import Request
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from inventory_api.http.auth import ApiKeys, Principal, Scope
from inventory_api.http.body import JSON_MEDIA_TYPE, JsonRequest
from inventory_api.http.calling import Call
from inventory_api.http.headers import read_by
from inventory_api.telemetry import request_context

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
SCOPES = "required_scopes"
MEDIA_TYPES = "media_types"
STREAMED = "streamed_body"
# Where the principal of a request is.
PRINCIPAL = "inventory_api.principal"


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


def streams(content: Mapping[str, Any]) -> Callable[[Endpoint], Endpoint]:
    """Declare the body of a route that reads it itself, as it comes: its Media Type Object, for the document."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, STREAMED, content)
        return endpoint

    return declare


class Route(APIRoute):
    """Authentication, then the rate limit, then the media type, then the body, then the endpoint.

    Not dependencies: those run after the body was received.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        scopes: Sequence[Scope] | None = getattr(endpoint, SCOPES, None)
        if not scopes:
            raise TypeError(f"{endpoint.__qualname__} declares no scope: put @requires(...) on it")
        self.required_scopes = tuple(scopes)
        self.media_types: tuple[str, ...] = getattr(endpoint, MEDIA_TYPES, (JSON_MEDIA_TYPE,))
        # What generated clients call it.
        options["operation_id"] = options.get("operation_id") or endpoint.__name__
        super().__init__(path, endpoint, **options)
        self.openapi_extra = {
            "x-required-scopes": list(scopes),
            "parameters": [header.parameter() for header in read_by(self.dependant)],
        }
        if content := getattr(endpoint, STREAMED, None):
            self.openapi_extra["requestBody"] = {"required": True, "content": dict.fromkeys(self.media_types, content)}
        self._call = Call(self)
        self.app = self._serve

    async def _serve(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        resources = scope["app"].state.resources
        request = JsonRequest(scope, receive, send)
        principal = self._authorise(request, resources.api_keys)
        scope[PRINCIPAL] = principal
        await resources.rate_limiter.admit(principal.name)
        body = await request.read(self.media_types) if self.body_field is not None else None
        response = await self._call(request, body)
        await response(scope, receive, send)

    def _authorise(self, request: Request, keys: ApiKeys) -> Principal:
        """Tell the context whose request of which route it is."""
        context = request_context.current()
        if context is not None:
            context.route = self.path
        principal = keys.authenticate(request.headers.getlist("authorization"))
        if context is not None:
            context.principal = principal.name
        trace.get_current_span().set_attribute("enduser.id", principal.name)
        principal.require(self.required_scopes)
        return principal


class RouteTable:
    """Every route with its full path, prefixes included: the operations that there are, and `Allow`."""

    def __init__(self, app: FastAPI) -> None:
        self._contexts = tuple(context for context in iter_route_contexts(app.routes) if context.path)

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
