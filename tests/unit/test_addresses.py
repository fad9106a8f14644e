"""A URL that a driver could not use, or would understand in another way, is told before anything starts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from inventory_api.addresses import check_postgresql, check_redis, verified_postgresql, verified_redis
from inventory_api.settings import SettingsError, load


@pytest.mark.parametrize(
    ("check", "url"),
    [
        (check_postgresql, "postgresql://inventory:p%23w@db:5432/inventory?sslmode=verify-full"),
        (check_postgresql, "postgres:///inventory?host=/run/postgresql"),
        (check_postgresql, "postgresql://a:1,b:2/inventory?target_session_attrs=read-write"),
        (check_postgresql, "postgresql://[::1]:5432/inventory"),
        (check_redis, "redis://:secret@cache:6379/0"),
        (check_redis, "redis://cache"),
        (check_redis, "rediss://cache:6380/1?ssl_ca_certs=/ca.pem&protocol=3"),
        (check_redis, "unix:///run/valkey.sock?db=1"),
    ],
)
def test_what_the_drivers_take_passes(check: Callable[[str], None], url: str) -> None:
    check(url)


@pytest.mark.parametrize(
    ("check", "url", "message"),
    [
        (check_postgresql, "mysql://secret@db/x", "must begin with postgresql:// or postgres://"),
        (check_postgresql, "postgresql://u:secret#@db/x", "a '#' must be written as %23"),
        (check_postgresql, "postgresql://u:secret@[::1/x", "is no URL"),
        (check_postgresql, "postgresql://u:secret\u2100@db/x", "is no URL"),
        (check_postgresql, "postgresql://u:secret@db:99999/x", "a port must be a number"),
        (check_postgresql, "postgresql://u:secret@db/x?sslmode=tea", "sslmode must be one of allow, disable"),
        (check_redis, "http://secret@cache", "must begin with redis:// or rediss:// or unix://"),
        (check_redis, "redis://:secret@cache:6379/0?socket_timeout=5", "'socket_timeout' is no option"),
        (check_redis, "redis://:secret@cache:6379/0?tea=", "'tea' is no option"),
        (check_redis, "redis://:secret@cache:6379/tea", "after the host comes the number of a database"),
    ],
)
def test_what_they_do_not_is_told_without_the_password(check: Callable[[str], None], url: str, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message) as raised:
        check(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("verified", "url", "by_it"),
    [
        (
            verified_postgresql,
            "postgresql://u:p@db/x",
            "postgresql://u:p@db/x?sslmode=verify-full&sslrootcert=/a%20b.crt",
        ),
        (
            verified_postgresql,
            "postgresql://u:p@db/x?application_name=a%26b&sslmode=verify-ca",
            "postgresql://u:p@db/x?sslmode=verify-ca&sslrootcert=/a%20b.crt&application_name=a%26b",
        ),
        (
            verified_postgresql,
            "postgresql://db/x?sslrootcert=/a%20b.crt",
            "postgresql://db/x?sslmode=verify-full&sslrootcert=/a%20b.crt",
        ),
        (verified_redis, "rediss://:p@cache:6379/0", "rediss://:p@cache:6379/0?ssl_ca_certs=/a%20b.crt"),
        (verified_redis, "rediss://cache?protocol=3", "rediss://cache?ssl_ca_certs=/a%20b.crt&protocol=3"),
    ],
)
def test_an_authority_is_what_the_server_is_verified_by(
    verified: Callable[[str, Path], str], url: str, by_it: str
) -> None:
    """The address says nothing of it, or more than the default."""
    assert verified(url, Path("/a b.crt")) == by_it


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("INVENTORY_DATABASE_URL", "postgresql://u:secret@db/x?sslmode=require"),
        ("INVENTORY_DATABASE_DIRECT_URL", "postgresql://u:secret@db/x?sslmode=prefer"),
        ("INVENTORY_REDIS_URL", "redis://:secret@cache"),
        ("INVENTORY_REDIS_URL", "rediss://:secret@cache?ssl_cert_reqs=none"),
    ],
)
def test_an_address_that_would_not_verify_is_refused_where_there_is_an_authority(
    variable: str, url: str, tmp_path: Path
) -> None:
    """An authority that nothing is verified by would be a false promise."""
    authority = tmp_path / "ca.crt"
    authority.touch()
    given = {
        "INVENTORY_DATABASE_URL": "postgresql://db/x",
        "INVENTORY_DATABASE_CA_FILE": str(authority),
        "INVENTORY_REDIS_CA_FILE": str(authority),
    }
    with pytest.raises(SettingsError, match=f"^{variable}: .* verifies nothing") as raised:
        load({**given, variable: url}).check_addresses()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("INVENTORY_DATABASE_URL", "postgresql://db/x?sslrootcert=system"),
        ("INVENTORY_REDIS_URL", "rediss://cache?ssl_ca_certs=/other.crt"),
    ],
)
def test_there_is_one_authority(variable: str, url: str, tmp_path: Path) -> None:
    """The one in the URL would silently win over that which somebody mounted for it."""
    authority = tmp_path / "ca.crt"
    authority.touch()
    given = {
        "INVENTORY_DATABASE_URL": "postgresql://db/x",
        "INVENTORY_DATABASE_CA_FILE": str(authority),
        "INVENTORY_REDIS_CA_FILE": str(authority),
    }
    with pytest.raises(SettingsError, match=f"^{variable}: .* names another authority"):
        load({**given, variable: url}).check_addresses()


def test_an_authority_that_is_not_there_is_told_at_the_start() -> None:
    given = {"INVENTORY_DATABASE_URL": "postgresql://db/x", "INVENTORY_REDIS_CA_FILE": "/no/ca.crt"}
    with pytest.raises(SettingsError, match=r"^INVENTORY_REDIS_CA_FILE: /no/ca.crt: there is no such file"):
        load(given).check_addresses()


def test_every_address_is_checked_at_the_start() -> None:
    database = {"INVENTORY_DATABASE_URL": "postgresql://db/x"}
    load(database).check_addresses()
    for name in ("INVENTORY_DATABASE_DIRECT_URL", "INVENTORY_REDIS_URL"):
        with pytest.raises(SettingsError, match=f"^{name}: must begin with"):
            load({**database, name: "http://x"}).check_addresses()


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"^INVENTORY_DATABASE_URL_FILE: .* is not text in UTF-8$"):
        load({"INVENTORY_DATABASE_URL_FILE": str(file)}).check_addresses()
