"""Requests made of the document, right and wrong ones: every answer is one that the document tells of."""

import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.generation import GenerationMode
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)
from schemathesis.transport.serialization import Binary
from tests.support.attaching import image
from tests.support.database import fetch
from tests.support.process import Server
from tests.support.service import ADMIN_KEY, AUTHORIZATION

from inventory_api import settings as settings_module
from inventory_api.app import create_app

EXAMPLES = 40
ACCEPTED = 3
THERE = {
    "sku": "BOLT-M8", "code": "MAIN", "location": "MAIN", "warehouse_location": "MAIN", "from": "MAIN", "to": "EAST",
    "url": "https://partner.example/hook", "owner": {"type": "item", "id": "BOLT-M8"}, "content_type": "image/png",
    "size": 1000,
}  # fmt: skip
PICTURE, FORM = image(), "multipart/form-data"
FAILURE = 400
# What is right by the document may still not fit what is there: a cursor, a tag, a key that was used.
UNFIT = {
    "INVALID_CURSOR", "PRECONDITION_FAILED", "PRECONDITION_REQUIRED", "NOT_FOUND", "CONFLICT", "INSUFFICIENT_STOCK",
    "STOCK_BELOW_RESERVED", "UNKNOWN_SKU", "UNKNOWN_LOCATION", "IDEMPOTENCY_KEY_REUSED", "ITEM_DISCONTINUED",
    "INVALID_TRANSITION", "RESERVATION_EXPIRED",
}  # fmt: skip
# Of a file, whose bytes no document describes.
UNFIT_FILES = {"CONTENT_MISMATCH", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "RANGE_NOT_SATISFIABLE"}
# Nor can a document say that 1.0 is no integer, that NUL is no text, or what must be between two fields.
UNSAYABLE = {
    "immutable", "int_type", "string_unicode", "same_location", "attributes_bounds", "rfc3339_time",
    "too_much", "url_refused",
}  # fmt: skip
# What `Allow` says of these paths is that of an item or an attachment too, whose name or id stands there.
ALSO_NAMES = {"/inventory/adjustments", "/inventory/transfers", "/attachments/uploads"}

DOCUMENT: dict[str, Any] = create_app(settings_module.load({})).api.openapi()
schema = schemathesis.openapi.from_dict(DOCUMENT)


@schema.auth()
class Key:
    """As a client sends it; checks take it away, and send wrong ones."""

    def get(self, case: Any, context: Any) -> str:
        return ADMIN_KEY

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    """What the examples of the document speak of is there."""
    with httpx.Client(base_url=server.api, headers=AUTHORIZATION) as client:
        client.post("/locations", json={"code": THERE["to"], "name": "East"}).raise_for_status()
        item = DOCUMENT["components"]["schemas"]["ItemReplacement"]["examples"][0]
        client.put(f"/inventory/{THERE['sku']}", json=item).raise_for_status()
        yield client


@pytest.fixture(scope="module")
def accepted() -> Iterator[Counter[str]]:
    """How many right requests each operation took; one that takes few was hardly tried, whatever it answers."""
    counted: Counter[str] = Counter()
    yield counted
    assert [(operation, count) for operation, count in counted.items() if count < ACCEPTED] == []


@schemathesis.check
def what_is_right_is_accepted(context: Any, response: Any, case: Any) -> None:
    """As `positive_data_acceptance`, which knows statuses only."""
    try:
        positive_data_acceptance(context, response, case)
    except RejectedPositiveData:
        error = response.json()["error"]
        codes = {detail["code"] for detail in error["details"] or []}
        unfit = UNFIT | UNFIT_FILES if "attachments" in case.path else UNFIT
        if error["type"] not in unfit and not (codes and codes <= UNSAYABLE):
            raise


@schemathesis.check
def an_error_is_one_that_the_operation_names(context: Any, response: Any, case: Any) -> None:
    operation = DOCUMENT["paths"][case.path].get(case.method.lower(), {})
    # A method that is none is another matter; and of probes, the state is told with the error.
    if "security" in operation and response.status_code >= FAILURE:
        documented = operation["responses"][str(response.status_code)]["description"]
        assert f"`{response.json()['error']['type']}`" in documented


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_documented(
    case: Any, client: httpx.Client, contract_url: str, accepted: Counter[str]
) -> None:
    is_right = case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE
    # Half of them, but for those that are little else than an id.
    if is_right and (case.method == "DELETE" or crc32(repr(case.as_curl_command()).encode()) % 2):
        _restore(client)
        _fit(case, client, contract_url)
    response = case.call_and_validate(
        base_url=str(client.base_url),
        timeout=30,
        additional_checks=[what_is_right_is_accepted, an_error_is_one_that_the_operation_names],
        excluded_checks=_excluded(case, is_right=is_right),
    )
    if not case.path.startswith("/system/"):  # There is one way to ask for those.
        accepted[case.operation.label] += is_right and response.status_code < FAILURE


def _excluded(case: Any, *, is_right: bool) -> list[Any]:
    """The checks that do not know better."""
    named = [allow_header_conformance, unsupported_method] if case.path in ALSO_NAMES else []
    # It takes the bytes of a file for no string.
    fitted = [negative_data_rejection] if is_right and case.media_type == FORM else []
    return [positive_data_acceptance, *named, *fitted]


def _restore(client: httpx.Client) -> None:
    """What other requests may have changed."""
    for code in (THERE["from"], THERE["to"]):
        client.patch(f"/locations/{code}", json={"active": True}).raise_for_status()
    reserved = client.get(f"/inventory/{THERE['sku']}").raise_for_status().json()["reserved"]
    stock = {"quantity": reserved + 1_000_000, "warehouse_location": THERE["location"], "is_discontinued": False}
    client.patch(f"/inventory/{THERE['sku']}", json=stock, headers={"If-Match": "*"}).raise_for_status()


def _sold(client: httpx.Client, collection: str) -> str:
    """The id of a new one, of which little is known yet."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    lines = [{"sku": THERE["sku"], "quantity": 1, "location": THERE["location"]}]
    made = client.post(collection, json={"lines": lines}, headers=headers).raise_for_status()
    return str(made.json()["id"])


def _made(client: httpx.Client, collection: str) -> str:
    """As `_sold`, of any resource."""
    if collection == "/attachments":
        path, files = f"/inventory/{THERE['sku']}/attachments", {"file": ("a.png", PICTURE, "image/png")}
        return str(client.post(path, files=files).raise_for_status().json()["id"])
    if not collection.startswith("/webhooks"):
        return _sold(client, collection)
    endpoint = client.post("/webhooks/endpoints", json={"url": THERE["url"], "events": ["order.created"]})
    made = endpoint.raise_for_status().json()["id"]
    if collection == "/webhooks/endpoints":
        return str(made)
    return str(client.post(f"/webhooks/endpoints/{made}/test").raise_for_status().json()["id"])


def _dead(url: str) -> int:
    """The id of a new dead letter."""
    (row,) = fetch(
        url, "INSERT INTO pgqueuer (entrypoint, priority, status) VALUES ('event', 0, 'failed') RETURNING id"
    )
    return int(row["id"])


def _fit(case: Any, client: httpx.Client, url: str) -> None:
    """Make a right request one of what is there, with a key that is new, which chance hardly ever does."""
    there: dict[str, Any] = dict(THERE)
    if "{id}" in case.path:
        collection = case.path.partition("/{")[0]
        there["id"] = _dead(url) if collection == "/jobs/dead-letters" else _made(client, collection)
    case.path_parameters = {name: there.get(name, value) for name, value in (case.path_parameters or {}).items()}
    case.query.pop("cursor", None)
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    case.headers.pop("If-None-Match", None)
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if case.media_type == FORM:
        case.body, case.multipart_content_types = {"file": Binary(PICTURE)}, {"file": "image/png"}
    elif case.path != "/locations":
        case.body = _of_what_is_there(case.body)
    if case.path == "/orders" and isinstance(case.body, dict) and "reservation_id" in case.body:
        case.body["reservation_id"] = _sold(client, "/reservations")


def _of_what_is_there(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: THERE.get(name, _of_what_is_there(value)) for name, value in body.items()}
    if isinstance(body, list):
        return [_of_what_is_there(value) for value in body]
    return int(body) if isinstance(body, float) and body.is_integer() else body
