"""Bearer API keys: a mounted file of SHA-256 digests, re-read when it changes (RFC 6750)."""

import hashlib
import hmac
import logging
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from prometheus_client import Gauge
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from inventory_api.errors import Forbidden, Unauthenticated

logger = logging.getLogger(__name__)

Scope = Literal[
    "inventory:read", "inventory:write", "orders:read", "orders:write", "attachments:read", "attachments:write",
    "audit:read", "webhooks:admin", "jobs:admin",
]  # fmt: skip
SCOPES: tuple[Scope, ...] = Scope.__args__  # type: ignore[attr-defined]
RECHECK_SECONDS = 1.0


class Key(BaseModel):
    """One entry of the keys file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: tuple[Scope, ...]
    expires_at: AwareDatetime | None = None


class KeysFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    keys: tuple[Key, ...]


class Principal:
    """Who makes a request: `key:<id>` in logs and audit."""

    def __init__(self, key: Key) -> None:
        self.name = f"key:{key.id}"
        self._scopes = frozenset(key.scopes)

    def require(self, scopes: Iterable[Scope]) -> None:
        """
        Raises:
            Forbidden: a scope is missing; the message names it.
        """
        for scope in scopes:
            if scope not in self._scopes:
                raise Forbidden(f"The API key lacks the scope {scope}.")


class ApiKeys:
    """The keys of a file. One that cannot be read or parsed leaves the old keys valid, in log and metric."""

    def __init__(self, path: Path | None, loaded: Gauge) -> None:
        self._path = path
        self._loaded = loaded
        self._keys: tuple[tuple[Key, Principal], ...] = ()
        self._signature: tuple[int, int, int] | None = None
        self._checked = -RECHECK_SECONDS
        self._failing = False

    def authenticate(self, authorization: Sequence[str]) -> Principal:
        """
        Raises:
            Unauthenticated: there is no key, or more than one, or none that is valid now.
        """
        self.refresh()
        scheme, _, token = (authorization[0] if len(authorization) == 1 else "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("Send an API key as `Authorization: Bearer <key>`.")
        digest = hashlib.sha256(token.strip().encode("latin-1")).hexdigest()
        # Every key is compared, in constant time, so that the time tells nothing of which one was near.
        matching = [known for known in self._keys if hmac.compare_digest(known[0].sha256, digest)]
        if not matching:
            raise Unauthenticated("The API key is not valid.")
        key, principal = matching[0]
        if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
            raise Unauthenticated("The API key has expired.")
        return principal

    def refresh(self) -> None:
        """Re-read the file if it has changed; looks at most every `RECHECK_SECONDS`."""
        if self._path is None or time.monotonic() - self._checked < RECHECK_SECONDS:
            return
        self._checked = time.monotonic()
        try:
            status = self._path.stat()
            signature = (status.st_ino, status.st_mtime_ns, status.st_size)
            if signature == self._signature:
                return
            keys = KeysFile.model_validate_json(self._path.read_bytes()).keys
            self._keys = tuple((key, Principal(key)) for key in keys)
        except (OSError, ValidationError) as error:
            if not self._failing:
                logger.error("the API keys file cannot be used, the old keys stay valid: %s", _one_line(error))
            self._failing = True
            self._loaded.set(0)
            return
        self._failing = False
        self._signature = signature
        self._loaded.set(1)
        logger.info("read %d API keys", len(self._keys))


def _one_line(error: OSError | ValidationError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}"
