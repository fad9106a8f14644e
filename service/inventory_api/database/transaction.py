"""Whole transactions, begun again where PostgreSQL says that another try can succeed."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import asyncpg

from inventory_api.database.session import LostBeforeFirstStatement, Session
from inventory_api.errors import DependencyUnavailable

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

RETRIES = 2
JITTER_SECONDS = 0.05
# All of them before COMMIT: what was sent with it may have happened.
RETRYABLE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, LostBeforeFirstStatement)


def in_transaction(
    function: Callable[Concatenate[Session, P], Awaitable[T]],
) -> Callable[Concatenate[Session, P], Coroutine[Any, Any, T]]:
    """Run the function in one transaction; again, at most twice, after a deadlock or a serialization failure.

    Within a transaction it becomes a part of that one, which then begins again as a whole. The function must have no
    effect but on the session. Raises what it raises, and `DependencyUnavailable` where the last try failed too.
    """

    @wraps(function)
    async def run(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if session.is_in_transaction:
            return await function(session, *args, **kwargs)
        for attempt in range(RETRIES + 1):
            try:
                async with session.transaction():
                    return await function(session, *args, **kwargs)
            except RETRYABLE as error:
                if attempt == RETRIES:
                    raise DependencyUnavailable("The change collided with others; send it again.") from error
                logger.info("%s begins again after %s", function.__name__, type(error).__name__)
            await asyncio.sleep(random.uniform(0, JITTER_SECONDS * 2**attempt))  # noqa: S311 -- spreads, hides nothing
        raise AssertionError("unreachable")

    return run
