"""The audit of everything over HTTP."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response

from inventory_api import audit
from inventory_api.errors import InvalidCursor
from inventory_api.http import pages
from inventory_api.http.audit_schemas import AuditEntryView, AuditPage, AuditQuery
from inventory_api.http.deps import BorrowedSession
from inventory_api.http.openapi import error_responses
from inventory_api.http.responses import json_response
from inventory_api.http.routing import Route, requires

router = APIRouter(prefix="/audit", tags=["audit"], route_class=Route)


@router.get("", response_model=AuditPage, responses=error_responses(InvalidCursor))
@requires("audit:read")
async def list_audit(session: BorrowedSession, query: Annotated[AuditQuery, Query()]) -> Response:
    """Every change of everything, newest first."""
    bound_to = {"list": "audit", **query.model_dump(include={"resource", "actor", "request_id"})}
    find = partial(audit.page, session, query.filters())
    shown, next_cursor = await pages.turn(query, pages.NEWEST_FIRST, bound_to, find)
    return json_response(AuditPage(items=[AuditEntryView.of(entry) for entry in shown], next_cursor=next_cursor))
