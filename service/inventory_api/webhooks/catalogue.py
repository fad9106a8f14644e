"""What events there are, and what each says: the `webhooks` of the OpenAPI document."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, create_model

from inventory_api.http.schemas import UtcDatetime, example
from inventory_api.inventory.schemas import ItemView
from inventory_api.orders.schemas import OrderView
from inventory_api.reservations.schemas import ReservationView
from inventory_api.stock.schemas import ChangedLevel, LowLevel
from inventory_api.webhooks.model import TEST

# Of each, by the Standard Webhooks specification.
HEADERS = {
    "webhook-id": "Of the event: the same, however often it is sent.",
    "webhook-timestamp": "When this was sent, in seconds since 1970.",
    "webhook-signature": "`v1,` and a signature; while a secret is replaced, two of them with a space between.",
}
PARAMETERS = [
    {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
    for name, text in HEADERS.items()
]


class TestData(BaseModel):
    """Nothing has happened: somebody asked for it."""

    model_config = example(endpoint="01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10")
    __test__ = False

    endpoint: str


# What `data` is of each, and when that is sent.
EVENTS: Mapping[str, tuple[type[BaseModel], str]] = {
    "order.created": (OrderView, "An order was made, and its lines are reserved."),
    "order.fulfilled": (OrderView, "An order was fulfilled: its lines have left."),
    "order.cancelled": (OrderView, "An order was cancelled: its lines are available again."),
    "inventory.item.updated": (ItemView, "An item was made, or changed by PUT or PATCH."),
    "inventory.level.changed": (
        ChangedLevel,
        "The stock of an item at a location has changed. Of two that are told, the higher `version` is the later.",
    ),
    "inventory.level.low": (
        LowLevel,
        "What is available of an item at a location has come down to its `low_stock_threshold`, or below.",
    ),
    "inventory.level.depleted": (ChangedLevel, "What is available of an item at a location has come down to 0."),
    "reservation.expired": (ReservationView, "A reservation has expired, and its stock was let go."),
    TEST: (TestData, "Sent by `POST /webhooks/endpoints/{id}/test`; nobody subscribes to it."),
}


def declared() -> APIRouter:
    """A route for each, of which only the document knows."""
    router = APIRouter()
    for kind, (data, text) in EVENTS.items():
        router.add_api_route(
            kind,
            _endpoint(_payload(kind, data)),
            methods=["POST"],
            summary=kind,
            description=text,
            operation_id=kind.replace(".", "_"),
            tags=["events"],
            openapi_extra={"parameters": PARAMETERS},
            status_code=204,
            response_description="Taken, as with any other status of 2xx.",
            responses={"default": {"description": "Not taken: it is sent again later; but for 410, never again."}},
        )
    return router


def _payload(kind: str, data: type[BaseModel]) -> type[BaseModel]:
    name = "".join(part.capitalize() for part in kind.split(".")) + "Event"
    fields: dict[str, Any] = {
        "type": (Literal[kind], ...),
        "timestamp": (Annotated[UtcDatetime, Field(description="When it happened.")], ...),
        "data": (data, ...),
    }
    made: type[BaseModel] = create_model(name, **fields)
    return made


def _endpoint(payload: type[BaseModel]) -> Any:
    async def receive(body: Any) -> None:
        """Of the document alone."""

    receive.__annotations__ = {"body": payload, "return": None}
    return receive
