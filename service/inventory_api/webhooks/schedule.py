"""When a delivery that failed is tried again, and for how long an endpoint is left alone that asks for it. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

MINUTE, HOUR = 60.0, 3600.0
# Before each attempt, in seconds: three days, most of it towards the end.
DELAYS = (0.0, 5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
SPREAD = 0.2
# Who asks for more is asked again after that.
MAX_RETRY_AFTER_SECONDS = 24 * HOUR
MAX_ASKED_PAUSE_SECONDS = HOUR
# With these, Retry-After is of all requests, not of this one.
ASKS_FOR_PAUSE = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Schedule:
    """`delays` before each attempt, the first included."""

    delays: Sequence[float] = DELAYS

    @property
    def retries(self) -> int:
        return len(self.delays) - 1

    def retry_seconds(self, retries_left: int, asked_seconds: float | None = None) -> float | None:
        """Until the next attempt, spread by a fifth both ways, and not before it is asked for; None: there is none."""
        if retries_left <= 0:
            return None
        delay = self.delays[max(len(self.delays) - retries_left, 1)] if self.retries else 0.0
        spread = delay * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 -- spreads, hides nothing
        return max(spread, min(asked_seconds or 0.0, MAX_RETRY_AFTER_SECONDS))


def pause_seconds(status: int, asked_seconds: float | None) -> float | None:
    """For how long nothing is to be sent to who answers so."""
    if asked_seconds is None or status not in ASKS_FOR_PAUSE:
        return None
    return min(asked_seconds, MAX_ASKED_PAUSE_SECONDS)


def retry_after_seconds(text: str | None, now: datetime) -> float | None:
    """What a `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or a date; None where it is neither."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return max((moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds(), 0.0)
