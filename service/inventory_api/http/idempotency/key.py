"""What an Idempotency-Key is, and which request it stands for (draft-ietf-httpapi-idempotency-key-header)."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from inventory_api.errors import Detail, ValidationFailure

HEADER = "Idempotency-Key"
KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"
# As it is sent.
KEY_FORM = r"^(?!\"\"$)([\x21-\x7e]{1,255}|\"[\x21-\x7e]{1,255}\")$"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of one principal. `fingerprint` is of the request that it came with."""

    principal: str
    value: str
    fingerprint: bytes


def parse(lines: Sequence[str]) -> str:
    """The key, without the quotes that the draft's form has: with and without them it is the same.

    Raises:
        ValidationFailure: there are several, or it is not 1 to 255 visible ASCII characters.
    """
    value = lines[0].strip() if len(lines) == 1 else ""
    quoted = len(value) > 1 and value.startswith('"') and value.endswith('"')
    value = value[1:-1] if quoted else value
    if not re.fullmatch(KEY_PATTERN, value):
        message = "It must be one header of 1 to 255 visible ASCII characters."
        raise ValidationFailure(details=[Detail(("header", HEADER), "idempotency_key", message)])
    return value


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    """Of what must be the same when a key is sent again; each part with its length, so that none passes for another."""
    parts = (method.encode(), path.encode(), body)
    return hashlib.sha256(b"".join(len(part).to_bytes(8) + part for part in parts)).digest()
