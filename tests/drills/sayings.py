"""Requests that are too large, no HTTP, no JSON, or two in one, and what each is to be told."""

import itertools

from inventory_api.server.protocol import HttpProtocol
from tests.support.service import ADMIN_KEY

from .hostile import Parts, flood

DEEP, DEEPER = 5_000, 100_000
KNOWN = f"Host: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Type: application/json\r\n".encode()
PUT = b"PUT /inventory/X-1 HTTP/1.1\r\n" + KNOWN
CHUNKED = PUT + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
NOWHERE = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"


def _put(body: bytes, more: bytes = b"") -> list[bytes]:
    return [PUT + more + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body]


def _members(count: int) -> bytes:
    return b"{%s}" % b",".join(b'"k%d":1' % number for number in range(count))


def sayings() -> dict[str, tuple[Parts, set[str]]]:
    """By name, what is said, and the answers that are right."""
    malformed, bad, large = {"400 MALFORMED_JSON"}, {"400 BAD_REQUEST"}, {"413 PAYLOAD_TOO_LARGE"}
    # A client that goes on sending may be reset when it was told.
    headers = {"431 HEADERS_TOO_LARGE", "431 HEADERS_TOO_LARGE, reset", "reset"}
    ten_mb = b"Connection: close\r\nContent-Length: 10485760\r\n\r\n"
    ten_mb_of_chunks = itertools.chain(
        [CHUNKED], [b"10000\r\n" + b" " * 65_536 + b"\r\n"] * 160, [b"0\r\n\r\n"], _put(b"")
    )
    ahead = NOWHERE * 5_000
    return {
        "64 MiB of a header": (flood(b"GET / HTTP/1.1\r\nX: ", 64), headers),
        "64 MiB of a path": (flood(b"GET /", 64), headers),
        "64 MiB of a trailer": (flood(CHUNKED + b"2\r\n{}\r\n0\r\nX: ", 64), headers),
        "trailers": (itertools.chain([CHUNKED + b"2\r\n{}\r\n0\r\n"], [b"A: b\r\n" * 10_000] * 1_000), headers),
        "10 MB": (flood(PUT + ten_mb, 10), large | {"413 PAYLOAD_TOO_LARGE, reset"}),
        "10 MB of chunks": (ten_mb_of_chunks, {"413 PAYLOAD_TOO_LARGE, 400 MALFORMED_JSON"}),
        "deep nesting": (_put(b"[" * DEEP + b"]" * DEEP), malformed),
        "nesting without end": (_put(b'{"a":' * DEEP), malformed),
        "deeper nesting": (_put(b"[" * DEEPER + b"]" * DEEPER), large),
        "a huge int": (_put(b'{"quantity":' + b"9" * 500_000 + b"}"), malformed),
        "9,000 members": (_put(_members(9_000)), {"422 VALIDATION_FAILURE"}),
        "95,000 members": (_put(_members(95_000)), large),
        "500,000 numbers": (_put(b'{"attributes":{"a":[1%s]}}' % (b",1" * 500_000)), large),
        "250,000 arrays": (_put(b"[[]%s]" % (b",[]" * 250_000)), large),
        "a string without end": (_put(b'{"name":"' + b'\\"' * 500_000), malformed),
        "a member twice": (_put(b'{"name":"a","name":"b"}'), malformed),
        "a raw NUL": (_put(b'{"name":"\0"}'), malformed),
        "an escaped NUL": (_put(b'{"name":"\\u0000"}'), {"422 VALIDATION_FAILURE"}),
        "garbage": ([b"\0\1\2garbage\r\n\r\n"], bad),
        "TLS": ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], bad),
        "HTTP/0.9": ([b"GET /nowhere\r\n\r\n"], bad),
        "HTTP/2": ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], bad),
        "garbage behind a request": ([NOWHERE + b"\x16\x03\x01garbage\r\n\r\n"], {"404 NOT_FOUND"}),
        "5,000 requests ahead": ([ahead], {f"{HttpProtocol.max_pipelined + 1} x 404 NOT_FOUND"}),
        "CL.TE": ([PUT + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NOWHERE], bad),
        "TE.CL": ([PUT + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + NOWHERE], bad),
        "two lengths": ([PUT + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"], bad),
        "a length with a sign": ([PUT + b"Content-Length: +2\r\n\r\n{}"], bad),
        "TE twice": ([PUT + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], bad),
        "TE with a space": ([PUT + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + NOWHERE], bad),
        "TE not last": ([PUT + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"], bad),
        "no chunk size": ([CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n"], bad),
        "a chunk size over 64 bits": ([CHUNKED + b"fffffffffffffffff\r\n{}"], bad),
        "a chunk longer than it says": ([CHUNKED + b"2\r\n{}" + NOWHERE], bad),
        "bare line feeds": ([b"GET /nowhere HTTP/1.1\nHost: x\n\n"], bad),
        "a folded header": ([PUT + b"X: a\r\n b\r\n\r\n"], bad),
        "an upgrade": (_put(b'{"name":"\\u0000"}', UPGRADE), {"422 VALIDATION_FAILURE"}),
        "an upgrade, and a request": (_put(NOWHERE, UPGRADE), malformed),
        "no host": ([b"GET /nowhere HTTP/1.1\r\n\r\n"], bad),
        "an extension of a chunk": (flood(CHUNKED + b"2;", 64), headers),
        "NUL in a header": ([b"GET /nowhere HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"], bad),
    }  # fmt: skip
