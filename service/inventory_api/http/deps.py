"""What routes ask for."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.errors import IdempotencyKeyRequired
from inventory_api.http.caching import Caching, asks_for_fresh
from inventory_api.http.conditional import Conditions, parse_tags
from inventory_api.http.headers import RequestHeader, reads
from inventory_api.http.idempotency import key as keys
from inventory_api.http.idempotency.execution import Idempotency
from inventory_api.http.idempotency.key import HEADER, KEY_FORM
from inventory_api.http.outcomes import Outcomes
from inventory_api.resources import Resources
from inventory_api.telemetry import request_context
from inventory_api.telemetry.request_context import RequestContext
from inventory_api.webhooks.rules import Rules

IF_MATCH = RequestHeader("If-Match", "The ETag that the resource must have, or a list of them.")
IF_NONE_MATCH = RequestHeader("If-None-Match", "ETags that the resource must not have; `*`: it must not exist.")
CACHE_CONTROL = RequestHeader("Cache-Control", "`no-cache`: what is answered was not read before the request came.")
IDEMPOTENCY_KEY = RequestHeader(
    HEADER,
    "1 to 255 visible ASCII characters, in quotes or without. The same request sent again with it, within 24 hours, "
    "has no other effect, and is answered as it was.",
    KEY_FORM,
)


def resources_of(request: Request) -> Resources:
    """What the process has."""
    resources: Resources = request.app.state.resources
    return resources


def _known() -> tuple[RequestContext, str]:
    """The context of the request, and the name of its principal."""
    context = request_context.current()
    if context is None or context.principal is None:
        raise RuntimeError("a change outside of a request, or by nobody")
    return context, context.principal


async def _borrow_session(request: Request) -> AsyncIterator[Session]:
    async with resources_of(request).database.session() as session:
        yield session


async def _provenance() -> Provenance:
    context, principal = _known()
    return Provenance(principal, context.request_id, context.trace_id)


@reads(IDEMPOTENCY_KEY)
async def _idempotency(request: Request) -> Idempotency:
    key = None
    if lines := IDEMPOTENCY_KEY.lines(request):
        fingerprint = keys.fingerprint(request.method, request.scope["path"], await request.body())
        _, principal = _known()
        key = keys.Key(principal, keys.parse(lines), fingerprint)
    return Idempotency(key, resources_of(request).metrics.idempotency)


@reads(IDEMPOTENCY_KEY.as_required())
async def _required_idempotency(request: Request) -> Idempotency:
    if not IDEMPOTENCY_KEY.lines(request):
        raise IdempotencyKeyRequired
    return await _idempotency(request)


async def _outcomes(request: Request) -> Outcomes:
    return Outcomes(resources_of(request).metrics)


@reads(CACHE_CONTROL)
async def _caching(request: Request) -> Caching:
    resources = resources_of(request)
    bypass = asks_for_fresh(CACHE_CONTROL.lines(request))
    return Caching(resources.item_cache, resources.database, resources.metrics.background_tasks, bypass=bypass)


@reads(IF_MATCH, IF_NONE_MATCH)
async def _conditions(request: Request) -> Conditions:
    return Conditions(parse_tags(IF_MATCH.lines(request)), parse_tags(IF_NONE_MATCH.lines(request)))


async def _webhook_rules(request: Request) -> Rules:
    return resources_of(request).webhook_rules


# Scope "function": given back before the response is sent, not after it and its background tasks.
BorrowedSession = Annotated[Session, Depends(_borrow_session, scope="function")]
# Of what must never happen twice, the key is required.
RequestIdempotency = Annotated[Idempotency, Depends(_idempotency)]
RequiredIdempotency = Annotated[Idempotency, Depends(_required_idempotency)]
Counting = Annotated[Outcomes, Depends(_outcomes)]
RequestProvenance = Annotated[Provenance, Depends(_provenance)]
RequestCaching = Annotated[Caching, Depends(_caching)]
WebhookRules = Annotated[Rules, Depends(_webhook_rules)]
RequestConditions = Annotated[Conditions, Depends(_conditions)]
