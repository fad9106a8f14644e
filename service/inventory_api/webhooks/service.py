"""What can be done with endpoints and deliveries. Each change that people make is a transaction with its audit row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from opentelemetry.propagate import inject
from uuid_utils.compat import uuid7

from inventory_api import audit, codec
from inventory_api.audit import Provenance
from inventory_api.database.session import Session
from inventory_api.database.transaction import in_transaction
from inventory_api.errors import InvalidTransition, NotFound
from inventory_api.http.conditional import Conditions
from inventory_api.webhooks import deliveries, queries, signing
from inventory_api.webhooks.deliveries import Filters
from inventory_api.webhooks.model import (
    TEST,
    Attempt,
    Delivery,
    DisabledReason,
    Endpoint,
    Event,
    Told,
    resource,
    resource_of_delivery,
)
from inventory_api.webhooks.schedule import Schedule

# For so long what is sent is signed with the secret that was replaced as well.
OVERLAP_SECONDS = 24 * 3600.0


async def get(session: Session, endpoint_id: UUID) -> Endpoint:
    """
    Raises:
        NotFound: there is none with this id.
    """
    return _found(await queries.get(session, endpoint_id))


async def page(session: Session, after: tuple[datetime | None, UUID | None], limit: int) -> list[Endpoint]:
    """At most `limit` endpoints that come after the position `after`, newest first."""
    return await queries.page(session, after, limit)


@in_transaction
async def create(session: Session, fields: Mapping[str, Any], provenance: Provenance) -> tuple[Endpoint, str]:
    """The endpoint, and its secret."""
    secret = signing.new_secret()
    endpoint = await queries.insert(session, uuid7(), fields, secret)
    await _record(session, "create", endpoint.id, {}, endpoint.fields(), provenance)
    return endpoint, secret


@in_transaction
async def patch(
    session: Session, endpoint_id: UUID, changes: Mapping[str, Any], conditions: Conditions, provenance: Provenance
) -> Endpoint:
    """Change only the given fields. One that is enabled again, or leads elsewhere, begins without failures.

    Raises:
        NotFound: there is none with this id.
        PreconditionFailed: it is not in the state that the request requires.
    """
    endpoint = _found(await queries.lock(session, endpoint_id))
    conditions.check(endpoint.etag)
    before, fields = endpoint.fields(), {**endpoint.fields(), **changes}
    if not audit.difference(before, fields):
        return endpoint
    reason = None if fields["status"] == "enabled" else endpoint.disabled_reason or "requested"
    anew = fields["url"] != endpoint.url or (fields["status"], endpoint.status) == ("enabled", "disabled")
    await _record(session, "patch", endpoint_id, before, fields, provenance)
    return await queries.update(session, endpoint_id, fields, reason, anew=anew)


@in_transaction
async def delete(session: Session, endpoint_id: UUID, conditions: Conditions, provenance: Provenance) -> None:
    """It is sent nothing any more; what was is listed until it is old.

    Raises:
        NotFound: there is none with this id.
        PreconditionFailed: it is not in the state that the request requires.
    """
    endpoint = _found(await queries.lock(session, endpoint_id))
    conditions.check(endpoint.etag)
    await queries.delete(session, endpoint_id)
    await deliveries.cancel_pending(session, [endpoint_id])
    await _record(session, "delete", endpoint_id, endpoint.fields(), {}, provenance)


@in_transaction
async def rotate_secret(session: Session, endpoint_id: UUID, provenance: Provenance) -> tuple[Endpoint, str]:
    """The endpoint, and the secret that it has from now on; the one before is good for `OVERLAP_SECONDS` more.

    Raises:
        NotFound: there is none with this id.
    """
    endpoint = _found(await queries.lock(session, endpoint_id))
    secret = signing.new_secret()
    rotated = await queries.rotate(session, endpoint_id, secret, OVERLAP_SECONDS)
    versions = {"version": endpoint.version}, {"version": rotated.version}
    await _record(session, "rotate_secret", endpoint_id, *versions, provenance)
    return rotated, secret


@in_transaction
async def test(session: Session, endpoint_id: UUID, provenance: Provenance) -> Delivery:
    """Have something sent to it, before what else waits for it, and once.

    Raises:
        NotFound: there is none with this id.
        InvalidTransition: it is disabled.
    """
    endpoint = _found(await queries.lock(session, endpoint_id))
    _require_enabled(endpoint)
    delivery_id, moment = uuid7(), await queries.moment(session)
    event = _event(Told(uuid7(), TEST, moment, _body(TEST, moment, {"endpoint": str(endpoint_id)})), provenance)
    await deliveries.insert(session, delivery_id, endpoint_id, event, _traceparent())
    await _record(session, "test", endpoint_id, {}, {"delivery": str(delivery_id)}, provenance)
    return _known(await deliveries.get(session, delivery_id))


async def get_delivery(session: Session, delivery_id: UUID) -> tuple[Delivery, list[Attempt]]:
    """With its attempts, newest first.

    Raises:
        NotFound: there is none with this id.
    """
    return _known(await deliveries.get(session, delivery_id)), await deliveries.attempts(session, delivery_id)


async def delivery_page(
    session: Session, filters: Filters, after: tuple[datetime | None, UUID | None], limit: int
) -> list[Delivery]:
    """At most `limit` deliveries that come after the position `after`, newest first."""
    return await deliveries.page(session, filters, after, limit)


@in_transaction
async def redeliver(session: Session, delivery_id: UUID, schedule: Schedule, provenance: Provenance) -> Delivery:
    """Send it again, before what else waits for its endpoint, under the same `webhook-id`; as often as a new one.

    Raises:
        NotFound: there is none with this id, or its endpoint was deleted.
        InvalidTransition: its endpoint is disabled.
    """
    delivery = _known(await deliveries.get(session, delivery_id))
    _require_enabled(_found(await queries.lock(session, delivery.endpoint_id)))
    retries = 0 if delivery.event.type == TEST else schedule.retries
    await deliveries.redeliver(session, delivery_id, retries)
    again = _known(await deliveries.get(session, delivery_id))
    asked = {"status": delivery.status, "requested": False}, {"status": again.status, "requested": True}
    name = resource_of_delivery(delivery_id)
    await audit.record(session, "redeliver", {name: audit.difference(*asked)}, provenance)
    return again


async def fan_out(session: Session, told: Sequence[Told], schedule: Schedule, provenance: Provenance) -> int:
    """A delivery of each event to each endpoint that wants it; how many are new.

    Each event by itself: together, those of a large transaction for many endpoints would be too much for one statement.
    """
    traceparent = _traceparent()
    count = 0
    for one in told:
        count += await deliveries.fan_out(session, _event(one, provenance), traceparent, one.moment, schedule)
    return count


@in_transaction
async def disable(session: Session, endpoint_id: UUID, reason: DisabledReason, provenance: Provenance) -> bool:
    """Whether it was enabled."""
    endpoint = await queries.lock(session, endpoint_id)
    if endpoint is None or endpoint.status != "enabled":
        return False
    fields = {**endpoint.fields(), "status": "disabled"}
    await _record(session, "disable", endpoint_id, endpoint.fields(), fields, provenance)
    await queries.update(session, endpoint_id, fields, reason, anew=False)
    return True


async def standing(session: Session) -> Mapping[str, float]:
    """How many endpoints are enabled, failing and disabled; what is due, and for how many seconds the oldest was."""
    return await queries.standing(session)


async def purge(session: Session, days: int) -> int:
    """Remove what ended so long ago, and end what leads to nobody; how many, some at a time."""
    cancelled = await deliveries.cancel_pending(session, await queries.unwanted(session, days))
    return cancelled + await deliveries.purge(session, days)


def _body(kind: str, moment: datetime, data: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": kind, "timestamp": codec.rfc3339(moment), "data": dict(data)}


def _event(told: Told, provenance: Provenance) -> Event:
    return Event(told.id, told.type, codec.encode(told.body), provenance.request_id, provenance.trace_id)


def _traceparent() -> str | None:
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


def _require_enabled(endpoint: Endpoint) -> None:
    if endpoint.status != "enabled":
        raise InvalidTransition("The endpoint is disabled; enable it first.")


async def _record(
    session: Session,
    action: str,
    endpoint_id: UUID,
    before: Mapping[str, object],
    after: Mapping[str, object],
    provenance: Provenance,
) -> None:
    await audit.record(session, action, {resource(endpoint_id): audit.difference(before, after)}, provenance)


def _found(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise NotFound("There is no webhook endpoint with this id.")
    return endpoint


def _known(delivery: Delivery | None) -> Delivery:
    if delivery is None:
        raise NotFound("There is no delivery with this id.")
    return delivery
