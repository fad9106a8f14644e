"""The payloads of dead letters."""

from typing import Any, Self

from pydantic import BaseModel

from inventory_api.http.schemas import UtcDatetime, example
from inventory_api.jobs.queries import DeadLetter


class DeadLetterView(BaseModel):
    """A job that is started no more. `error` is that of its last start; `payload` is what it was for."""

    model_config = example(
        id=4711, entrypoint="event", starts=10, error="ConnectionError: refused", actor="key:shop",
        payload={"type": "order.created", "data": {"id": "01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10"}},
        request_id="01a20a1b-7d82-73dc-b78a-69813c3423f9", trace_id="d4eb709b751e68b6d33b18db4c0c656d",
        created_at="2026-03-01T08:00:00.000000Z", failed_at="2026-03-01T08:40:00.000000Z",
    )  # fmt: skip

    id: int
    entrypoint: str
    starts: int
    error: str | None
    payload: Any
    actor: str | None
    request_id: str | None
    trace_id: str | None
    created_at: UtcDatetime
    failed_at: UtcDatetime

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        return cls.model_validate(letter, from_attributes=True)


class DeadLetterPage(BaseModel):
    """Newest first."""

    items: list[DeadLetterView]
    next_cursor: str | None
