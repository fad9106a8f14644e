"""What routes ask for."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Request

from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.http.conditional import Conditions, parse_tags
from inventory_api.telemetry import request_context

IF_MATCH = "The ETag that the resource must have, or a list of them."
IF_NONE_MATCH = "ETags that the resource must not have; `*`: it must not exist."


async def _borrow_session(request: Request) -> AsyncIterator[Session]:
    async with request.app.state.resources.database.session() as session:
        yield session


async def _provenance(request: Request) -> Provenance:
    context = request_context.current()
    if context is None:
        raise RuntimeError("a change outside of a request context")
    return Provenance(request.state.principal.name, context.request_id, context.trace_id)


async def _conditions(
    if_match: Annotated[list[str] | None, Header(description=IF_MATCH)] = None,
    if_none_match: Annotated[list[str] | None, Header(description=IF_NONE_MATCH)] = None,
) -> Conditions:
    return Conditions(parse_tags(if_match), parse_tags(if_none_match))


# Scope "function": given back before the response is sent, not after it and its background tasks.
BorrowedSession = Annotated[Session, Depends(_borrow_session, scope="function")]
RequestProvenance = Annotated[Provenance, Depends(_provenance)]
RequestConditions = Annotated[Conditions, Depends(_conditions)]
