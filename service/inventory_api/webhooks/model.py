"""Endpoints, what is delivered to them, and each attempt to, as the service sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from inventory_api.events import EventType

# What /test sends; nobody subscribes to it.
TEST = "webhook.test"
SentType = EventType | Literal["webhook.test"]

EndpointStatus = Literal["enabled", "disabled"]
DisabledReason = Literal["requested", "gone", "failing"]
DeliveryStatus = Literal["pending", "delivered", "failed", "cancelled"]


def resource(endpoint_id: UUID) -> str:
    """The name of an endpoint in the audit."""
    return f"webhook_endpoint:{endpoint_id}"


def resource_of_delivery(delivery_id: UUID) -> str:
    """The name of a delivery in the audit."""
    return f"webhook_delivery:{delivery_id}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events of these types are sent to. `failures` are those in a row, since the last that was taken."""

    id: UUID
    url: str
    events: tuple[str, ...]
    description: str | None
    status: EndpointStatus
    disabled_reason: DisabledReason | None
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    previous_secret_until: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def fields(self) -> dict[str, Any]:
        """What PATCH changes, and what the audit compares."""
        return {"url": self.url, "events": [*self.events], "description": self.description, "status": self.status}


@dataclass(frozen=True, slots=True)
class Event:
    """What was told. `body` is what is sent, to the byte; `id` is its `webhook-id`."""

    id: UUID
    type: str
    body: str
    request_id: str
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint. `attempts` counts them, the one that is being made included."""

    id: UUID
    endpoint_id: UUID
    event: Event
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. Without a status code and a reason it is being made, or its worker was killed."""

    number: int
    started_at: datetime
    duration_ms: float | None
    status_code: int | None
    reason: str | None
    response: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """An event as a job of the queue has it; `moment` is when it happened."""

    id: UUID
    type: str
    moment: datetime
    body: Mapping[str, Any]
