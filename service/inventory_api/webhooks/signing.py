"""Signatures by the Standard Webhooks specification, and the secrets that they are made with."""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

SECRET_BYTES = 32
PREFIX = "whsec_"


def new_secret() -> str:
    """As the specification has it: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(webhook_id: str, moment: datetime, body: str, keys: Sequence[str]) -> dict[str, str]:
    """Those of one delivery. With several secrets, while one takes the place of another, a signature by each.

    Args:
        moment: with a time zone, of any offset.
    """
    # The library takes the clock's reading as UTC, whatever its offset.
    timestamp = moment.astimezone(UTC)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(timestamp.timestamp())),
        "webhook-signature": " ".join(Webhook(key).sign(webhook_id, timestamp, body) for key in keys),
    }
