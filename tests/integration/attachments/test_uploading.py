"""Files that come through the service: what is good is kept whole, and of everything else nothing is left."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.attaching import JPEG, PDF, PNG, an_item, image, never, sha256, storage_of, stored, upload
from tests.support.database import fetch
from tests.support.service import Service, error_of
from tests.support.waiting import eventually

from inventory_api.http import transfers

BOUNDARY = "b0undary"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def body(*parts: tuple[str, bytes], end: str = f"--{BOUNDARY}--\r\n") -> bytes:
    """Of these headers and contents."""
    framed = b"".join(f"--{BOUNDARY}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n" for headers, content in parts)
    return framed + end.encode()


def headers(name: str = "file", filename: str = "a.png", media_type: str = PNG) -> str:
    return f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {media_type}'


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "storage"


async def nothing_is_left(database_url: str, directory: Path) -> None:
    assert stored(directory) == []
    assert await asyncio.to_thread(fetch, database_url, "SELECT FROM attachment") == []


async def test_what_was_sent_is_what_is_fetched(service: Service, directory: Path) -> None:
    path = await an_item(service)
    content = image(noise=3_000_000)
    answer = await upload(service, path, content, "sheet.png")
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/attachments/{made['id']}"
    assert made["owner"] == {"type": "item", "id": "A-1"}
    assert (made["status"], made["filename"], made["content_type"]) == ("available", "sheet.png", PNG)
    assert (made["size"], made["sha256"]) == (len(content), sha256(content))
    assert (await service.api.get(answer.headers["Location"])).json() == made
    assert (await service.api.get(f"/attachments/{made['id']}/content")).content == content
    assert len(stored(directory)) == 1
    assert await service.metric("uploads_total", result="stored") == 1


@pytest.mark.parametrize(("kind", "media_type", "name"), [("JPEG", JPEG, "a.jpg"), ("PDF", PDF, "a.pdf")])
async def test_each_type_that_is_taken_is_taken(service: Service, kind: str, media_type: str, name: str) -> None:
    answer = await upload(service, await an_item(service), image(kind), name, media_type)
    assert (answer.status_code, answer.json()["content_type"]) == (201, media_type)


async def test_each_step_is_in_the_audit(service: Service) -> None:
    made = (await upload(service, await an_item(service), image())).json()
    rows = (await service.api.get("/audit", params={"resource": f"attachment:{made['id']}"})).json()["items"]
    changes = [(row["action"], row["changes"].get("status")) for row in rows]
    assert changes == [
        ("complete", {"before": "pending_upload", "after": "available"}),
        ("create", {"before": None, "after": "pending_upload"}),
    ]


@pytest.mark.parametrize(
    ("content", "name", "media_type", "status", "error"),
    [
        (b"", "a.png", PNG, 400, "CONTENT_MISMATCH"),
        (b"0123456789", "a.png", PNG, 400, "CONTENT_MISMATCH"),
        (image("JPEG"), "a.png", PNG, 400, "CONTENT_MISMATCH"),
        (image()[:-1], "a.png", PNG, 400, "CONTENT_MISMATCH"),
        (image() + b"more", "a.png", PNG, 400, "CONTENT_MISMATCH"),
        (b"<svg/>", "a.svg", "image/svg+xml", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (image(), "a.png", "application/octet-stream", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
async def test_of_what_is_refused_nothing_is_left(
    service: Service,
    database_url: str,
    directory: Path,
    content: bytes,
    name: str,
    media_type: str,
    status: int,
    error: str,
) -> None:
    answer = await upload(service, await an_item(service), content, name, media_type)
    assert (answer.status_code, error_of(answer)["type"]) == (status, error)
    await nothing_is_left(database_url, directory)
    assert await service.metric("uploads_total", result=error.lower()) == 1


async def test_as_much_as_is_allowed_is_taken_and_not_one_byte_more(service: Service, directory: Path) -> None:
    path, content = await an_item(service), image(noise=400_000)
    rules = service.app.api.state.resources.attachment_rules
    for most, status in ((len(content), 201), (len(content) - 1, 413)):
        object.__setattr__(service.app.api.state.resources, "attachment_rules", replace(rules, most_bytes=most))
        assert (await upload(service, path, content)).status_code == status
    assert len(stored(directory)) == 1


@pytest.mark.settings(upload_max_bytes=1000)
async def test_a_form_that_is_said_to_be_larger_is_refused_unread(service: Service) -> None:
    async def never_read() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    given = {**MULTIPART, "Content-Length": "10000000"}
    answer = await service.api.post(await an_item(service), content=never_read(), headers=given)
    assert (answer.status_code, error_of(answer)["type"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("sent", "given"),
    [
        (body(), MULTIPART),
        (b"", MULTIPART),
        (b"no boundary at all", MULTIPART),
        (body((headers(), image()), end=""), MULTIPART),
        (body((headers("other"), image())), MULTIPART),
        (body((headers(), image()), (headers(), image())), MULTIPART),
        (body(('Content-Disposition: form-data; name="file"', b"text")), MULTIPART),
        (body((f"{headers()}\r\nContent-Transfer-Encoding: base64", b"aGVsbG8=")), MULTIPART),
        (body((f"{headers()}\r\nX-Long: {'x' * 5000}", image())), MULTIPART),
        (body((headers(), image())), {"Content-Type": "multipart/form-data"}),
        (body((headers(), image())), {"Content-Type": "multipart/form-data; boundary=other"}),
    ],
)
async def test_a_malformed_form_is_422(
    service: Service, database_url: str, directory: Path, sent: bytes, given: dict[str, str]
) -> None:
    answer = await service.api.post(await an_item(service), content=sent, headers=given)
    error = error_of(answer)
    assert (answer.status_code, error["type"]) == (422, "VALIDATION_FAILURE")
    assert error["details"][0]["location"] == ["body", "file"]
    await nothing_is_left(database_url, directory)


async def test_another_body_than_a_form_is_415_and_told_which_is_taken(service: Service) -> None:
    answer = await service.api.post(await an_item(service), json={"file": "x"})
    assert (answer.status_code, answer.headers["Accept"]) == (415, "multipart/form-data")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/inventory/NONE/attachments", 404),
        ("/orders/01a20a1b-7d8f-7b0a-9d5e-3c9c5a6b7d10/attachments", 404),
        ("/orders/none/attachments", 422),
    ],
)
async def test_whose_it_is_to_be_is_looked_for_before_the_body(service: Service, path: str, status: int) -> None:
    async def never_read() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    answer = await service.api.post(path, content=never_read(), headers=MULTIPART)
    assert answer.status_code == status


@pytest.mark.settings(uploads_at_once=1)
async def test_what_there_is_no_room_for_is_refused_before_it_is_read(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once there is room, the same succeeds."""
    monkeypatch.setattr(transfers, "WAIT_SECONDS", 0.05)
    path, content, go_on = await an_item(service), image(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        whole = body((headers(), content))
        yield whole[:200]
        await go_on.wait()
        yield whole[200:]

    first = asyncio.create_task(service.api.post(path, content=slowly(), headers=MULTIPART))
    await eventually(lambda: _in_transfer(service))
    refused = await upload(service, path, content)
    assert (refused.status_code, error_of(refused)["type"]) == (503, "OVERLOADED")
    assert int(refused.headers["Retry-After"]) >= 1
    go_on.set()
    assert (await first).status_code == 201
    assert (await upload(service, path, content)).status_code == 201
    assert await service.metric("uploads_total", result="overloaded") == 1
    assert await service.metric("http_server_shed_total", reason="queue_timeout") == 1


async def _in_transfer(service: Service) -> bool:
    return await service.metric("content_transfers", direction="in") == 1


@pytest.mark.settings(max_in_flight=1)
async def test_uploads_keep_nobody_else_out(service: Service) -> None:
    path, go_on = await an_item(service), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        whole = body((headers(), image()))
        yield whole[:200]
        await go_on.wait()
        yield whole[200:]

    uploads = [asyncio.create_task(service.api.post(path, content=slowly(), headers=MULTIPART)) for _ in range(3)]
    await eventually(lambda: _three_in_transfer(service))
    assert (await service.api.get("/inventory/A-1")).status_code == 200
    go_on.set()
    assert [(await one).status_code for one in uploads] == [201] * 3


async def _three_in_transfer(service: Service) -> bool:
    return await service.metric("content_transfers", direction="in") == 3


@pytest.mark.settings(request_deadline=0.2, upload_deadline=0.5, drain_timeout=1)
async def test_an_upload_has_a_deadline_of_its_own(service: Service, database_url: str, directory: Path) -> None:
    async def never_ends() -> AsyncIterator[bytes]:
        yield body((headers(), image()))[:200]
        await asyncio.sleep(60)

    answer = await service.api.post(await an_item(service), content=never_ends(), headers=MULTIPART)
    error = error_of(answer)
    assert (answer.status_code, error["message"]) == (408, "The body did not arrive within 0.5 s.")
    assert await service.metric("uploads_total", result="request_timeout") == 1
    await nothing_is_left(database_url, directory)


@pytest.mark.settings(request_deadline=2, upload_deadline=2, drain_timeout=2)
async def test_the_deadline_counts_for_the_storage_as_well(
    service: Service, database_url: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the row was committed before; it is deleted then, and its object by a job."""
    path = await an_item(service)
    monkeypatch.setattr(storage_of(service), "put", never)
    answer = await upload(service, path, image())
    assert (answer.status_code, error_of(answer)["message"]) == (503, "The storage did not answer in time.")
    assert stored(directory) == []
    assert (await service.api.get(path)).json()["items"] == []
    assert await asyncio.to_thread(fetch, database_url, "SELECT FROM attachment WHERE deleted_at IS NULL") == []


async def test_what_is_large_and_no_form_is_told_so(service: Service) -> None:
    answer = await service.api.post(await an_item(service), content=bytes(2_000_000))
    assert (answer.status_code, error_of(answer)["type"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\\\Users\\\\me\\\\photo.png", "photo.png"),
        ("evil.html", "evil.html.png"),
        ("", "attachment.png"),
        ("a%0D%0ASet-Cookie: x=1.png", None),
    ],
)
async def test_a_name_is_made_safe(service: Service, sent: str, kept: str | None) -> None:
    answer = await service.api.post(
        await an_item(service), content=body((headers(filename=sent), image())), headers=MULTIPART
    )
    made: dict[str, Any] = answer.json()
    assert answer.status_code == 201
    assert kept in (None, made["filename"])
    content = await service.api.get(f"/attachments/{made['id']}/content")
    disposition = content.headers["Content-Disposition"]
    assert disposition.startswith("attachment; ")
    assert "\r" not in disposition
    assert "\n" not in disposition
