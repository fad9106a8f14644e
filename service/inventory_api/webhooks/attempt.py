"""One attempt, from what was claimed to what came of it, whatever that is."""

import logging
import time
from http import HTTPStatus

from inventory_api.webhooks import schedule, signing
from inventory_api.webhooks.claims import Claim
from inventory_api.webhooks.recording import Result
from inventory_api.webhooks.rules import Rules
from inventory_api.webhooks.sending import Answer, NotAnswered, Sender
from inventory_api.webhooks.snippet import snippet
from inventory_api.webhooks.url import UrlRefused, parse

logger = logging.getLogger(__name__)


async def make(claim: Claim, sender: Sender, rules: Rules) -> Result:
    """Send it, and judge the answer. A defect of this service is a failure like any other, and is logged."""
    started = time.perf_counter()
    try:
        url = parse(claim.url, admit_loopback=rules.admit_loopback)
        headers = signing.headers(str(claim.event_id), claim.moment, claim.body, claim.secrets)
        answer = await sender.post(url, headers, claim.body)
        return _judged(claim, answer, rules, time.perf_counter() - started)
    except NotAnswered as error:
        reason = error.reason
    except UrlRefused:
        reason = "address refused"
    except Exception:
        logger.exception("a defect kept a webhook from being sent, or its answer from being read")
        reason = "defect"
    return Result(
        claim=claim,
        status_code=None,
        reason=reason,
        response=None,
        duration_seconds=time.perf_counter() - started,
        is_delivered=False,
        retry_seconds=rules.schedule.retry_seconds(claim.retries_left),
    )


def _judged(claim: Claim, answer: Answer, rules: Rules, seconds: float) -> Result:
    is_gone = answer.status == HTTPStatus.GONE
    asked = schedule.retry_after_seconds(answer.retry_after, claim.moment)
    is_last = answer.is_success or is_gone
    return Result(
        claim=claim,
        status_code=answer.status,
        reason=None,
        response=snippet(answer.body),
        duration_seconds=seconds,
        is_delivered=answer.is_success,
        retry_seconds=None if is_last else rules.schedule.retry_seconds(claim.retries_left, asked),
        retry_after_seconds=schedule.pause_seconds(answer.status, asked),
        is_gone=is_gone,
    )
