"""A route's plan: dependencies in order and once, given back before the response, and errors at the start."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, Query, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request

from inventory_api.http.calling import Call


class Body(BaseModel):
    name: str


def request(query: bytes = b"", **path: str) -> Request:
    return Request({"type": "http", "query_string": query, "headers": [], "path_params": path})


def planned(endpoint: Any, path: str = "/things/{code}") -> Call:
    return Call(APIRoute(path, endpoint, methods=["POST"]))


async def test_a_dependency_of_two_is_called_once_and_given_back_before_the_response() -> None:
    seen: list[str] = []

    async def borrowed() -> AsyncIterator[str]:
        seen.append("borrow")
        yield "connection"
        seen.append("give back")

    async def first(one: Annotated[str, Depends(borrowed, scope="function")]) -> str:
        return f"first on {one}"

    async def endpoint(
        code: str,
        one: Annotated[str, Depends(borrowed, scope="function")],
        two: Annotated[str, Depends(first)],
    ) -> Response:
        seen.append(f"{code}: {one}, {two}")
        return Response()

    await planned(endpoint)(request(code="A"))
    assert seen == ["borrow", "A: connection, first on connection", "give back"]


async def test_what_was_borrowed_is_given_back_when_the_endpoint_raises() -> None:
    seen: list[str] = []

    async def borrowed() -> AsyncIterator[None]:
        try:
            yield
        except LookupError:
            seen.append("told")
            raise
        finally:
            seen.append("given back")

    async def endpoint(code: str, _: Annotated[None, Depends(borrowed, scope="function")]) -> Response:
        raise LookupError(code)

    with pytest.raises(LookupError):
        await planned(endpoint)(request(code="A"))
    assert seen == ["told", "given back"]


async def test_everything_that_is_wrong_is_told_at_once() -> None:
    async def endpoint(code: int, limit: Annotated[int, Query(ge=1)], body: Body) -> Response:
        return Response(f"{code} {limit} {body.name}")

    with pytest.raises(RequestValidationError) as raised:
        await planned(endpoint)(request(b"limit=0", code="x"), {"name": 1})
    assert [error["loc"] for error in raised.value.errors()] == [("path", "code"), ("query", "limit"), ("body", "name")]
    assert (await planned(endpoint)(request(b"limit=2", code="1"), {"name": "n"})).body == b"1 2 n"


async def test_background_tasks_go_with_the_response() -> None:
    async def work() -> None: ...

    async def endpoint(tasks: BackgroundTasks) -> Response:
        tasks.add_task(work)
        return Response()

    assert (await planned(endpoint, "/things")(request())).background is not None


def in_a_thread() -> None: ...


async def held_too_long() -> AsyncIterator[None]:
    yield


async def of_a_thread(_: Annotated[None, Depends(in_a_thread)]) -> Response:
    return Response()


async def after_the_response(_: Annotated[None, Depends(held_too_long)]) -> Response:
    return Response()


async def no_response() -> dict[str, str]:
    return {}


async def changes_a_response(response: Response) -> Response:
    return response


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        (of_a_thread, "in_a_thread would run in a thread"),
        (after_the_response, "held_too_long would give back after the response"),
        (no_response, "no_response must be declared to return a Response"),
        (changes_a_response, "changes_a_response asks for what is not given"),
    ],
)
def test_what_cannot_be_planned_is_an_error_at_the_start(endpoint: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        planned(endpoint, "/things")
