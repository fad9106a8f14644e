"""Runs an effect once for a key, however often it is asked for."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from prometheus_client import Counter
from pydantic import BaseModel
from starlette.responses import Response

from inventory_api.database.session import Session
from inventory_api.database.transaction import in_transaction
from inventory_api.errors import DependencyUnavailable, IdempotencyInProgress, IdempotencyKeyReused
from inventory_api.http.idempotency import records
from inventory_api.http.idempotency.key import Key
from inventory_api.http.idempotency.records import Answer

REPLAYED = "Idempotent-Replayed"
WAIT_SECONDS = 2.0
# Between one look and the next, the last again and again.
PAUSES_SECONDS = (0.05, 0.1, 0.2)
Effect = Callable[[], Awaitable[Answer]]
T = TypeVar("T")


class _InProgress(Exception):
    """Another request with this key is being worked on, or has just been answered."""


def answering(
    change: Callable[[], Awaitable[T]], view: Callable[[T], BaseModel], path: Callable[[T], str] | None = None
) -> Effect:
    """The effect that makes the change and answers with its view: 201 with the `path` of what was made, else 200."""

    async def answer() -> Answer:
        changed = await change()
        return Answer(201 if path else 200, view(changed).model_dump_json(), path(changed) if path else None)

    return answer


class Idempotency:
    """The key of one request; without one, its effect simply runs."""

    def __init__(self, key: Key | None, results: Counter) -> None:
        self._key = key
        self._results = results

    async def run(self, session: Session, effect: Effect) -> Response:
        """The effect's answer, or that which it had before. Both commit together, before this returns.

        A duplicate waits up to `WAIT_SECONDS` for the first, without a connection.

        Raises:
            IdempotencyInProgress: the first was not answered in that time.
            IdempotencyKeyReused: the key was used for another request.
            DependencyUnavailable: nor was it known in that time whether there is a first.
        """
        if self._key is None:
            return _response(await effect(), is_replayed=False)
        is_duplicate = False
        try:
            async with asyncio.timeout(WAIT_SECONDS) as waiting:
                for pause in itertools.chain(PAUSES_SECONDS, itertools.repeat(PAUSES_SECONDS[-1])):
                    with suppress(_InProgress):
                        return await self._try(session, self._key, effect, waiting)
                    is_duplicate = True
                    await session.give_back()
                    await asyncio.sleep(pause)
        except TimeoutError as error:
            if not waiting.expired():
                raise
            if not is_duplicate:
                raise DependencyUnavailable("The database did not answer in time.") from error
            self._results.labels(result="in_progress").inc()
            raise IdempotencyInProgress from error
        except IdempotencyKeyReused:
            self._results.labels(result="reused").inc()
            raise
        raise AssertionError("unreachable")

    async def _try(self, session: Session, key: Key, effect: Effect, waiting: asyncio.Timeout) -> Response:
        answer, is_replayed = await _once(session, key, effect, waiting)
        self._results.labels(result="replayed" if is_replayed else "executed").inc()
        return _response(answer, is_replayed=is_replayed)


@in_transaction
async def _once(session: Session, key: Key, effect: Effect, waiting: asyncio.Timeout) -> tuple[Answer, bool]:
    """The answer, and whether it is that of an earlier request."""
    claim = await records.claim(session, key)
    if claim is None:
        raise _InProgress
    waiting.reschedule(None)  # From here on it is the request's deadline that counts.
    if claim.answer is not None:
        if claim.fingerprint != key.fingerprint:
            raise IdempotencyKeyReused
        return claim.answer, True
    answer = await effect()
    if not await records.insert(session, key, answer):
        raise _InProgress
    return answer, False


def _response(answer: Answer, *, is_replayed: bool) -> Response:
    headers = {"Location": answer.location} if answer.location else {}
    if is_replayed:
        headers[REPLAYED] = "true"
    return Response(answer.body, answer.status, headers, "application/json")
