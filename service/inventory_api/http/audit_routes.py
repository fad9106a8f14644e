"""The audit of everything over HTTP."""

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
    after = pages.decode(query.cursor, bound_to, pages.NEWEST_FIRST)
    found = await audit.page(session, query.filters(), (after[0], after[1]), query.size + 1)
    shown, next_cursor = pages.cut(found, query.size, lambda entry: (entry.created_at, entry.id), bound_to)
    return json_response(AuditPage(items=[AuditEntryView.of(entry) for entry in shown], next_cursor=next_cursor))
