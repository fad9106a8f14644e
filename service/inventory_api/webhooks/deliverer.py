"""Sends what is due, many at once, until it is told to stop; one loop alone talks to the database."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Status, StatusCode

from inventory_api.audit import Provenance
from inventory_api.database.pool import Database
from inventory_api.database.session import Session
from inventory_api.database.transaction import in_transaction
from inventory_api.telemetry import request_context
from inventory_api.telemetry.metrics import Metrics
from inventory_api.telemetry.request_context import RequestContext
from inventory_api.webhooks import attempt, claims, recording, service
from inventory_api.webhooks.claims import Claim
from inventory_api.webhooks.model import DisabledReason
from inventory_api.webhooks.recording import Result
from inventory_api.webhooks.rules import Rules
from inventory_api.webhooks.sending import Sender

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
PAUSE_SECONDS = 1.0
# What is being sent is claimed anew so many times before its claim would lapse.
RENEWALS = 3
SENDER = "system:webhooks"


class Deliverer:
    """`await run()`; `stop()` lets what is being sent come to its end, `hand_back()` leaves it to others."""

    def __init__(
        self,
        database: Database,
        sender: Sender,
        metrics: Metrics,
        rules: Rules,
        *,
        at_once: int,
        heartbeat_seconds: float,
    ) -> None:
        self._database = database
        self._sender = sender
        self._metrics = metrics
        self._rules = rules
        self._at_once = at_once
        self._heartbeat_seconds = heartbeat_seconds
        self._renewed = time.monotonic()
        self._sending: dict[asyncio.Task[None], Claim] = {}
        self._results: list[Result] = []
        self._news = asyncio.Event()
        self._stopping = self._ending = False

    async def run(self) -> None:
        """Until stopped, and all that was begun is recorded; a database that is gone is waited for."""
        while not (self._stopping and not self._sending and not self._results):
            try:
                await self._turn()
            except Exception as error:
                self._metrics.queue_failures.inc()
                logger.warning("webhooks cannot be claimed or recorded: %s", str(error) or type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)

    def stop(self) -> None:
        """Claim no more."""
        self._stopping = True
        self._news.set()

    def wake(self) -> None:
        """Something may be due."""
        self._news.set()

    async def hand_back(self) -> None:
        """What is still being sent is for other workers to send; may be called after `stop`."""
        self._ending = True
        given_up = [*self._sending.values()]
        for task in [*self._sending]:
            task.cancel()
        if not given_up:
            return
        try:
            async with self._database.session() as session:
                count = await claims.hand_back(session, given_up)
            logger.info("%d webhooks are handed back, as this worker ends", count)
        except Exception:
            logger.warning("%d webhooks are sent by others when their claims have ended", len(given_up), exc_info=True)

    async def _turn(self) -> None:
        """Record what has come, keep what is being sent, claim as many as there is room for, and wait for news."""
        self._news.clear()
        found: list[Claim] = []
        async with self._database.session() as session:
            if self._results:
                await self._record(session)
            await self._renew(session)
            if not self._stopping:
                found = await self._claim(session)
            if found and self._ending:
                await claims.hand_back(session, found)
                found = []
        for claim in found:
            if claim.is_spent:
                self._give_up(claim)
                continue
            task = asyncio.create_task(self._deliver(claim), name="webhook")
            self._sending[task] = claim
            task.add_done_callback(self._ended)
        # There may be more than there was room for.
        if not found or len(self._sending) >= self._at_once:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), POLL_SECONDS)

    def _give_up(self, claim: Claim) -> None:
        self._metrics.webhook_deliveries.labels(outcome="failed").inc()
        self._metrics.webhook_attempts.observe(claim.number)
        logger.error("webhook given up: its worker has ended at its last try", extra=_named(claim))

    async def _renew(self, session: Session) -> None:
        """If it is time to."""
        if time.monotonic() - self._renewed < self._heartbeat_seconds / RENEWALS:
            return
        if sending := [*self._sending.values()]:
            await claims.renew(session, sending, self._heartbeat_seconds)
        self._renewed = time.monotonic()

    async def _claim(self, session: Session) -> list[Claim]:
        """As many as there is room for. Endpoints that fail or are slow have half of it: no more, so that others find
        room, and no less, so that they come to be well again whatever others have to be sent.
        """
        room = self._at_once - len(self._sending)
        unwell = sum(not claim.is_well for claim in self._sending.values())
        found: list[Claim] = []
        if half := max(min(room, self._at_once // 2 - unwell), 0):
            found += await claims.claim(session, half, self._heartbeat_seconds, is_well=False)
        if left := room - len(found):
            found += await claims.claim(session, left, self._heartbeat_seconds, is_well=True)
        return found

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self._news.set()

    async def _record(self, session: Session) -> None:
        results = [*self._results]
        for endpoint_id, reason in await _recorded(session, results):
            self._metrics.webhook_endpoints_disabled.labels(reason=reason).inc()
            logger.warning("a webhook endpoint is disabled: %s", reason, extra={"webhook.endpoint": str(endpoint_id)})
        del self._results[: len(results)]
        for result in results:
            outcome = _outcome(result)
            self._metrics.webhook_deliveries.labels(outcome=outcome).inc()
            if outcome != "retried":
                self._metrics.webhook_attempts.observe(result.claim.number)

    async def _deliver(self, claim: Claim) -> None:
        """Within its trace and under its request id."""
        token = request_context.enter(RequestContext(claim.request_id, claim.trace_id, SENDER))
        carrier = {"traceparent": claim.traceparent} if claim.traceparent else {}
        try:
            with self._database.tracer.start_as_current_span(
                "webhook deliver",
                context=extract(carrier),
                kind=trace.SpanKind.CLIENT,
                attributes={
                    "app.request_id": claim.request_id,
                    "messaging.message.id": str(claim.event_id),
                    "webhook.endpoint": str(claim.endpoint_id),
                    "webhook.delivery": str(claim.delivery_id),
                    "http.request.method": "POST",
                    "http.request.resend_count": claim.number - 1,
                },
            ) as span:
                result = await attempt.make(claim, self._sender, self._rules)
                if result.status_code is not None:
                    span.set_attribute("http.response.status_code", result.status_code)
                if not result.is_delivered:
                    span.set_status(Status(StatusCode.ERROR, result.reason))
                _log(result)
            self._metrics.webhook_attempt_duration.observe(result.duration_seconds)
            self._results.append(result)
        finally:
            request_context.leave(token)


@in_transaction
async def _recorded(session: Session, results: Sequence[Result]) -> list[tuple[UUID, DisabledReason]]:
    """The endpoints that are disabled by it, and why."""
    disabled: list[tuple[UUID, DisabledReason]] = []
    for endpoint_id, reason in (await recording.record(session, results)).items():
        last = [result.claim for result in results if result.claim.endpoint_id == endpoint_id][-1]
        if await service.disable(session, endpoint_id, reason, Provenance(SENDER, last.request_id, last.trace_id)):
            disabled.append((endpoint_id, reason))
    return disabled


def _outcome(result: Result) -> str:
    if result.is_delivered:
        return "delivered"
    return "failed" if result.retry_seconds is None else "retried"


def _named(claim: Claim) -> dict[str, object]:
    return {
        "webhook.id": str(claim.event_id),
        "webhook.endpoint": str(claim.endpoint_id),
        "webhook.delivery": str(claim.delivery_id),
        "event.type": claim.event_type,
    }


def _log(result: Result) -> None:
    extra = {
        **_named(result.claim),
        "webhook.attempt": result.claim.number,
        "http.response.status_code": result.status_code,
        "duration_ms": round(result.duration_seconds * 1000, 2),
    }
    if result.is_delivered:
        logger.info("webhook delivered", extra=extra)
        return
    then = "given up" if result.retry_seconds is None else f"tried again in {result.retry_seconds:.0f} s"
    why = result.reason or f"status {result.status_code}"
    logger.warning("webhook not delivered (%s), %s", why, then, extra=extra)
