"""Dead letters over HTTP."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Response

from inventory_api.errors import InvalidCursor, NotFound
from inventory_api.http import pages
from inventory_api.http.deps import BorrowedSession, RequestProvenance
from inventory_api.http.openapi import error_responses
from inventory_api.http.responses import json_response
from inventory_api.http.routing import Route, requires
from inventory_api.jobs import service
from inventory_api.jobs.schemas import DeadLetterPage, DeadLetterView

router = APIRouter(prefix="/jobs/dead-letters", tags=["jobs"], route_class=Route)

JobId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[4711])]
NEWEST_FIRST = pages.Order(lambda letter: (letter.failed_at, letter.id), (pages.moment, int))


@router.get("", response_model=DeadLetterPage, responses=error_responses(InvalidCursor))
@requires("jobs:admin")
async def list_dead_letters(session: BorrowedSession, page: pages.Page) -> Response:
    """Jobs that are started no more, newest first."""
    filters = {"list": "dead-letters"}
    shown, next_cursor = await pages.turn(page, NEWEST_FIRST, filters, partial(service.page, session))
    return json_response(DeadLetterPage(items=[DeadLetterView.of(one) for one in shown], next_cursor=next_cursor))


@router.post("/{id}/replay", status_code=204, response_class=Response, responses=error_responses(NotFound))
@requires("jobs:admin")
async def replay_dead_letter(
    id: JobId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    provenance: RequestProvenance,
) -> Response:
    """Let a queue worker start it again, as often as a new one."""
    await service.replay(session, id, provenance)
    return Response(status_code=204)


@router.delete("/{id}", status_code=204, response_class=Response, responses=error_responses(NotFound))
@requires("jobs:admin")
async def purge_dead_letter(
    id: JobId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    provenance: RequestProvenance,
) -> Response:
    """Remove it; what it was for is never done."""
    await service.purge(session, id, provenance)
    return Response(status_code=204)
