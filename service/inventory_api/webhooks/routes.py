"""Webhooks over HTTP: endpoints, and what was sent to them."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from inventory_api.errors import (
    Detail,
    EmptyPatch,
    InvalidCursor,
    InvalidTransition,
    NotFound,
    PreconditionFailed,
    ValidationFailure,
)
from inventory_api.http import pages
from inventory_api.http.body import JSON_MEDIA_TYPE, MERGE_PATCH
from inventory_api.http.deps import (
    BorrowedSession,
    RequestConditions,
    RequestIdempotency,
    RequestProvenance,
    WebhookRules,
)
from inventory_api.http.idempotency.records import Answer
from inventory_api.http.openapi import BODY, CONDITIONAL_READ, ETAG, IDEMPOTENCY, error_responses
from inventory_api.http.responses import json_response, not_modified
from inventory_api.http.routing import Route, accepts, requires
from inventory_api.webhooks import service
from inventory_api.webhooks.schemas import (
    DeliveryDetail,
    DeliveryPage,
    DeliveryQuery,
    DeliveryView,
    EndpointCreation,
    EndpointPage,
    EndpointPatch,
    EndpointView,
    EndpointWithSecret,
)
from inventory_api.webhooks.url import UrlRefused, parse

router = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=Route)

EndpointId = Annotated[UUID, Path(examples=["01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10"])]
DeliveryId = Annotated[UUID, Path(examples=["01a20a1b-7d82-73dc-b78a-69813c3423f9"])]


@router.get("/endpoints", response_model=EndpointPage, responses=error_responses(InvalidCursor))
@requires("webhooks:admin")
async def list_endpoints(session: BorrowedSession, page: pages.Page) -> Response:
    """Every endpoint, newest first."""
    filters = {"list": "webhook-endpoints"}
    shown, next_cursor = await pages.turn(page, pages.NEWEST_FIRST, filters, partial(service.page, session))
    return json_response(EndpointPage(items=[EndpointView.of(one) for one in shown], next_cursor=next_cursor))


@router.post(
    "/endpoints",
    status_code=201,
    response_model=EndpointWithSecret,
    responses=error_responses(*BODY, *IDEMPOTENCY),
)
@requires("webhooks:admin")
async def create_endpoint(
    creation: EndpointCreation,
    session: BorrowedSession,
    idempotency: RequestIdempotency,
    provenance: RequestProvenance,
    rules: WebhookRules,
) -> Response:
    """Have events sent to a URL. The secret that its signatures are verified with is told this once."""
    _check_url(creation.url, admit_loopback=rules.admit_loopback)

    async def create() -> Answer:
        endpoint, secret = await service.create(session, creation.model_dump(), provenance)
        view = EndpointWithSecret.with_secret(endpoint, secret)
        return Answer(201, view.model_dump_json(), f"/webhooks/endpoints/{endpoint.id}")

    return await idempotency.run(session, create)


@router.get(
    "/endpoints/{id}",
    response_model=EndpointView,
    responses={**CONDITIONAL_READ, **error_responses(NotFound, PreconditionFailed)},
)
@requires("webhooks:admin")
async def get_endpoint(
    id: EndpointId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    conditions: RequestConditions,
) -> Response:
    """One endpoint, and how it does. Its ETag changes with its fields, not with how it does."""
    endpoint = await service.get(session, id)
    conditions.check_match(endpoint.etag)
    if conditions.matches_none(endpoint.etag):
        return not_modified(endpoint.etag)
    return json_response(EndpointView.of(endpoint), headers={"ETag": endpoint.etag})


@router.patch(
    "/endpoints/{id}",
    response_model=EndpointView,
    responses={200: {"headers": ETAG}, **error_responses(*BODY, NotFound, EmptyPatch, PreconditionFailed)},
)
@accepts(JSON_MEDIA_TYPE, MERGE_PATCH)
@requires("webhooks:admin")
async def patch_endpoint(
    id: EndpointId,  # noqa: A002 -- as in the path
    patch: EndpointPatch,
    session: BorrowedSession,
    conditions: RequestConditions,
    provenance: RequestProvenance,
    rules: WebhookRules,
) -> Response:
    """Change the given fields and no others."""
    changes = patch.model_dump(exclude_unset=True)
    if not changes:
        raise EmptyPatch
    if "url" in changes:
        _check_url(changes["url"], admit_loopback=rules.admit_loopback)
    endpoint = await service.patch(session, id, changes, conditions, provenance)
    return json_response(EndpointView.of(endpoint), headers={"ETag": endpoint.etag})


@router.delete(
    "/endpoints/{id}",
    status_code=204,
    response_class=Response,
    responses=error_responses(NotFound, PreconditionFailed),
)
@requires("webhooks:admin")
async def delete_endpoint(
    id: EndpointId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    conditions: RequestConditions,
    provenance: RequestProvenance,
) -> Response:
    """Send it nothing any more, also not what waits, but for what is being sent; what was sent stays listed."""
    await service.delete(session, id, conditions, provenance)
    return Response(status_code=204)


@router.post(
    "/endpoints/{id}/rotate-secret",
    response_model=EndpointWithSecret,
    responses=error_responses(NotFound, *IDEMPOTENCY),
)
@requires("webhooks:admin")
async def rotate_secret(
    id: EndpointId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    idempotency: RequestIdempotency,
    provenance: RequestProvenance,
) -> Response:
    """A new secret. For 24 hours what is sent is signed with the one before as well, for receivers that know no other.

    Of two rotations within that time, the second ends what the first has kept.
    """

    async def rotate() -> Answer:
        endpoint, secret = await service.rotate_secret(session, id, provenance)
        return Answer(200, EndpointWithSecret.with_secret(endpoint, secret).model_dump_json(), None)

    return await idempotency.run(session, rotate)


@router.post(
    "/endpoints/{id}/test",
    status_code=202,
    response_model=DeliveryView,
    responses=error_responses(NotFound, InvalidTransition, *IDEMPOTENCY),
)
@requires("webhooks:admin")
async def test_endpoint(
    id: EndpointId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    idempotency: RequestIdempotency,
    provenance: RequestProvenance,
) -> Response:
    """Have a `webhook.test` sent to it, once, before what else waits for it; what came of it is in the delivery."""

    async def test() -> Answer:
        return _accepted(DeliveryView.of(await service.test(session, id, provenance)))

    return await idempotency.run(session, test)


@router.get("/deliveries", response_model=DeliveryPage, responses=error_responses(InvalidCursor))
@requires("webhooks:admin")
async def list_deliveries(session: BorrowedSession, query: Annotated[DeliveryQuery, Query()]) -> Response:
    """What was sent, or waits to be, newest first."""
    filters = query.filters()
    bound = {
        "list": "webhook-deliveries",
        "endpoint": str(filters.endpoint) if filters.endpoint else None,
        "status": filters.status,
        "event": filters.event,
    }
    find = partial(service.delivery_page, session, filters)
    shown, next_cursor = await pages.turn(query, pages.NEWEST_FIRST, bound, find)
    return json_response(DeliveryPage(items=[DeliveryView.of(one) for one in shown], next_cursor=next_cursor))


@router.get("/deliveries/{id}", response_model=DeliveryDetail, responses=error_responses(NotFound))
@requires("webhooks:admin")
async def get_delivery(id: DeliveryId, session: BorrowedSession) -> Response:  # noqa: A002 -- as in the path
    """One delivery, with what is sent and what came of each attempt."""
    return json_response(DeliveryDetail.with_attempts(*await service.get_delivery(session, id)))


@router.post(
    "/deliveries/{id}/redeliver",
    status_code=202,
    response_model=DeliveryView,
    responses=error_responses(NotFound, InvalidTransition, *IDEMPOTENCY),
)
@requires("webhooks:admin")
async def redeliver(
    id: DeliveryId,  # noqa: A002 -- as in the path
    session: BorrowedSession,
    idempotency: RequestIdempotency,
    provenance: RequestProvenance,
    rules: WebhookRules,
) -> Response:
    """Send it again, before what else waits for its endpoint, whatever came of it; under the same `webhook-id`."""

    async def again() -> Answer:
        return _accepted(DeliveryView.of(await service.redeliver(session, id, rules.schedule, provenance)))

    return await idempotency.run(session, again)


def _accepted(view: DeliveryView) -> Answer:
    return Answer(202, view.model_dump_json(), f"/webhooks/deliveries/{view.id}")


def _check_url(url: str, *, admit_loopback: bool) -> None:
    """
    Raises:
        ValidationFailure: it leads, or may lead, elsewhere than to the internet.
    """
    try:
        parse(url, admit_loopback=admit_loopback)
    except UrlRefused as error:
        raise ValidationFailure(details=[Detail(("body", "url"), "url_refused", str(error))]) from error
