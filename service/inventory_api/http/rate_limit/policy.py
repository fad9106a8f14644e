"""What `INVENTORY_RATE_LIMIT` says, and the headers that tell it (draft-ietf-httpapi-ratelimit-headers-10)."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from limits import parse_many

# Far from where Redis's and the headers' integers end.
MAX_QUOTA = 1_000_000_000
MAX_WINDOW_SECONDS = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `quota` requests in `window_seconds`. `name` is one of the metric's `RATE_LIMIT_POLICIES`."""

    name: str
    quota: int
    window_seconds: int


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a policy a principal has used, and the seconds until all of it is there again."""

    policy: Policy
    used: int
    reset_seconds: float

    @property
    def remaining(self) -> int:
        return max(self.policy.quota - self.used, 0)

    @property
    def wait_seconds(self) -> int:
        """Whole seconds, rounded up: who comes back after them is admitted."""
        return max(math.ceil(self.reset_seconds), 1)


def parse_policies(text: str) -> tuple[Policy, ...]:
    """Such as `600/minute`, `5 per 2 seconds`, or several joined by `;`, each by another unit.

    Raises:
        ValueError: it is none, allows nothing, or has two by the same unit.
    """
    try:
        items = parse_many(text)
    except ValueError as error:
        raise ValueError("must be limits such as 600/minute, joined by ; where there are several") from error
    if not all(1 <= item.amount <= MAX_QUOTA and item.get_expiry() <= MAX_WINDOW_SECONDS for item in items):
        raise ValueError(f"a limit must allow from 1 to {MAX_QUOTA} requests, in at most a year")
    units = Counter(item.GRANULARITY.name for item in items)
    if max(units.values()) > 1:
        raise ValueError(f"only one limit by the {units.most_common(1)[0][0]}")
    names = ["default"] if len(items) == 1 else [item.GRANULARITY.name for item in items]
    return tuple(Policy(name, item.amount, item.get_expiry()) for name, item in zip(names, items, strict=True))


def headers(usages: Sequence[Usage]) -> dict[str, str]:
    """`RateLimit-Policy`: quota and window in seconds of each; `RateLimit`: what remains, and for how long."""
    return {
        "RateLimit-Policy": ", ".join(
            f'"{usage.policy.name}";q={usage.policy.quota};w={usage.policy.window_seconds}' for usage in usages
        ),
        "RateLimit": ", ".join(f'"{usage.policy.name}";r={usage.remaining};t={usage.wait_seconds}' for usage in usages),
    }
