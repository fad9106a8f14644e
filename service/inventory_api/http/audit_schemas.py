"""The payload of audit pages."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from inventory_api.audit import Entry, Filters
from inventory_api.http.pages import FilterText, PageQuery
from inventory_api.http.schemas import UtcDatetime, example


class AuditEntryView(BaseModel):
    """One change: `changes` holds exactly the fields that changed, with their values before and after."""

    model_config = example(
        id="01a20a1b-7d90-7c11-8e6f-4dad6b7c8e21", resource="item:BOLT-M8", action="patch",
        changes={"name": {"before": "Bolt M8", "after": "Bolt M8 x 40"}},
        actor="key:warehouse", request_id="01a20a1b-7d82-73dc-b78a-69813c3423f9",
        trace_id="d4eb709b751e68b6d33b18db4c0c656d", created_at="2026-03-02T09:30:00.000000Z",
    )  # fmt: skip

    id: UUID
    resource: str
    action: str
    changes: dict[str, dict[str, Any]]
    actor: str
    request_id: str
    trace_id: str | None
    created_at: UtcDatetime

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls.model_validate(entry, from_attributes=True)


class AuditQuery(PageQuery):
    """The filters of the audit; all that are given narrow the list."""

    resource: Annotated[FilterText | None, Field(examples=["item:BOLT-M8"])] = None
    actor: Annotated[FilterText | None, Field(examples=["key:shop"])] = None
    request_id: FilterText | None = None

    def filters(self) -> Filters:
        return Filters(self.resource, self.actor, self.request_id)


class AuditPage(BaseModel):
    """Newest first."""

    items: list[AuditEntryView]
    next_cursor: str | None
