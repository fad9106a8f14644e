"""Signatures that receivers verify by the library of the specification."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from inventory_api.webhooks import signing

BODY = '{"type": "order.created", "data": {"name": "K\u00f6ln"}}'


def test_a_secret_is_32_random_bytes_in_the_form_of_the_specification() -> None:
    first, second = signing.new_secret(), signing.new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-7))])
def test_it_verifies_whatever_the_offset_of_the_time(zone: timezone) -> None:
    key = signing.new_secret()
    made = signing.headers("msg-1", datetime.now(zone), BODY, [key])
    assert made["webhook-id"] == "msg-1"
    assert Webhook(key).verify(BODY, made)["type"] == "order.created"


def test_while_secrets_change_it_verifies_by_either_and_by_no_other() -> None:
    old, new = signing.new_secret(), signing.new_secret()
    made = signing.headers("msg-1", datetime.now(UTC), BODY, [new, old])
    for key in (old, new):
        Webhook(key).verify(BODY, made)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret()).verify(BODY, made)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(BODY + " ", made)
