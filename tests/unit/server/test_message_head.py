"""Heads of requests, as bytes; over a socket they are in tests/integration/server/test_protocol.py."""

import pytest

from inventory_api.errors import BadRequest
from inventory_api.server.message_head import check, without_upgrade

HOST = (b"host", b"x")
CHUNKED = (b"transfer-encoding", b"chunked")


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", [HOST]),
        ("1.1", [HOST, CHUNKED]),
        ("1.1", [(b"host", b""), (b"transfer-encoding", b"Chunked")]),
        ("1.0", []),
        ("1.0", [HOST]),
    ],
)
def test_a_head_that_can_be_read_in_one_way_passes(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    check(b"PUT", version, headers)


@pytest.mark.parametrize(
    ("method", "version", "headers", "message"),
    [
        (b"GET", "0.9", [], "version"),
        (b"PRI", "2.0", [HOST], "version"),
        (b"GET", "1.1", [], "one Host"),
        (b"GET", "1.1", [HOST, HOST], "one Host"),
        (b"GET", "1.0", [HOST, HOST], "one Host"),
        (b"CONNECT", "1.1", [HOST], "proxy"),
        (b"PUT", "1.1", [HOST, (b"transfer-encoding", b"gzip, chunked")], "coding"),
        (b"PUT", "1.1", [HOST, CHUNKED, CHUNKED], "coding"),
        (b"PUT", "1.0", [CHUNKED], "coding"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(
    method: bytes, version: str, headers: list[tuple[bytes, bytes]], message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        check(method, version, headers)


def test_of_an_upgrade_nothing_is_left_and_all_else_is_as_it_was() -> None:
    headers = [
        HOST,
        (b"connection", b"Upgrade, close , HTTP2-Settings"),
        (b"upgrade", b"h2c"),
        (b"http2-settings", b"AAMAAABkAAQ"),
        (b"content-length", b"2"),
        (b"x-twice", b"a"),
        (b"x-twice", b"b"),
    ]
    assert without_upgrade(b"PUT", b"/a?b=c", "1.1", headers) == (
        b"PUT /a?b=c HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\nx-twice: a\r\nx-twice: b\r\n\r\n"
    )
