"""One error shape, whoever raises."""

import asyncio
import itertools
import json
import logging
from typing import Any

import httpx
import pytest
from fastapi import HTTPException, Response
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.background import BackgroundTask
from tests.support.service import ITEM, Service, error_of

from inventory_api.attachments.signed_uploads import PATH as SIGNED_UPLOAD
from inventory_api.database.statement import Statement
from inventory_api.errors import ServiceError
from inventory_api.http import errors as rendering
from inventory_api.http.context import PROBES
from inventory_api.http.deps import BorrowedSession
from inventory_api.http.routing import Route, requires
from inventory_api.telemetry.metrics import NO_ROUTE

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "kind"),
    [
        ("GET", "/nowhere", {}, 404, "NOT_FOUND"),
        ("DELETE", "/inventory/A-1", {}, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/inventory/A-1/", {}, 404, "NOT_FOUND"),
        ("GET", "/metrics", {}, 404, "NOT_FOUND"),
        ("GET", "/inventory/a%20b", {}, 422, "VALIDATION_FAILURE"),
        ("PATCH", "/inventory/A-1", {"content": b"", "headers": JSON}, 400, "MALFORMED_JSON"),
        ("PATCH", "/inventory/A-1", {"content": b"{", "headers": JSON}, 400, "MALFORMED_JSON"),
        ("PATCH", "/inventory/A-1", {"content": b"\xff", "headers": JSON}, 400, "MALFORMED_JSON"),
        ("PATCH", "/inventory/A-1", {"content": b'{"name":"a","name":"b"}', "headers": JSON}, 400, "MALFORMED_JSON"),
        ("PATCH", "/inventory/A-1", {"content": b'{"quantity":NaN}', "headers": JSON}, 400, "MALFORMED_JSON"),
        ("PATCH", "/inventory/A-1", {"content": b'{"attributes":{"a":1e999}}', "headers": JSON}, 400, "MALFORMED_JSON"),
        ("PATCH", "/inventory/A-1", {"content": b"[" * 9_000, "headers": JSON}, 400, "MALFORMED_JSON"),
        ("PATCH", "/inventory/A-1", {"content": b"[" * 100_000, "headers": JSON}, 413, "PAYLOAD_TOO_LARGE"),
        ("PATCH", "/inventory/A-1", {"content": b'{"name":"\\ud800"}', "headers": JSON}, 422, "VALIDATION_FAILURE"),
        ("PATCH", "/inventory/A-1", {"content": b'{"name":"a"}'}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("PUT", "/inventory/A-1", {"content": b"a=b", "headers": TEXT}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("PUT", "/inventory/A-1", {"content": b"x" * 1_048_577, "headers": JSON}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)  # fmt: skip
async def test_every_failure_has_the_one_shape(
    service: Service, method: str, path: str, options: dict[str, Any], status: int, kind: str
) -> None:
    response = await service.api.request(method, path, **options)
    assert response.status_code == status
    assert error_of(response)["type"] == kind
    assert response.headers["X-Response-Time"].endswith("ms")
    assert "db;dur=" in response.headers["Server-Timing"]


async def test_405_names_every_method_of_the_path(service: Service) -> None:
    response = await service.api.delete("/inventory/A-1")
    assert response.headers["Allow"] == "GET, HEAD, PATCH, PUT"


async def test_of_thousands_of_faults_the_first_hundred_are_told(service: Service) -> None:
    response = await service.api.patch("/inventory/A-1", json={f"unknown-{n}": n for n in range(9_000)})
    assert response.status_code == 422
    details = error_of(response)["details"]
    assert [detail["location"] for detail in details] == [["body", f"unknown-{n}"] for n in range(100)]


async def test_a_body_without_a_length_is_counted_while_it_streams(service: Service) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536
            await asyncio.sleep(0)

    response = await service.api.put("/inventory/A-1", content=endless(), headers=JSON)
    assert (response.status_code, error_of(response)["type"]) == (413, "PAYLOAD_TOO_LARGE")
    assert sent < 2_000_000


async def test_an_unhandled_error_is_a_500_that_says_nothing_and_a_log_line_that_says_all(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    async def explode() -> None:
        raise LookupError("the inside")

    service.app.api.add_api_route("/explode", explode)
    with caplog.at_level(logging.INFO):
        response = await service.api.get("/explode", headers={"X-Request-ID": "r-1"})
    assert response.status_code == 500
    error = error_of(response)
    assert (error["type"], error["message"], error["request_id"]) == ("INTERNAL_FAILURE", "Service unavailable", "r-1")
    assert "the inside" not in response.text
    logged = [record for record in caplog.records if record.exc_info and isinstance(record.exc_info[1], LookupError)]
    assert len(logged) == 1
    assert await service.metric("http_server_exceptions_total", error_type="INTERNAL_FAILURE") == 1


async def test_the_first_failure_of_any_route_is_an_increase(service: Service) -> None:
    """There is a series at 0 for each failure that a route documents; but the end of a process meets no scrape."""
    routes = {path: operations for path, operations in service.app.api.openapi()["paths"].items() if path not in PROBES}
    errors = {
        error
        for operations in routes.values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if status >= "500"
        for error in response["content"]["application/json"]["examples"]
    }
    text = (await service.management.get("/metrics")).text
    (counted,) = (family for family in parse_text(text) if family.name == "http_server_exceptions")
    series = {(sample.labels["http_route"], sample.labels["error_type"]): sample.value for sample in counted.samples}
    answering = {*routes, SIGNED_UPLOAD, NO_ROUTE}
    assert series == dict.fromkeys(itertools.product(answering, errors - {"NOT_READY"}), 0)


async def test_a_framework_error_of_any_status_keeps_the_shape(service: Service) -> None:
    async def refuse() -> None:
        raise HTTPException(418, "teapot")

    service.app.api.add_api_route("/refuse", refuse)
    response = await service.api.get("/refuse")
    assert (response.status_code, error_of(response)["type"]) == (400, "BAD_REQUEST")


async def test_a_request_that_is_cut_off_is_answered_in_the_one_shape(service: Service) -> None:
    """Only the end of a drain cancels; it is no failure of the route, and no fault of the client's."""

    async def cancel() -> None:
        raise asyncio.CancelledError

    service.app.api.add_api_route("/cancel", cancel)
    response = await service.api.get("/cancel")
    assert (response.status_code, error_of(response)["type"]) == (503, "NOT_READY")
    assert await service.metric("http_server_exceptions_total", error_type="INTERNAL_FAILURE") == 0


async def test_a_client_that_leaves_is_a_499_and_no_failure_of_the_service(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """In the middle of its body, and while it waits for an answer that then fails."""

    async def fail() -> None:
        raise LookupError

    service.app.api.add_api_route("/fail", fail)
    headers = [(name.encode(), value.encode()) for name, value in service.api.headers.items()]
    scope = {"type": "http", "query_string": b"", "server": ("api", 8000), "client": ("127.0.0.1", 1), "scheme": "http",
             "http_version": "1.1", "root_path": "", "asgi": {"version": "3.0"}}  # fmt: skip

    async def left() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        return

    json_headers = [*headers, (b"content-type", b"application/json"), (b"content-length", b"100")]
    for method, path, sent in (("PATCH", "/inventory/A-1", json_headers), ("GET", "/fail", headers)):
        raw = {"method": method, "path": path, "raw_path": path.encode(), "headers": sent}
        with caplog.at_level(logging.INFO, "inventory_api.access"):
            await service.app({**scope, **raw}, left, send)
        assert vars(caplog.records[-1])["http.response.status_code"] == 499
    labels = {"http_response_status_code": "499"}
    assert await service.metric("http_server_exceptions_total", http_route="/inventory/{sku}") == 0
    assert (
        await service.metric("http_server_request_duration_seconds_count", **labels, http_request_method="PATCH") == 1
    )
    assert await service.metric("http_server_request_duration_seconds_count", http_response_status_code="500") == 0


@pytest.mark.parametrize(
    ("accept", "problem"),
    [
        ("application/problem+json", True),
        ("APPLICATION/PROBLEM+JSON", True),
        ("text/html, application/problem+json;q=0.5", True),
        ("application/json, application/problem+json", True),
        ("application/json, application/problem+json;q=0.1", False),
        ("application/problem+json;q=0", False),
        ("application/problem+jsonx", False),
        ("application/problem+json;q=x", False),
        ("*/*", False),
        ("", False),
    ],
)
async def test_accept_is_read_with_its_weights(service: Service, accept: str, problem: bool) -> None:
    response = await service.api.get("/inventory/absent", headers={"Accept": accept})
    assert (response.headers["Content-Type"] == "application/problem+json") is problem


async def test_the_same_error_as_problem_json_where_the_client_asks_for_it(service: Service) -> None:
    response = await service.api.get("/inventory/absent", headers={"Accept": "application/problem+json"})
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"].endswith("NOT_FOUND")
    assert (problem["status"], problem["title"]) == (404, "There is nothing here")
    assert problem["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1._Z", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("", False)]
)
async def test_a_request_id_is_kept_where_it_is_one_and_else_made(service: Service, given: str, kept: bool) -> None:
    response = await service.api.get("/nowhere", headers={"X-Request-ID": given})
    assert (response.headers["X-Request-ID"] == given) is kept
    assert response.headers["X-Request-ID"]


async def test_openapi_is_valid_and_says_what_a_route_answers(service: Service) -> None:
    document = (await service.anonymous.get("/openapi.json")).json()
    validate(document)
    operation = document["paths"]["/inventory/{sku}"]["patch"]
    assert sorted(operation["responses"]) == [
        "200", "400", "401", "403", "404", "408", "409", "412", "413", "415", "422", "428", "429", "431",
        "500", "503", "504",
    ]  # fmt: skip
    unprocessable = operation["responses"]["422"]
    assert unprocessable["description"] == "`EMPTY_PATCH` or `UNKNOWN_LOCATION` or `VALIDATION_FAILURE`"
    assert set(unprocessable["content"]) == {"application/json", "application/problem+json"}
    assert unprocessable["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
    assert set(operation["requestBody"]["content"]) == {"application/json", "application/merge-patch+json"}
    assert operation["x-required-scopes"] == ["inventory:write"]
    assert operation["security"] == [{"ApiKey": []}]
    assert "ETag" in operation["responses"]["200"]["headers"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert "503" in document["paths"]["/system/ready"]["get"]["responses"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ([("Content-Type", "text/plain")], ("Accept", "application/json")),
        ([("Content-Type", "application/json"), ("Content-Type", "text/plain")], ("Accept", "application/json")),
        ([("Content-Type", "application/json; charset=utf-16")], ("Accept", "application/json")),
        ([("Content-Type", "application/json"), ("Content-Encoding", "gzip")], ("Accept-Encoding", "identity")),
    ],
)
async def test_a_body_of_another_kind_is_refused_with_what_is_taken(
    service: Service, headers: list[tuple[str, str]], told: tuple[str, str]
) -> None:
    refused = await service.api.put("/inventory/A-1", content=json.dumps(ITEM).encode(), headers=headers)
    assert (refused.status_code, error_of(refused)["type"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert refused.headers[told[0]] == told[1]


@pytest.mark.parametrize("charset", ["utf-8", '"UTF-8"'])
async def test_a_body_may_say_that_it_is_utf_8(service: Service, charset: str) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}", "Content-Encoding": "identity"}
    assert (await service.api.put("/inventory/A-1", content=json.dumps(ITEM), headers=headers)).status_code == 201


async def test_what_is_wrong_is_told_in_few_words_however_long_the_names_are(service: Service) -> None:
    refused = await service.api.patch("/inventory/A-1", json={f"{number}-{'x' * 8_000}": 1 for number in range(100)})
    assert len(error_of(refused)["details"]) == 100
    assert len(refused.content) < 30_000
    none = await service.api.patch("/inventory/A-1", json=[])
    assert error_of(none)["details"][0]["message"] == "Input should be a JSON object"


async def test_openapi_names_the_headers_of_each_answer(service: Service) -> None:
    document = (await service.anonymous.get("/openapi.json")).json()
    responses = document["paths"]["/inventory/adjustments"]["post"]["responses"]
    common = {"X-Request-ID", "X-Response-Time", "Server-Timing"}
    named = {status: set(response["headers"]) - common for status, response in responses.items()}
    counted = {"RateLimit", "RateLimit-Policy"}
    assert named == {
        **dict.fromkeys(("400", "413", "415", "422", "431", "500", "504"), counted),
        "201": {"Location", "Idempotent-Replayed", *counted},
        "401": {"WWW-Authenticate"},
        "403": set(),
        "408": {"Connection", *counted},
        "409": {"Retry-After", *counted},
        "429": {"Retry-After", *counted},
        "503": {"Retry-After", *counted},
    }


def test_every_error_of_the_registry_has_a_type_of_its_own() -> None:
    types = [error.type for error in _errors()]
    assert len(types) == len(set(types))
    assert len(types) > 20


def _errors(base: type[ServiceError] = ServiceError) -> list[type[ServiceError]]:
    declared = [error for error in base.__subclasses__() if "type" in vars(error)]
    return [found for error in declared for found in (error, *_errors(error))]


def test_anything_unknown_becomes_an_internal_failure() -> None:
    assert rendering.from_exception(ZeroDivisionError()).type == "INTERNAL_FAILURE"


async def test_the_body_is_not_read_before_the_key_is_judged(service: Service) -> None:
    read = False

    async def body() -> Any:
        nonlocal read
        read = True
        yield b"{}"

    response = await service.anonymous.put("/inventory/A-1", content=body(), headers=JSON)
    assert (response.status_code, read) == (401, False)


async def test_a_refused_request_holds_no_connection(service: Service) -> None:
    """Invalid input never waits for the pool: it is refused while every connection is taken."""
    database = service.app.api.state.resources.database
    sessions = [await database.borrow() for _ in range(8)]
    refused = await service.api.put("/inventory/A-1", json={**ITEM, "name": 1})
    starved = await service.api.get("/inventory/A-1")
    for connection in sessions:
        await database.give_back(connection)
    assert refused.status_code == 422
    assert (starved.status_code, error_of(starved)["type"]) == (503, "DEPENDENCY_UNAVAILABLE")
    assert starved.headers["Retry-After"] == "1"


async def test_nothing_stays_borrowed_whatever_a_request_ends_in(service: Service) -> None:
    await service.put("A-1")
    requests: list[Any] = []
    for n in range(40):
        requests += [
            service.patch("A-1", {"name": f"{n}"}),
            service.patch("A-1", {"warehouse_location": "NOWHERE"}),
            service.patch("A-1", {"quantity": 1}),
            service.api.get("/inventory/absent"),
        ]
    answers: list[httpx.Response] = await asyncio.gather(*requests)
    assert {answer.status_code for answer in answers} <= {200, 404, 422, 428, 503}
    assert await service.metric("db_client_connections", state="used") == 0


async def test_a_connection_is_back_before_the_response_goes_out_and_its_background_task_runs(service: Service) -> None:
    """FastAPI's default keeps a yield dependency open until both are done."""
    used: list[float] = []

    async def look() -> None:
        used.append(await service.metric("db_client_connections", state="used"))

    @requires("inventory:read")
    async def endpoint(session: BorrowedSession) -> Response:
        await session.fetch(Statement("test.one", "SELECT 1"))
        await look()
        return Response(background=BackgroundTask(look))

    service.app.api.router.routes.append(Route("/background", endpoint))
    assert (await service.api.get("/background")).status_code == 200
    assert used == [1, 0]


async def test_a_cancelled_request_gives_its_connection_back(service: Service) -> None:
    await service.put("A-1")
    tasks = [asyncio.create_task(service.patch("A-1", {"name": f"{n}"})) for n in range(20)]
    for task in tasks:
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await service.metric("db_client_connections", state="used") == 0
    assert (await service.patch("A-1", {"name": "after"})).status_code == 200
