"""Calls an endpoint with what it depends on. The plan is made once; FastAPI makes it anew with every request.

What is declared, validated and documented stays FastAPI's: this only asks its parts in the planned order.
docs/decisions/0010-dependencies-planned-once.md says what it gains, and what a route cannot have.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_body_to_args, request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.background import BackgroundTasks
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True)
class Step:
    """One call, with the parameters that earlier steps give, by their numbers."""

    dependant: Dependant
    call: Callable[..., Any]
    enters: Callable[..., Any] | None
    given: tuple[tuple[str, int], ...]

    def arguments(self, request: Request, results: list[Any]) -> tuple[dict[str, Any], list[Any]]:
        """Its arguments, but for a body, and what is wrong with the request."""
        values, errors = {name: results[number] for name, number in self.given}, []
        for field in self.dependant.path_params:
            # One text each, which the path has: nothing to look for.
            name = field.alias
            values[field.name], wrong = field.validate(request.path_params[name], values, loc=("path", name))
            errors += wrong
        for fields, source in (
            (self.dependant.query_params, "query_params"),
            (self.dependant.header_params, "headers"),
            (self.dependant.cookie_params, "cookies"),
        ):
            if fields:
                found, wrong = request_params_to_args(fields, getattr(request, source))
                values.update(found)
                errors += wrong
        if self.dependant.query_params and request.scope["query_string"]:
            errors += _repeated(request.query_params)
        if self.dependant.request_param_name:
            values[self.dependant.request_param_name] = request
        return values, errors


def _repeated(query: QueryParams) -> list[Any]:
    """An error for each parameter that is there more than once: nobody could say which of them is meant."""
    counts = Counter(name for name, _ in query.multi_items())
    return [
        {"type": "repeated", "loc": ("query", name), "msg": "It may be there once."}
        for name, count in counts.items()
        if count > 1
    ]


class Call:
    """The plan of one route."""

    def __init__(self, route: APIRoute) -> None:
        """
        Raises:
            TypeError: the endpoint, or what it depends on, is not asynchronous, or asks for what is not planned for.
        """
        self._route = route
        self._steps: list[Step] = []
        self._numbers: dict[Callable[..., Any], int] = {}
        self._endpoint = self._planned(route.dependant)
        if inspect.signature(self._endpoint.call).return_annotation is not Response:
            raise TypeError(f"{_name(self._endpoint.call)} must be declared to return a Response")

    async def __call__(self, request: Request, body: Any = None) -> Response:
        """The endpoint's response. What was borrowed for it is given back by then.

        Raises:
            RequestValidationError: what is wrong with the request, all of it.
        """
        async with AsyncExitStack() as stack:
            results: list[Any] = []
            for step in self._steps:
                arguments, errors = step.arguments(request, results)
                if errors:
                    raise RequestValidationError(errors)
                if step.enters is not None:
                    results.append(await stack.enter_async_context(step.enters(**arguments)))
                else:
                    results.append(await step.call(**arguments))
            return await self._answer(request, body, results)

    async def _answer(self, request: Request, body: Any, results: list[Any]) -> Response:
        dependant = self._endpoint.dependant
        arguments, errors = self._endpoint.arguments(request, results)
        if dependant.body_params:
            embed = self._route._embed_body_fields
            found, wrong = await request_body_to_args(dependant.body_params, body, embed)
            arguments.update(found)
            errors += wrong
        if errors:
            raise RequestValidationError(errors, body=body)
        if not dependant.background_tasks_param_name:
            return await self._endpoint.call(**arguments)  # type: ignore[no-any-return] # checked when it was planned
        tasks = arguments[dependant.background_tasks_param_name] = BackgroundTasks()
        response: Response = await self._endpoint.call(**arguments)
        if tasks.tasks:
            response.background = tasks
        return response

    def _planned(self, dependant: Dependant) -> Step:
        """The step of a dependant, after those that it depends on, each of which is called once a request."""
        given = {}
        for dependency in dependant.dependencies:
            call = _required(dependency)
            if call not in self._numbers:
                step = self._planned(dependency)
                self._numbers[call] = len(self._steps)
                self._steps.append(step)
            if dependency.name is not None:
                given[dependency.name] = self._numbers[call]
        return _step(dependant, given)


def _step(dependant: Dependant, given: Mapping[str, int]) -> Step:
    call = _required(dependant)
    yields = inspect.isasyncgenfunction(call)
    if not yields and not inspect.iscoroutinefunction(call):
        raise TypeError(f"{_name(call)} would run in a thread: make it `async def`")
    if yields and dependant.scope != "function":
        raise TypeError(f"{_name(call)} would give back after the response: depend on it with scope='function'")
    if dependant.response_param_name or dependant.security_scopes_param_name or dependant.websocket_param_name:
        raise TypeError(f"{_name(call)} asks for what is not given: return a Response, and declare scopes by @requires")
    return Step(dependant, call, asynccontextmanager(call) if yields else None, tuple(given.items()))


def _required(dependant: Dependant) -> Callable[..., Any]:
    if dependant.call is None:
        raise TypeError("a dependency without a call")
    return dependant.call


def _name(call: Callable[..., Any]) -> str:
    return getattr(call, "__qualname__", repr(call))
