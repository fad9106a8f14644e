"""Requests that are no HTTP, or rare, to a server as it runs in production."""

import contextlib
import json
import socket

import httpx
import pytest
from tests.support.process import Server
from tests.support.service import AUTHORIZATION


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"])
def test_what_is_no_http_is_answered_in_the_error_shape(server: Server, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(garbage)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    error = json.loads(body)["error"]
    assert error["type"] == "BAD_REQUEST"
    assert error["request_id"].encode() in head


@pytest.mark.parametrize(
    ("rest", "refusal"),
    [
        (b"garbage\r\n", ("400", "BAD_REQUEST")),
        (b"2\r\n{}\r\n0\r\nX-Endless: " + b"x" * 2_000_000, ("431", "HEADERS_TOO_LARGE")),
        (b"2\r\n{}\r\n0\r\n" + b"X-Many: x\r\n" * 200_000, ("431", "HEADERS_TOO_LARGE")),
        (b"2;" + b"x" * 2_000_000, ("431", "HEADERS_TOO_LARGE")),
        (b"2\r\n{}\r\n2;" + b"x" * 2_000_000, ("431", "HEADERS_TOO_LARGE")),
    ],
    ids=["no chunk", "one trailer", "many trailers", "an extension", "a later extension"],
)
def test_a_body_that_is_no_http_is_told_of_at_once_and_not_at_the_deadline(
    server: Server, rest: bytes, refusal: tuple[str, str]
) -> None:
    authorization = f"Authorization: {AUTHORIZATION['Authorization']}\r\nContent-Type: application/json\r\n"
    begin = f"PUT /inventory/A-1 HTTP/1.1\r\nHost: x\r\n{authorization}Transfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(begin.encode() + rest)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # It does not wait for the end of what is sent.
            while data := connection.recv(65_536):
                answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (head.split()[1].decode(), json.loads(body)["error"]["type"]) == refusal


def test_a_head_is_the_get_without_its_content(server: Server) -> None:
    """Its status, its headers and its place in the metrics; the next request on the connection is understood."""
    server.put("A-1").raise_for_status()
    paths = ["/inventory/A-1", "/inventory/absent", "/nowhere", "/system/ready", "/openapi.json"]
    with httpx.Client(base_url=server.api, headers=AUTHORIZATION) as client:
        for path in paths:
            get, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (get.status_code, b"")
            told = {"content-length", "content-type", "etag"}
            assert {name: head.headers.get(name) for name in told} == {name: get.headers.get(name) for name in told}
        etag = client.head("/inventory/A-1").headers["ETag"]
        assert client.head("/inventory/A-1", headers={"If-None-Match": etag}).status_code == 304
        assert client.head("/metrics").status_code == 404
    assert httpx.head(f"{server.management}/metrics").status_code == 200
    count, route = "http_server_request_duration_seconds_count", "/inventory/{sku}"
    assert server.metric(count, http_request_method="HEAD", http_route=route, http_response_status_code=200) == 2
