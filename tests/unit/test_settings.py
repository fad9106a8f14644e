"""Settings are checked once, and a wrong one is named."""

from pathlib import Path

import pytest

from inventory_api.settings import SettingsError, load


def test_defaults_are_those_of_the_contract() -> None:
    settings = load({})
    assert (settings.workers, settings.pool_max, settings.port, settings.management_port) == (1, 8, 8000, 9000)
    assert (settings.drain_delay, settings.drain_timeout, settings.graceful_timeout) == (10, 20, 40)
    assert settings.required_checks == ("database", "schema")
    assert settings.webhook_delays == (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    assert not settings.webhook_loopback
    assert load({"INVENTORY_WEBHOOK_DELAYS": "0, 1.5,60"}).webhook_delays == (0, 1.5, 60)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("INVENTORY_POOLMAX", "1", "INVENTORY_POOLMAX is not a setting; did you mean INVENTORY_POOL_MAX?"),
        ("INVENTORY_XYZZY", "1", "INVENTORY_XYZZY is not a setting"),
        ("INVENTORY_WORKERS", "0", "INVENTORY_WORKERS: Input should be greater than or equal to 1"),
        ("INVENTORY_PORT", "9000", "the settings: PORT and MANAGEMENT_PORT must differ"),
        ("INVENTORY_REQUIRED_CHECKS", "database,tea", "INVENTORY_REQUIRED_CHECKS: Input should be"),
        ("INVENTORY_TRUSTED_PROXIES", "10.0.0.0/8,nonsense", "INVENTORY_TRUSTED_PROXIES: 'nonsense' does not appear"),
        ("INVENTORY_DRAIN_TIMEOUT", "4", "the settings: DRAIN_TIMEOUT must be at least REQUEST_DEADLINE"),
        ("INVENTORY_RATE_LIMIT", "many", "INVENTORY_RATE_LIMIT: must be limits such as 600/minute"),
        ("INVENTORY_REQUIRED_CHECKS", ",", "INVENTORY_REQUIRED_CHECKS: Tuple should have at least 1 item"),
        ("INVENTORY_REQUIRED_CHECKS", "redis", "the settings: REQUIRED_CHECKS has redis, but REDIS_URL is not set"),
        ("INVENTORY_HOST", "nonsense.invalid", "INVENTORY_HOST: 'nonsense.invalid' does not appear to be an IPv4 or"),
        ("INVENTORY_LOG_LEVEL", "loud", "INVENTORY_LOG_LEVEL: Input should be"),
        ("INVENTORY_WEBHOOK_DELAYS", "0,soon", "INVENTORY_WEBHOOK_DELAYS: Input should be a valid number"),
        ("INVENTORY_WEBHOOK_DELAYS", "0,-5", "INVENTORY_WEBHOOK_DELAYS: Input should be greater than or equal to 0"),
        ("INVENTORY_WEBHOOK_DELAYS", "0,nan", "INVENTORY_WEBHOOK_DELAYS: Input should be"),
        ("INVENTORY_WEBHOOK_DELAYS", ",", "INVENTORY_WEBHOOK_DELAYS: Tuple should have at least 1 item"),
        ("INVENTORY_WEBHOOK_RETENTION_DAYS", "1", "INVENTORY_WEBHOOK_RETENTION_DAYS: Input should be greater"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load({name: value})
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INVENTORY_API_PORT", "tcp://10.96.0.7:80"),
        ("INVENTORY_API_PORT_80_TCP_ADDR", "10.96.0.7"),
        ("INVENTORY_API_SERVICE_HOST", "10.96.0.7"),
        ("INVENTORY_SERVICE_PORT_HTTP", "80"),
        ("INVENTORY_PORT", "tcp://10.96.0.7:80"),
        ("INVENTORY_POOL_MAX", ""),
    ],
)
def test_what_kubernetes_makes_for_services_and_what_is_empty_is_no_setting(name: str, value: str) -> None:
    assert load({name: value}) == load({})


def test_a_secret_is_never_in_an_error_or_in_what_is_shown() -> None:
    settings = load({"INVENTORY_DATABASE_URL": "postgresql://user:secret@db/x"})
    assert "secret" not in f"{settings!r} {settings.public()}"
    with pytest.raises(SettingsError) as raised:
        load({"INVENTORY_DATABASE_URL": "secret", "INVENTORY_DATABASE_URL_FILE": "/x", "INVENTORY_POOL_MAX": "secret"})
    assert "secret" not in str(raised.value)


def test_a_secrets_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "url"
    settings = load({"INVENTORY_DATABASE_URL_FILE": str(file)})
    with pytest.raises(SettingsError, match=r"INVENTORY_DATABASE_URL_FILE: .*No such file"):
        settings.current_database_url()
    for url in ("postgresql://a", "postgresql://b"):
        file.write_text(f"{url}\n")
        assert settings.current_database_url() == settings.current_database_direct_url() == url


def test_a_secret_and_its_file_together_are_refused() -> None:
    with pytest.raises(SettingsError, match="REDIS_URL and REDIS_URL_FILE are both set"):
        load({"INVENTORY_REDIS_URL": "redis://x", "INVENTORY_REDIS_URL_FILE": "/x"})
