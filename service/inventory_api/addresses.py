"""The URLs of PostgreSQL and Redis: what the drivers would tell late, or not at all, is told before anything starts."""

import hashlib
import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

POSTGRESQL = ("postgresql", "postgres")
REDIS = ("redis", "rediss", "unix")
# One of the hosts of a URL, which may be several for PostgreSQL; `urlsplit` takes one only.
ADDRESS = re.compile(r"(\[.*\]|[^:]*)(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?")
# https://www.postgresql.org/docs/current/libpq-ssl.html
SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
VERIFYING = {"verify-ca", "verify-full"}
# Of the options of a database's URL, those that tell where it is.
WHERE = {"host", "port", "dbname", "database"}
# Time-outs and sizes are the service's own.
REDIS_OPTIONS = {
    "client_name", "db", "protocol",
    "ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile",
}  # fmt: skip


def check_postgresql(url: str) -> None:
    """Raise `ValueError`, which says what is wrong and nothing of the password."""
    mode = dict(parse_qsl(_split(url, POSTGRESQL).query)).get("sslmode")
    if mode is not None and mode not in SSL_MODES:
        raise ValueError(f"sslmode must be one of {', '.join(sorted(SSL_MODES))}")


def check_redis(url: str) -> None:
    """As `check_postgresql`."""
    split = _split(url, REDIS)
    for name, _ in parse_qsl(split.query, keep_blank_values=True):
        if name not in REDIS_OPTIONS:
            raise ValueError(f"{name!r} is no option; there are {', '.join(sorted(REDIS_OPTIONS))}")
    if split.scheme != "unix" and not re.fullmatch(r"/?\d*", split.path):
        raise ValueError("after the host comes the number of a database, as in redis://host:6379/0")


def verified_postgresql(url: str, authority: Path) -> str:
    """The URL, so that the server must prove its name by a certificate of that authority.

    Where the URL says `verify-ca`, the name is not looked at.

    Raises:
        ValueError: the URL asks for less than the authority is there for, or names another.
    """
    options = dict(parse_qsl(urlsplit(url).query))
    mode = options.get("sslmode")
    if mode is not None and mode not in VERIFYING:
        raise ValueError(f"sslmode={mode} verifies nothing, and there is an authority to verify by; leave sslmode out")
    _refuse_another(options.get("sslrootcert"), authority, "sslrootcert")
    return _with_options(url, {"sslmode": "verify-full", "sslrootcert": str(authority), **options})


def verified_redis(url: str, authority: Path) -> str:
    """As `verified_postgresql`."""
    split = urlsplit(url)
    if split.scheme != "rediss":
        raise ValueError(f"{split.scheme}:// verifies nothing, and there is an authority to verify by; say rediss://")
    options = dict(parse_qsl(split.query))
    if options.get("ssl_cert_reqs", "required") != "required":
        raise ValueError("ssl_cert_reqs verifies nothing, and there is an authority to verify by; leave it out")
    _refuse_another(options.get("ssl_ca_certs"), authority, "ssl_ca_certs")
    return _with_options(url, {"ssl_ca_certs": str(authority), **options})


def _refuse_another(given: str | None, authority: Path, option: str) -> None:
    if given is not None and given != str(authority):
        raise ValueError(f"{option} names another authority than the one to verify by; leave it out")


def _with_options(url: str, options: dict[str, str]) -> str:
    query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in options.items())
    return f"{url.partition('?')[0]}?{query}"


def database_id(url: str) -> str:
    """Short text that is the same for the same database, whoever connects to it; nothing can be read from it."""
    split = urlsplit(url)
    options = [(name, value) for name, value in parse_qsl(split.query) if name in WHERE]
    place = (split.netloc.rpartition("@")[2], split.path, *sorted(options))
    return hashlib.sha256(repr(place).encode()).hexdigest()[:12]


def _split(url: str, schemes: tuple[str, ...]) -> SplitResult:
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if "#" in url:
        raise ValueError("a '#' must be written as %23")
    try:
        split = urlsplit(url)
    except ValueError:
        # What it says may hold the password.
        raise ValueError("is no URL; in a password, what is no letter or digit is written as %XX") from None
    if not all(ADDRESS.fullmatch(address) for address in split.netloc.rpartition("@")[2].split(",")):
        raise ValueError("a port must be a number from 1 to 65535")
    return split
