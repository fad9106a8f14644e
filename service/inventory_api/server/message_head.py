"""What the head of a request must be (RFC 9110 and 9112), where the parser takes more than that."""

from collections.abc import Iterator, Sequence

from inventory_api.errors import BadRequest

Headers = Sequence[tuple[bytes, bytes]]

VERSIONS = ("1.0", "1.1")
# Of an upgrade, and of nothing else.
UPGRADE_HEADERS = (b"upgrade", b"http2-settings")


def check(method: bytes, version: str, headers: Headers) -> None:
    """Refuse what others on the way could read in another way.

    Raises:
        BadRequest: a version that is not spoken here (RFC 9110, 2.5), no host or several (RFC 9112, 3.2), a transfer
            coding that would not be undone (RFC 9112, 6.1), or a tunnel (RFC 9110, 9.3.6).
    """
    if version not in VERSIONS:
        raise BadRequest("The version must be HTTP/1.1 or HTTP/1.0.")
    if method == b"CONNECT":
        raise BadRequest("This is not a proxy.")
    hosts = _values(headers, b"host")
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise BadRequest("There must be one Host header.")
    codings = _values(headers, b"transfer-encoding")
    if codings and (version == "1.0" or [coding.lower() for coding in codings] != [b"chunked"]):
        raise BadRequest("The only transfer coding can be chunked, of HTTP/1.1.")


def without_upgrade(method: bytes, target: bytes, version: str, headers: Headers) -> bytes:
    """The head anew, as of a client that asks for no other protocol: a server may ignore that (RFC 9110, 7.8)."""
    lines = [b"%s %s HTTP/%s" % (method, target, version.encode())]
    lines += [b"%s: %s" % header for header in _kept(headers)]
    return b"\r\n".join([*lines, b"", b""])


def _values(headers: Headers, wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name == wanted]


def _kept(headers: Headers) -> Iterator[tuple[bytes, bytes]]:
    for name, value in headers:
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            yield name, b", ".join(option for option in options if option.lower() not in UPGRADE_HEADERS)
        elif name not in UPGRADE_HEADERS:
            yield name, value
