"""The payloads of endpoints and deliveries."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import MISSING, AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from inventory_api import codec
from inventory_api.events import EventType
from inventory_api.http.pages import PageQuery
from inventory_api.http.schemas import StrictModel, Text, UtcDatetime, example
from inventory_api.webhooks.deliveries import Filters
from inventory_api.webhooks.model import (
    Attempt,
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    EndpointStatus,
    SentType,
)
from inventory_api.webhooks.url import MAX_LENGTH

URL = "https://partner.example/hooks/inventory"
ENDPOINT_ID, DELIVERY_ID = "01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10", "01a20a1b-7d82-73dc-b78a-69813c3423f9"
EVENT_ID = "01a20a1b-7d80-7a55-8a3e-0f4c1c7d2b61"
MOMENT = "2026-03-01T08:00:00.000000Z"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105 -- of the example


def _distinct(types: list[EventType]) -> list[EventType]:
    if len({*types}) < len(types):
        raise PydanticCustomError("duplicate", "No event may be named twice.")
    return types


EndpointUrl = Annotated[
    str, Field(min_length=1, max_length=MAX_LENGTH, description="https, to a public address.", examples=[URL])
]
EventTypes = Annotated[
    list[EventType],
    Field(min_length=1, json_schema_extra={"uniqueItems": True}, examples=[["order.created"]]),
    AfterValidator(_distinct),
]


class EndpointCreation(StrictModel):
    """Where to send what."""

    model_config = example(url=URL, events=["order.created", "order.cancelled"], description="The shop")

    url: EndpointUrl
    events: EventTypes
    description: Text | None = None


class EndpointPatch(StrictModel):
    """PATCH: any non-empty subset. A field that is absent is not touched; only `description` may be null."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "examples": [{"status": "disabled"}]})

    url: EndpointUrl | MISSING = MISSING
    events: EventTypes | MISSING = MISSING
    description: Text | MISSING | None = MISSING
    status: (
        Annotated[
            EndpointStatus,
            Field(
                description="Enabled again, it is sent what waited, but nothing of what happened while it was disabled."
            ),
        ]
        | MISSING
    ) = MISSING


class EndpointView(BaseModel):
    """An endpoint. `failures` are those in a row; `paused_until`: nothing is sent before that, because of them."""

    model_config = example(
        id=ENDPOINT_ID, url=URL, events=["order.created", "order.cancelled"], description="The shop", status="disabled",
        disabled_reason="failing", failures=31, failing_since=MOMENT, paused_until=MOMENT, previous_secret_until=MOMENT,
        version=2, created_at=MOMENT, updated_at=MOMENT,
    )  # fmt: skip

    id: UUID
    url: str
    events: list[EventType]
    description: str | None
    status: EndpointStatus
    disabled_reason: Annotated[
        DisabledReason | None,
        Field(description="By a PATCH; it answered 410; it took nothing for five days and ten attempts."),
    ]
    failures: int
    failing_since: UtcDatetime | None
    paused_until: UtcDatetime | None
    previous_secret_until: Annotated[
        UtcDatetime | None, Field(description="Until then, what is sent is signed with both secrets.")
    ]
    version: int
    created_at: UtcDatetime
    updated_at: UtcDatetime

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        return cls.model_validate(endpoint, from_attributes=True)


class EndpointWithSecret(EndpointView):
    """Also what its signatures are verified with; it is not told again."""

    model_config = example(
        id=ENDPOINT_ID, url=URL, events=["order.created", "order.cancelled"], description="The shop", status="disabled",
        disabled_reason="failing", failures=31, failing_since=MOMENT, paused_until=MOMENT, previous_secret_until=MOMENT,
        version=2, created_at=MOMENT, updated_at=MOMENT, secret=SECRET,
    )  # fmt: skip

    secret: str

    @classmethod
    def with_secret(cls, endpoint: Endpoint, secret: str) -> Self:
        return cls(**EndpointView.of(endpoint).model_dump(), secret=secret)


class EndpointPage(BaseModel):
    """Newest first."""

    items: list[EndpointView]
    next_cursor: str | None


class EventRef(BaseModel):
    """`id` is the `webhook-id`."""

    id: UUID
    type: SentType


class DeliveryView(BaseModel):
    """An event on its way to an endpoint. `attempt_count` includes the one that is being made."""

    model_config = example(
        id=DELIVERY_ID, endpoint=ENDPOINT_ID, event={"id": EVENT_ID, "type": "order.created"}, status="pending",
        attempt_count=1, next_attempt_at=MOMENT, request_id="01a20a1b-7d82-73dc-b78a-69813c3423f9",
        trace_id="d4eb709b751e68b6d33b18db4c0c656d", created_at=MOMENT, updated_at=MOMENT,
    )  # fmt: skip

    id: UUID
    endpoint: UUID
    event: EventRef
    status: Annotated[
        DeliveryStatus,
        Field(description="`failed`: it is not tried any more; `cancelled`: its endpoint was deleted."),
    ]
    attempt_count: int
    next_attempt_at: UtcDatetime | None
    request_id: Annotated[str, Field(description="Of the request by which it happened.")]
    trace_id: str | None
    created_at: UtcDatetime
    updated_at: UtcDatetime

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(**_delivery_fields(delivery))


class AttemptView(BaseModel):
    """One request. Without a status code and a reason it is being made."""

    model_config = example(
        number=1, started_at=MOMENT, duration_ms=41.7, status_code=503, reason="worker ended", response="busy"
    )  # fmt: skip

    number: int
    started_at: UtcDatetime
    duration_ms: float | None
    status_code: int | None
    reason: Annotated[str | None, Field(description="Why there was no answer.", examples=["timeout"])]
    response: Annotated[str | None, Field(description="How the answer began, without what may be a secret.")]

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        return cls.model_validate(attempt, from_attributes=True)


class DeliveryDetail(DeliveryView):
    """Also what is sent, and the last 100 attempts to, newest first."""

    model_config = example(
        id=DELIVERY_ID, endpoint=ENDPOINT_ID, event={"id": EVENT_ID, "type": "order.created"}, status="pending",
        attempt_count=1, next_attempt_at=MOMENT, request_id="01a20a1b-7d82-73dc-b78a-69813c3423f9",
        trace_id="d4eb709b751e68b6d33b18db4c0c656d", created_at=MOMENT, updated_at=MOMENT,
        body={"type": "order.created", "timestamp": MOMENT, "data": {}},
        attempts=[{"number": 1, "started_at": MOMENT, "duration_ms": 41.7, "status_code": 503,
                   "reason": "worker ended", "response": "busy"}],
    )  # fmt: skip

    body: dict[str, Any]
    attempts: list[AttemptView]

    @classmethod
    def with_attempts(cls, delivery: Delivery, attempts: list[Attempt]) -> Self:
        made = [AttemptView.of(one) for one in attempts]
        return cls(**_delivery_fields(delivery), body=codec.decode(delivery.event.body), attempts=made)


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    endpoint: UUID | None = None
    status: DeliveryStatus | None = None
    event: SentType | None = None

    def filters(self) -> Filters:
        return Filters(self.endpoint, self.status, self.event)


class DeliveryPage(BaseModel):
    """Newest first."""

    items: list[DeliveryView]
    next_cursor: str | None


def _delivery_fields(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "endpoint": delivery.endpoint_id,
        "event": {"id": delivery.event.id, "type": delivery.event.type},
        "status": delivery.status,
        "attempt_count": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "request_id": delivery.event.request_id,
        "trace_id": delivery.event.trace_id,
        "created_at": delivery.created_at,
        "updated_at": delivery.updated_at,
    }
