"""What can be told of an endpoint's URL by its text alone. What its name resolves to is judged at each dial."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import urlsplit

from inventory_api.webhooks.networks import is_loopback, is_public

MAX_LENGTH = 2000
HTTPS_PORT = 443
# Those between are of services that were never meant to be asked by HTTP.
LEAST_HIGH_PORT = 1024
# As a client of HTTP would send it: what is not ASCII, a space or a backslash is read by each parser in another way.
TEXT = re.compile(r"[!-\[\]-~]+")
# Parsers differ in what they make of anything beside these.
AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(:[0-9]*)?")
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
# By the URL standard of WHATWG, a host whose last label is a number is an IPv4 address, in whatever spelling.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


# Last labels that networks use for themselves, those of Kubernetes and RFC 8375 among them.
NOT_OF_THE_INTERNET = frozenset(
    "localhost local localdomain internal svc cluster arpa home lan corp intranet onion".split()  # noqa: SIM905 -- names
)


class UrlRefused(ValueError):
    """It is not one that an endpoint may have; the message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Url:
    """One that may be asked, in its parts. `host` is a name or an address, without brackets."""

    scheme: str
    host: str
    port: int
    target: str  # path and query

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"


def parse(text: str, *, admit_loopback: bool = False) -> Url:
    """Take it apart. `admit_loopback`: http to this machine, on any port, as well.

    Raises:
        UrlRefused: it is none, or leads, or may lead, elsewhere than to the internet by https.
    """
    if len(text) > MAX_LENGTH or not TEXT.fullmatch(text):
        raise UrlRefused(f"It must be of 1 to {MAX_LENGTH} visible ASCII characters, and without backslashes.")
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise UrlRefused("It is not a URL.") from None
    if not AUTHORITY.fullmatch(parts.netloc.rpartition("@")[2]):
        raise UrlRefused("It is not a URL.")
    if "@" in parts.netloc:
        raise UrlRefused("It must not have a user or a password.")
    if "#" in text:
        raise UrlRefused("It must not have a fragment.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if admit_loopback and parts.scheme in {"http", "https"} and _is_loopback(host):
        if port == 0:
            raise UrlRefused("Its port must be 1 or more.")
        return Url(parts.scheme, host, port or (HTTPS_PORT if parts.scheme == "https" else 80), target)
    if parts.scheme != "https":
        raise UrlRefused("It must begin with https://.")
    if parts.netloc.endswith(":") or (port is not None and port != HTTPS_PORT and port < LEAST_HIGH_PORT):
        raise UrlRefused(f"Its port must be {HTTPS_PORT}, or {LEAST_HIGH_PORT} or more.")
    _require_public(host, is_bracketed="[" in parts.netloc)
    return Url("https", host, port or HTTPS_PORT, target)


def _require_public(host: str, *, is_bracketed: bool) -> None:
    address = _address(host, is_bracketed=is_bracketed)
    if address is not None:
        if not is_public(address):
            raise UrlRefused("Its address is not one of the internet.")
        return
    labels = host.split(".")
    if len(host) > 253 or not all(LABEL.fullmatch(label) for label in labels):  # noqa: PLR2004 -- RFC 1035
        raise UrlRefused("Its host is not a name of the DNS; other scripts are written as xn--...")
    if len(labels) == 1 or labels[-1].lower() in NOT_OF_THE_INTERNET:
        raise UrlRefused("Its host is not a name of the internet.")


def _address(host: str, *, is_bracketed: bool) -> IPv4Address | IPv6Address | None:
    try:
        if is_bracketed:
            return IPv6Address(host)
        return IPv4Address(host) if NUMBER.fullmatch(host.rpartition(".")[2]) else None
    except AddressValueError:
        raise UrlRefused("Its host is a number that is not written as an address.") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return is_loopback(IPv6Address(host) if ":" in host else IPv4Address(host))
    except AddressValueError:
        return False
