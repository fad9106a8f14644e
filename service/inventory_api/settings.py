"""One frozen Settings, read once from `INVENTORY_*` (docs/settings.md) and passed down as values."""

import difflib
import ipaddress
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from inventory_api import addresses
from inventory_api.addresses import check_postgresql, check_redis, verified_postgresql, verified_redis
from inventory_api.http.rate_limit.policy import Policy, parse_policies
from inventory_api.storage.address import Address
from inventory_api.storage.address import parse as parse_storage
from inventory_api.webhooks.schedule import DELAYS

PREFIX = "INVENTORY_"
# What Kubernetes injects into pods for a Service that is named inventory-*, unless enableServiceLinks is false.
SERVICE_LINK = re.compile(r".*_port(_.*)?|.*_service_.*|port_.*|service_.*")

ADDRESSES = {"database_url": check_postgresql, "database_direct_url": check_postgresql, "redis_url": check_redis}

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Delay = Annotated[float, Field(ge=0, le=7 * 86_400)]


class SettingsError(Exception):
    """A setting is wrong or unknown; the message is one line that names it."""


class Settings(BaseModel):
    """The settings of one process; names are those of the environment without the prefix, in lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: SecretStr | None = None
    database_url_file: Path | None = None
    database_direct_url: SecretStr | None = None
    database_direct_url_file: Path | None = None
    database_ca_file: Path | None = None
    redis_url: SecretStr | None = None
    redis_url_file: Path | None = None
    redis_ca_file: Path | None = None
    api_keys_file: Path | None = None
    host: str = "0.0.0.0"  # noqa: S104 -- a pod is reached on its address; `dev` binds to loopback
    port: Port = 8000
    management_port: Port = 9000
    workers: int = Field(default=1, ge=1, le=64)
    server_worker_timeout: int = Field(default=20, ge=1, le=3600)
    pool_max: int = Field(default=8, ge=1, le=1000)
    max_in_flight: int | None = Field(default=None, ge=1, le=10_000)
    pool_acquire_timeout: Seconds = 0.25
    request_deadline: Seconds = 5
    # Where attachments are kept; without, there are none.
    storage_url: Address | None = None
    upload_deadline: Seconds = 20
    upload_max_bytes: int = Field(default=10_485_760, ge=1, le=1_073_741_824)
    uploads_at_once: int = Field(default=4, ge=1, le=1000)
    upload_bytes_per_second: int = Field(default=16_777_216, ge=65_536, le=1_073_741_824)
    downloads_at_once: int = Field(default=32, ge=1, le=1000)
    upload_url_ttl: int = Field(default=900, ge=10, le=604_800)
    upload_directory: Path | None = None
    download_redirect: bool = False
    attachment_retention_days: int = Field(default=30, ge=1, le=36_500)
    job_concurrency: int = Field(default=4, ge=2, le=100)
    job_heartbeat: Seconds = 30
    # The database keeps audit rows for 90 days, whatever is said here.
    audit_retention_days: int = Field(default=400, ge=90, le=36_500)
    reservation_retention_days: int = Field(default=30, ge=1, le=36_500)
    job_log_retention_days: int = Field(default=7, ge=1, le=3650)
    webhook_retention_days: int = Field(default=30, ge=4, le=3650)
    # Seconds before each attempt, the first included.
    webhook_delays: Annotated[tuple[Delay, ...], Field(min_length=1, max_length=50)] = DELAYS
    webhook_concurrency: int = Field(default=64, ge=2, le=1000)
    webhook_loopback: bool = False
    drain_delay: float = Field(default=10, ge=0, le=3600)
    drain_timeout: Seconds = 20
    required_checks: Annotated[tuple[Literal["database", "schema", "redis", "storage"], ...], Field(min_length=1)] = (
        "database",
        "schema",
    )
    rate_limit: tuple[Policy, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    docs: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    commit: str = "unknown"

    @field_validator("required_checks", "trusted_proxies", "webhook_delays", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("rate_limit", mode="before")
    @classmethod
    def _parse_policies(cls, value: object) -> object:
        return parse_policies(value) if isinstance(value, str) else value

    @field_validator("storage_url", mode="before")
    @classmethod
    def _parse_storage(cls, value: object) -> object:
        return parse_storage(value) if isinstance(value, str) else value

    @field_validator("host")
    @classmethod
    def _address(cls, value: str) -> str:
        if value != "localhost":
            ipaddress.ip_address(value)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.port == self.management_port:
            raise ValueError("PORT and MANAGEMENT_PORT must differ")
        if self.drain_timeout < self.request_deadline:
            raise ValueError("DRAIN_TIMEOUT must be at least REQUEST_DEADLINE, or a drain cuts requests short")
        if self.storage_url is not None and self.drain_timeout < self.upload_deadline:
            raise ValueError("DRAIN_TIMEOUT must be at least UPLOAD_DEADLINE, or a drain cuts uploads short")
        if "redis" in self.required_checks and not (self.redis_url or self.redis_url_file):
            raise ValueError("REQUIRED_CHECKS has redis, but REDIS_URL is not set")
        if "storage" in self.required_checks and self.storage_url is None:
            raise ValueError("REQUIRED_CHECKS has storage, but STORAGE_URL is not set")
        if self.upload_directory is not None and not self.upload_directory.is_dir():
            raise ValueError(f"UPLOAD_DIRECTORY: {self.upload_directory} is no directory")
        for name in ADDRESSES:
            if getattr(self, name) and getattr(self, f"{name}_file"):
                raise ValueError(f"{name.upper()} and {name.upper()}_FILE are both set; keep one")
        return self

    @property
    def in_flight_limit(self) -> int:
        """Requests that a server worker answers at once: enough to keep the pool busy while others wait for the CPU."""
        return self.max_in_flight or self.pool_max * 2

    @property
    def graceful_timeout(self) -> int:
        """Seconds from SIGTERM to SIGKILL: delay, requests in flight, 3 s each for tasks, pools and spans, and 1."""
        return math.ceil(self.drain_delay + self.drain_timeout) + 3 + 3 + 3 + 1

    def current_database_url(self) -> str:
        """Read the URL anew, so that a rotated file counts at the next connection.

        Raises:
            SettingsError: none is set, or its file cannot be read.
        """
        return self._secret("database_url")

    def database_id(self) -> str:
        """See `addresses.database_id`; empty where no database is set, as for the OpenAPI document alone."""
        return addresses.database_id(self.current_database_url()) if self.has_database else ""

    @property
    def has_database(self) -> bool:
        """Whether there is one to ask for `current_database_url`."""
        return bool(self.database_url or self.database_url_file)

    def current_database_direct_url(self) -> str:
        """As `current_database_url`, for migrations: past a connection pooler, when there is one."""
        direct = self.database_direct_url or self.database_direct_url_file
        return self._secret("database_direct_url" if direct else "database_url")

    def current_redis_url(self) -> str | None:
        """The URL of Redis, or None where the service runs without."""
        return self._secret("redis_url") if self.redis_url or self.redis_url_file else None

    def _secret(self, name: str) -> str:
        variable = PREFIX + name.upper()
        secret: SecretStr | None = getattr(self, name)
        file: Path | None = getattr(self, f"{name}_file")
        if secret is None and file is None:
            raise SettingsError(f"{variable} is not set (or {variable}_FILE)")
        try:
            value = secret.get_secret_value() if secret else file.read_text().strip() if file else ""
        except OSError as error:
            raise SettingsError(f"{variable}_FILE: {file}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise SettingsError(f"{variable}_FILE: {file}: is not text in UTF-8") from None
        try:
            ADDRESSES[name](value)
            return self._verified(name, value)
        except ValueError as error:
            raise SettingsError(f"{variable}: {error}") from None

    def _verified(self, name: str, url: str) -> str:
        if name == "redis_url":
            return verified_redis(url, self.redis_ca_file) if self.redis_ca_file else url
        return verified_postgresql(url, self.database_ca_file) if self.database_ca_file else url

    def check_addresses(self) -> None:
        """Once at the start, where a wrong one is a line for whoever starts it; later it is a dependency not there.

        Raises:
            SettingsError: the database's is missing, or one cannot be read or is none, or verifies less than it is to.
        """
        for name, file in (("DATABASE", self.database_ca_file), ("REDIS", self.redis_ca_file)):
            if file is not None and not file.is_file():
                raise SettingsError(f"{PREFIX}{name}_CA_FILE: {file}: there is no such file")
        self.current_database_url()
        self.current_database_direct_url()
        self.current_redis_url()

    def public(self) -> dict[str, object]:
        """All settings but secrets, for `/system/info`."""
        return self.model_dump(mode="json", exclude=set(ADDRESSES))


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check the settings. An empty value counts as not set.

    Raises:
        SettingsError: a value is wrong, or a name with the prefix is unknown; names it and the nearest known one.
    """
    values: dict[str, str] = {}
    for name, value in environ.items():
        field = name.removeprefix(PREFIX).lower()
        if name.startswith(PREFIX) and value and not _service_link(field, value):
            if field not in Settings.model_fields:
                raise SettingsError(f"{name} is not a setting{_nearest(field)}")
            values[field] = value
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else "the settings"
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None


def _service_link(field: str, value: str) -> bool:
    if field == "port":
        return value.startswith("tcp://")
    return field not in Settings.model_fields and SERVICE_LINK.fullmatch(field) is not None


def _nearest(field: str) -> str:
    nearest = difflib.get_close_matches(field, Settings.model_fields, n=1)
    return f"; did you mean {PREFIX}{nearest[0].upper()}?" if nearest else ""
