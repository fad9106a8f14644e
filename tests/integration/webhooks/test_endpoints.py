"""Endpoints over HTTP: what may be one, what is told of it and what is not, and what becomes of its secrets."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.database import execute, fetch
from tests.support.delivering import ENDPOINTS, add_endpoint, deliveries, endpoint_of, problem_of, send_test
from tests.support.selling import post
from tests.support.service import Service, error_of, running, write_keys

URL = "https://partner.example/hook"
NEW = {"url": URL, "events": ["order.created"]}


async def test_the_secret_is_told_once(service: Service, database_url: str) -> None:
    made = await service.api.post(ENDPOINTS, json={**NEW, "description": "Shop"})
    endpoint: dict[str, Any] = made.json()
    assert (made.status_code, made.headers["Location"]) == (201, f"{ENDPOINTS}/{endpoint['id']}")
    secret = endpoint.pop("secret")
    assert secret.startswith("whsec_")
    assert (endpoint["status"], endpoint["failures"], endpoint["version"]) == ("enabled", 0, 1)
    assert (await service.api.get(made.headers["Location"])).json() == endpoint
    told = [
        (await service.api.get(ENDPOINTS)).text,
        (await service.api.get("/audit")).text,
        (await service.api.patch(made.headers["Location"], json={"description": None})).text,
    ]
    assert not [text for text in told if secret in text or secret.removeprefix("whsec_") in text]
    kept = (await asyncio.to_thread(fetch, database_url, "SELECT secret FROM webhook_endpoint"))[0]
    assert kept["secret"] == secret


async def test_one_that_leads_elsewhere_than_to_the_internet_is_refused(service: Service) -> None:
    """At creation and by PATCH; what it says repeats nothing of it. `test_ssrf.py` has every spelling."""
    endpoint = await add_endpoint(service, URL)
    for url in ("http://partner.example/hook-1", "https://user@partner.example/hook-1", "https://127.0.0.1/hook-1"):
        for answer in (
            await service.api.post(ENDPOINTS, json={**NEW, "url": url}),
            await service.api.patch(f"{ENDPOINTS}/{endpoint['id']}", json={"url": url}),
        ):
            error = error_of(answer)
            (detail,) = error["details"]
            assert (answer.status_code, error["type"]) == (422, "VALIDATION_FAILURE")
            assert (detail["location"], detail["code"]) == (["body", "url"], "url_refused")
            assert "hook-1" not in answer.text
    assert (await endpoint_of(service, endpoint))["url"] == URL


@pytest.mark.settings(webhook_loopback="true")
async def test_this_machine_may_be_one_where_that_is_set(service: Service) -> None:
    await add_endpoint(service, "http://127.0.0.1:8000/hook")
    refused = await service.api.post(ENDPOINTS, json={**NEW, "url": "http://partner.example/"})
    assert problem_of(refused) == (422, "VALIDATION_FAILURE")


async def test_what_is_not_an_endpoint_is_none(service: Service) -> None:
    bodies: list[dict[str, Any]] = [
        {}, {"url": URL}, {**NEW, "events": []}, {**NEW, "events": ["order.shipped"]},
        {**NEW, "events": "order.created"},
        {**NEW, "events": ["order.created"] * 2}, {**NEW, "secret": "whsec_x"}, {**NEW, "status": "enabled"},
        {**NEW, "events": ["webhook.test"]}, {**NEW, "url": None}, {**NEW, "url": "https://p.example/" + "a" * 2000},
    ]  # fmt: skip
    for body in bodies:
        assert problem_of(await service.api.post(ENDPOINTS, json=body)) == (422, "VALIDATION_FAILURE"), body


async def test_a_creation_that_is_sent_again_is_answered_as_it_was(service: Service) -> None:
    """Also with the secret, which else nobody would ever know."""
    key = str(uuid.uuid4())
    first, second = [await post(service, ENDPOINTS, NEW, key) for _ in range(2)]
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len((await service.api.get(ENDPOINTS)).json()["items"]) == 1


async def test_a_patch_of_a_state_that_has_passed_is_refused(service: Service) -> None:
    endpoint = await add_endpoint(service, URL)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    etag = (await service.api.get(path)).headers["ETag"]
    changed = await service.api.patch(path, json={"events": ["order.cancelled"]}, headers={"If-Match": etag})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    for answer in (
        await service.api.patch(path, json={"description": "x"}, headers={"If-Match": etag}),
        await service.api.delete(path, headers={"If-Match": etag}),
    ):
        assert problem_of(answer) == (412, "PRECONDITION_FAILED")
    assert problem_of(await service.api.patch(path, json={})) == (422, "EMPTY_PATCH")
    same = await service.api.patch(path, json={"events": ["order.cancelled"]})
    assert same.json()["version"] == 2
    unchanged = await service.api.get(path, headers={"If-None-Match": changed.headers["ETag"]})
    assert unchanged.status_code == 304


async def test_one_that_is_deleted_is_sent_nothing_and_what_was_sent_stays_listed(
    service: Service, database_url: str
) -> None:
    endpoint = await add_endpoint(service, URL)
    await send_test(service, endpoint)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    assert (await service.api.delete(path)).status_code == 204
    for answer in (
        await service.api.get(path),
        await service.api.patch(path, json={"description": "x"}),
        await service.api.delete(path),
        await service.api.post(f"{path}/test"),
        await service.api.post(f"{path}/rotate-secret"),
    ):
        assert problem_of(answer) == (404, "NOT_FOUND")
    assert (await service.api.get(ENDPOINTS)).json()["items"] == []
    (delivery,) = await deliveries(service, endpoint=endpoint["id"])
    assert (delivery["status"], delivery["next_attempt_at"]) == ("cancelled", None)
    again = await service.api.post(f"/webhooks/deliveries/{delivery['id']}/redeliver")
    assert problem_of(again) == (404, "NOT_FOUND")
    row = (await asyncio.to_thread(fetch, database_url, "SELECT secret, previous_secret FROM webhook_endpoint"))[0]
    assert tuple(row) == ("", None), "its secret is forgotten"


async def test_one_that_is_disabled_is_tested_and_sent_again_to_when_it_is_enabled(service: Service) -> None:
    endpoint = await add_endpoint(service, URL)
    delivery = await send_test(service, endpoint)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    disabled = await service.api.patch(path, json={"status": "disabled"})
    assert (disabled.json()["status"], disabled.json()["disabled_reason"]) == ("disabled", "requested")
    for answer in (
        await service.api.post(f"{path}/test"),
        await service.api.post(f"/webhooks/deliveries/{delivery['id']}/redeliver"),
    ):
        assert problem_of(answer) == (409, "INVALID_TRANSITION")
    enabled = await service.api.patch(path, json={"status": "enabled"})
    assert (enabled.json()["status"], enabled.json()["disabled_reason"]) == ("enabled", None)
    assert (await service.api.post(f"{path}/test")).status_code == 202


@pytest.mark.parametrize(
    ("before", "change", "anew"),
    [
        ("status = 'enabled', disabled_reason = NULL", {"url": f"{URL}/new"}, True),
        ("status = 'disabled', disabled_reason = 'gone'", {"status": "enabled"}, True),
        ("status = 'enabled', disabled_reason = NULL", {"description": "x"}, False),
        ("status = 'enabled', disabled_reason = NULL", {"status": "disabled"}, False),
    ],
)
async def test_one_that_is_moved_or_enabled_begins_without_failures(
    service: Service, database_url: str, before: str, change: dict[str, str], anew: bool
) -> None:
    endpoint = await add_endpoint(service, URL)
    later = "clock_timestamp() + interval '1 hour'"
    troubled = f"failures = 7, failing_since = {later}, paused_until = {later}, retry_after = {later}, is_slow = true"
    await execute(database_url, f"UPDATE webhook_endpoint SET {before}, {troubled}")  # noqa: S608
    changed = (await service.api.patch(f"{ENDPOINTS}/{endpoint['id']}", json=change)).raise_for_status().json()
    assert (changed["failures"], changed["failing_since"] is None) == ((0, True) if anew else (7, False))
    assert (changed["paused_until"] is None) == anew
    statement = "SELECT is_slow, generation FROM webhook_endpoint"
    row = (await asyncio.to_thread(fetch, database_url, statement))[0]
    assert tuple(row) == ((False, 2) if anew else (True, 1))


async def test_why_it_was_disabled_is_kept_when_something_else_is_changed(service: Service, database_url: str) -> None:
    endpoint = await add_endpoint(service, URL)
    await execute(database_url, "UPDATE webhook_endpoint SET status = 'disabled', disabled_reason = 'gone'")
    changed = await service.api.patch(f"{ENDPOINTS}/{endpoint['id']}", json={"description": "x"})
    assert (changed.json()["status"], changed.json()["disabled_reason"]) == ("disabled", "gone")


async def test_of_many_who_rotate_at_once_each_is_told_a_secret_and_the_last_counts(
    service: Service, database_url: str
) -> None:
    endpoint = await add_endpoint(service, URL)
    path = f"{ENDPOINTS}/{endpoint['id']}/rotate-secret"
    answers = [answer.json() for answer in await asyncio.gather(*(service.api.post(path) for _ in range(4)))]
    by_version = [one["secret"] for one in sorted(answers, key=lambda one: one["version"])]
    assert len({*by_version}) == 4
    row = (await asyncio.to_thread(fetch, database_url, "SELECT secret, previous_secret FROM webhook_endpoint"))[0]
    assert tuple(row) == (by_version[3], by_version[2])
    until = datetime.fromisoformat((await endpoint_of(service, endpoint))["previous_secret_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(hours=24)


async def test_lists_are_by_age_and_narrowed_by_what_is_asked(service: Service) -> None:
    first, second = [await add_endpoint(service, f"{URL}/{number}") for number in range(2)]
    listed = (await service.api.get(ENDPOINTS, params={"limit": 1})).json()
    assert [one["id"] for one in listed["items"]] == [second["id"]]
    rest = (await service.api.get(ENDPOINTS, params={"cursor": listed["next_cursor"]})).json()
    assert [one["id"] for one in rest["items"]] == [first["id"]]
    sent = [await send_test(service, one) for one in (first, second, first)]
    assert [one["id"] for one in await deliveries(service)] == [one["id"] for one in reversed(sent)]
    assert [one["id"] for one in await deliveries(service, endpoint=second["id"])] == [sent[1]["id"]]
    assert len(await deliveries(service, status="pending", event="webhook.test")) == 3
    assert await deliveries(service, status="failed") == []
    assert await deliveries(service, event="order.created") == []
    for wrong in ({"status": "lost"}, {"event": "order.shipped"}, {"endpoint": "x"}, {"unknown": "x"}):
        answer = await service.api.get("/webhooks/deliveries", params=wrong)
        assert problem_of(answer) == (422, "VALIDATION_FAILURE")


async def test_nobody_without_the_scope_sees_or_makes_one(service: Service, database_url: str, keys_file: Any) -> None:
    del service
    keys = write_keys(keys_file.parent / "others.json", {"other": "key-of-another"}, ["orders:write", "audit:read"])
    async with running(database_url=database_url, api_keys_file=str(keys)) as other:
        headers = {"Authorization": "Bearer key-of-another"}
        some = uuid.uuid4()
        for method, path in (
            ("GET", ENDPOINTS), ("POST", ENDPOINTS), ("GET", f"{ENDPOINTS}/{some}"), ("PATCH", f"{ENDPOINTS}/{some}"),
            ("DELETE", f"{ENDPOINTS}/{some}"), ("POST", f"{ENDPOINTS}/{some}/test"),
            ("POST", f"{ENDPOINTS}/{some}/rotate-secret"), ("GET", "/webhooks/deliveries"),
            ("GET", f"/webhooks/deliveries/{some}"), ("POST", f"/webhooks/deliveries/{some}/redeliver"),
        ):  # fmt: skip
            answer = await other.anonymous.request(method, path, headers=headers)
            assert problem_of(answer) == (403, "FORBIDDEN"), path
            assert "webhooks:admin" in answer.text
