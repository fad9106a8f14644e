"""What routes ask for."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import WithJsonSchema

from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.errors import IdempotencyKeyRequired
from inventory_api.http.caching import Caching, asks_for_fresh
from inventory_api.http.conditional import Conditions, parse_tags
from inventory_api.http.idempotency import key as keys
from inventory_api.http.idempotency.execution import Idempotency
from inventory_api.http.idempotency.key import KEY_PATTERN
from inventory_api.telemetry import request_context

IF_MATCH = "The ETag that the resource must have, or a list of them."
IF_NONE_MATCH = "ETags that the resource must not have; `*`: it must not exist."
CACHE_CONTROL = "`no-cache`: what is answered was not read before the request came."
IDEMPOTENCY_KEY = (
    "1 to 255 visible ASCII characters. The same request sent again with it, within 24 hours, has no other effect, and "
    "is answered as it was."
)
# Every line of a header counts; what a client sends is text.
KeyLines = Annotated[list[str] | None, WithJsonSchema({"type": "string", "pattern": KEY_PATTERN})]
DirectiveLines = Annotated[list[str] | None, WithJsonSchema({"type": "string"})]
TagLines = Annotated[list[str] | None, WithJsonSchema({"type": "string"})]
CacheControl = Annotated[DirectiveLines, Header(description=CACHE_CONTROL)]
IdempotencyKey = Annotated[KeyLines, Header(description=IDEMPOTENCY_KEY)]


async def _borrow_session(request: Request) -> AsyncIterator[Session]:
    async with request.app.state.resources.database.session() as session:
        yield session


async def _provenance(request: Request) -> Provenance:
    context = request_context.current()
    if context is None:
        raise RuntimeError("a change outside of a request context")
    return Provenance(request.state.principal.name, context.request_id, context.trace_id)


async def _idempotency(request: Request, idempotency_key: IdempotencyKey = None) -> Idempotency:
    key = None
    if idempotency_key is not None:
        fingerprint = keys.fingerprint(request.method, request.url.path, await request.body())
        key = keys.Key(request.state.principal.name, keys.parse(idempotency_key), fingerprint)
    return Idempotency(key, request.app.state.resources.metrics.idempotency)


async def _required_idempotency(request: Request, idempotency_key: IdempotencyKey = None) -> Idempotency:
    if idempotency_key is None:
        raise IdempotencyKeyRequired
    return await _idempotency(request, idempotency_key)


async def _caching(request: Request, cache_control: CacheControl = None) -> Caching:
    return Caching(request.app.state.resources.item_cache, bypass=asks_for_fresh(cache_control or ()))


async def _conditions(
    if_match: Annotated[TagLines, Header(description=IF_MATCH)] = None,
    if_none_match: Annotated[TagLines, Header(description=IF_NONE_MATCH)] = None,
) -> Conditions:
    return Conditions(parse_tags(if_match), parse_tags(if_none_match))


# Scope "function": given back before the response is sent, not after it and its background tasks.
BorrowedSession = Annotated[Session, Depends(_borrow_session, scope="function")]
# Of what must never happen twice, the key is required.
RequestIdempotency = Annotated[Idempotency, Depends(_idempotency)]
RequiredIdempotency = Annotated[Idempotency, Depends(_required_idempotency)]
RequestProvenance = Annotated[Provenance, Depends(_provenance)]
RequestCaching = Annotated[Caching, Depends(_caching)]
RequestConditions = Annotated[Conditions, Depends(_conditions)]
