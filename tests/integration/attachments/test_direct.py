"""Direct uploads: the storage takes what was signed and nothing else, and it is looked at before it is available."""

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.attaching import (
    JPEG,
    PDF,
    PNG,
    an_item,
    handlers_of,
    image,
    never,
    pdf_of,
    send,
    sha256,
    sign,
    storage_of,
    stored,
)
from tests.support.database import execute, fetch
from tests.support.service import Service, error_of
from tests.support.working import BY_THE_TEST, database

from inventory_api import codec
from inventory_api.attachments import service as attachments
from inventory_api.attachments import verification
from inventory_api.jobs.handlers import Work
from inventory_api.storage.model import SignedRequest, StorageUnavailable, StoredObject

CONTENT = image(noise=500_000)
LAPSED = "UPDATE attachment SET expires_at = clock_timestamp() - interval '2 hours'"
REMOVALS = "SELECT convert_from(payload, 'UTF8') AS payload FROM pgqueuer WHERE entrypoint = 'object_removal'"
JUST_NOW = "UPDATE attachment SET updated_at = clock_timestamp(), status = 'verifying'"
LONG_AGO = "UPDATE attachment SET updated_at = clock_timestamp() - interval '2 minutes', status = 'verifying'"


@pytest.fixture(autouse=True)
async def _item(service: Service) -> None:
    await an_item(service)


async def complete(service: Service, attachment_id: str) -> tuple[int, str]:
    """The status, and what the attachment is then, or why not."""
    answer = await service.api.post(f"/attachments/{attachment_id}/complete")
    return answer.status_code, answer.json()["status"] if answer.status_code == 200 else error_of(answer)["type"]


async def status_of(service: Service, attachment_id: str) -> str:
    return str((await service.api.get(f"/attachments/{attachment_id}")).json()["status"])


async def test_what_was_promised_is_taken_looked_at_and_available(service: Service) -> None:
    answer = await sign(service, CONTENT)
    signed = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/attachments/{signed['id']}"
    assert await status_of(service, signed["id"]) == "pending_upload"
    assert (await send(service, signed, CONTENT)).status_code == 200
    measured = "http_server_request_duration_seconds_count"
    assert await service.metric(measured, http_route="/attachments/uploads/{id}/content") == 1
    assert await complete(service, signed["id"]) == (200, "available")
    assert (await service.api.get(f"/attachments/{signed['id']}/content")).content == CONTENT
    assert await complete(service, signed["id"]) == (200, "available")
    rows = (await service.api.get("/audit", params={"resource": f"attachment:{signed['id']}"})).json()["items"]
    assert [row["action"] for row in rows] == ["complete", "verify", "create"]


async def test_a_key_makes_it_one_upload(service: Service) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = {
        "owner": {"type": "item", "id": "A-1"}, "filename": "a.png", "content_type": PNG, "size": 9, "sha256": "0" * 64,
    }  # fmt: skip
    first, again = [await service.api.post("/attachments/uploads", json=body, headers=key) for _ in range(2)]
    assert (first.json(), again.headers["Idempotent-Replayed"]) == (again.json(), "true")


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"owner": {"type": "item", "id": "NONE"}}, 404, "NOT_FOUND"),
        ({"owner": {"type": "order", "id": str(uuid.uuid4())}}, 404, "NOT_FOUND"),
        ({"owner": {"type": "order", "id": "none"}}, 422, "VALIDATION_FAILURE"),
        ({"owner": {"type": "shelf", "id": "A-1"}}, 422, "VALIDATION_FAILURE"),
        ({"content_type": "image/svg+xml"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"size": 0}, 422, "VALIDATION_FAILURE"),
        ({"size": 64 * 2**20 + 1}, 413, "PAYLOAD_TOO_LARGE"),
        ({"sha256": "ABC"}, 422, "VALIDATION_FAILURE"),
        ({"filename": ""}, 422, "VALIDATION_FAILURE"),
        ({"more": 1}, 422, "VALIDATION_FAILURE"),
    ],
)
async def test_what_cannot_be_is_not_signed(
    service: Service, database_url: str, changed: dict[str, Any], status: int, error: str
) -> None:
    answer = await sign(service, CONTENT, **changed)
    assert (answer.status_code, error_of(answer)["type"]) == (status, error)
    assert await asyncio.to_thread(fetch, database_url, "SELECT FROM attachment") == []


async def test_the_storage_takes_nothing_else(service: Service, tmp_path: Path) -> None:
    signed = (await sign(service, CONTENT)).json()
    other = image("JPEG")
    attempts = [
        await send(service, signed, CONTENT[:-1], content_length=str(len(CONTENT) - 1)),
        await send(service, signed, CONTENT + b"x", content_length=str(len(CONTENT) + 1)),
        await send(service, signed, CONTENT[:-1] + b"x"),
        await send(service, signed, CONTENT, content_type=JPEG),
        await send(service, {**signed, "url": signed["url"].replace("expires=", "expires=9")}, CONTENT),
        await send(service, {**signed, "url": signed["url"].replace("signature=", "signature=0")}, CONTENT),
        await send(service, {**signed, "url": signed["url"].partition("?")[0]}, CONTENT),
        await send(service, signed, other, content_length=str(len(other))),
    ]
    assert [answer.status_code for answer in attempts] == [403, 403, 400, 403, 403, 403, 403, 403]
    assert all(error_of(answer) for answer in attempts)
    assert stored(tmp_path / "storage") == []
    assert await complete(service, signed["id"]) == (409, "INVALID_TRANSITION")
    assert await status_of(service, signed["id"]) == "pending_upload"


@pytest.mark.parametrize("content", [image("JPEG"), CONTENT + b"more", b"\x89PNG\r\n\x1a\nnothing else"])
async def test_what_is_not_what_it_is_said_to_be_is_rejected_for_good(
    service: Service, database_url: str, tmp_path: Path, content: bytes
) -> None:
    """And its object is removed."""
    signed = (await sign(service, content)).json()
    assert (await send(service, signed, content)).status_code == 200
    assert await complete(service, signed["id"]) == (400, "CONTENT_MISMATCH")
    assert await status_of(service, signed["id"]) == "rejected"
    assert await complete(service, signed["id"]) == (409, "INVALID_TRANSITION")
    content_answer = await service.api.get(f"/attachments/{signed['id']}/content")
    assert (content_answer.status_code, error_of(content_answer)["type"]) == (409, "INVALID_TRANSITION")
    await remove_objects(service, database_url)
    assert stored(tmp_path / "storage") == []


async def remove_objects(service: Service, database_url: str) -> None:
    """Do the jobs that there are."""
    async with database(database_url) as opened:
        for row in await asyncio.to_thread(fetch, database_url, REMOVALS):
            await handlers_of(service, opened).remove_objects(Work(codec.decode(row["payload"]), BY_THE_TEST))


@pytest.mark.parametrize(
    "claimed",
    [
        StoredObject(1, PNG, sha256(CONTENT)),
        StoredObject(len(CONTENT), JPEG, sha256(CONTENT)),
        StoredObject(len(CONTENT), PNG, "0" * 64),
        StoredObject(len(CONTENT), PNG, None),
        StoredObject(len(CONTENT), PNG, sha256(CONTENT), "gzip"),
    ],
)
async def test_a_storage_that_enforces_nothing_is_not_believed(
    service: Service, monkeypatch: pytest.MonkeyPatch, claimed: StoredObject
) -> None:
    """Where it has no checksum, there is one made of what is there."""
    other = image(noise=500_000)
    signed = (await sign(service, CONTENT)).json()
    storage = storage_of(service)
    with (Path(storage._directory) / "other").open("w+b") as file:
        file.write(other)
        file.flush()
        await storage.put(f"attachments/{signed['id']}", file, len(other), PNG, sha256(other))

    async def describe(key: str) -> StoredObject:
        del key
        return claimed

    monkeypatch.setattr(storage, "describe", describe)
    assert await complete(service, signed["id"]) == (400, "CONTENT_MISMATCH")


async def test_while_the_storage_is_gone_nothing_is_decided(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = (await sign(service, CONTENT)).json()
    await send(service, signed, CONTENT)

    async def unavailable(*_: object) -> bytes:
        raise StorageUnavailable("timeout")

    with monkeypatch.context() as gone:
        gone.setattr(storage_of(service), "read", unavailable)
        assert await complete(service, signed["id"]) == (503, "DEPENDENCY_UNAVAILABLE")
    assert await status_of(service, signed["id"]) == "pending_upload"
    assert await complete(service, signed["id"]) == (200, "available")


@pytest.mark.settings(request_deadline=2, upload_deadline=2, drain_timeout=2)
async def test_the_deadline_counts_for_the_look_as_well(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although it was committed that it is looked at: that is taken back."""
    signed = (await sign(service, CONTENT)).json()
    await send(service, signed, CONTENT)
    with monkeypatch.context() as slow:
        slow.setattr(storage_of(service), "read", never)
        assert await complete(service, signed["id"]) == (503, "DEPENDENCY_UNAVAILABLE")
    assert await status_of(service, signed["id"]) == "pending_upload"
    assert await complete(service, signed["id"]) == (200, "available")


@pytest.mark.settings(request_deadline=2, upload_deadline=2, drain_timeout=2, uploads_at_once=1)
async def test_a_look_that_nobody_waits_for_any_more_ends(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its thread, the only one, which the next look has at once."""
    storage, began = storage_of(service), asyncio.Event()
    read = storage.read

    async def slowly(key: str, start: int, length: int) -> bytes:
        if start:
            began.set()
            await never()
        return await read(key, start, length)

    content = pdf_of(100_000)
    signed = (await sign(service, content, PDF)).json()
    await send(service, signed, content)
    with monkeypatch.context() as slow:
        slow.setattr(storage, "read", slowly)
        assert await complete(service, signed["id"]) == (503, "DEPENDENCY_UNAVAILABLE")
    assert began.is_set()
    assert await complete(service, signed["id"]) == (200, "available")


async def test_a_look_needs_none_of_the_threads_that_it_waits_for(service: Service) -> None:
    """Each read of a directory is done by one of those that all share; here there is only one."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    signed = [(await sign(service, CONTENT)).json() for _ in range(3)]
    for one in signed:
        await send(service, one, CONTENT)
    found = await asyncio.gather(*(complete(service, one["id"]) for one in signed))
    assert found == [(200, "available")] * 3


@pytest.mark.settings(pool_max=1)
async def test_while_it_is_signed_no_connection_is_held(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """With workload identity that may take a while."""
    storage, go_on, waits = storage_of(service), asyncio.Event(), asyncio.Event()
    sign_upload = storage.sign_upload

    async def slowly(*arguments: Any) -> SignedRequest:
        waits.set()
        await go_on.wait()
        return await sign_upload(*arguments)

    monkeypatch.setattr(storage, "sign_upload", slowly)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    signing = asyncio.create_task(sign(service, CONTENT, headers=key))
    await waits.wait()
    assert (await service.api.get("/inventory/A-1/movements")).status_code == 200
    go_on.set()
    assert (await signing).status_code == 201


async def test_one_at_a_time_looks_at_it(service: Service, database_url: str) -> None:
    """Who was stopped while it did is not waited for, for longer than a minute."""
    signed = (await sign(service, CONTENT)).json()
    await send(service, signed, CONTENT)
    await execute(database_url, JUST_NOW)
    assert await complete(service, signed["id"]) == (409, "INVALID_TRANSITION")
    await execute(database_url, LONG_AGO)
    assert await complete(service, signed["id"]) == (200, "available")


async def test_of_many_who_complete_it_one_does(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = (await sign(service, CONTENT)).json()
    await send(service, signed, CONTENT)
    looks = 0
    verify = verification.verify

    async def counted(*arguments: object) -> None:
        nonlocal looks
        looks += 1
        await verify(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(attachments, "verify", counted)
    found = await asyncio.gather(*(complete(service, signed["id"]) for _ in range(4)))
    assert (200, "available") in found
    assert {*found} <= {(200, "available"), (409, "INVALID_TRANSITION")}
    assert looks == 1


async def test_what_nobody_completes_expires_and_is_removed(
    service: Service, database_url: str, tmp_path: Path
) -> None:
    abandoned, waiting = [(await sign(service, CONTENT)).json() for _ in range(2)]
    await send(service, abandoned, CONTENT)
    await execute(database_url, f"{LAPSED} WHERE id = '{abandoned['id']}'")
    async with database(database_url) as opened:
        await handlers_of(service, opened).sweep_attachments(Work({}, BY_THE_TEST))
    assert await status_of(service, abandoned["id"]) == "expired"
    assert await status_of(service, waiting["id"]) == "pending_upload"
    assert await complete(service, abandoned["id"]) == (409, "INVALID_TRANSITION")
    await remove_objects(service, database_url)
    assert stored(tmp_path / "storage") == []


async def test_one_that_is_deleted_while_it_can_be_uploaded_leaves_nothing(
    service: Service, database_url: str, tmp_path: Path
) -> None:
    """Its object is removed again when its URL is good for nothing any more."""
    signed = (await sign(service, CONTENT)).json()
    assert (await service.api.delete(f"/attachments/{signed['id']}")).status_code == 204
    await remove_objects(service, database_url)
    assert (await send(service, signed, CONTENT)).status_code == 200
    await execute(database_url, LAPSED)
    async with database(database_url) as opened:
        await handlers_of(service, opened).sweep_attachments(Work({}, BY_THE_TEST))
    await remove_objects(service, database_url)
    assert stored(tmp_path / "storage") == []
    assert await asyncio.to_thread(fetch, database_url, "SELECT FROM attachment") == []


async def test_what_came_to_nothing_is_forgotten_after_a_month(service: Service, database_url: str) -> None:
    signed = (await sign(service, CONTENT)).json()
    await execute(database_url, "UPDATE attachment SET status = 'expired'")
    async with database(database_url) as opened:
        await handlers_of(service, opened).sweep_attachments(Work({}, BY_THE_TEST))
        assert await status_of(service, signed["id"]) == "expired"
        await execute(database_url, "UPDATE attachment SET updated_at = clock_timestamp() - interval '31 days'")
        await handlers_of(service, opened).sweep_attachments(Work({}, BY_THE_TEST))
    assert (await service.api.get(f"/attachments/{signed['id']}")).status_code == 404
