"""Attachments in a real S3: the same life, and what the storage itself refuses."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.support.attaching import JPEG, PDF, PNG, an_item, image, pdf_of, png_of, sha256, sign, upload
from tests.support.database import fetch
from tests.support.delivering import RETENTION
from tests.support.s3 import SECRET_KEY, S3Server
from tests.support.service import Service, error_of, running
from tests.support.working import BY_THE_TEST, database

from inventory_api import codec
from inventory_api.jobs.handlers import Handlers, Work
from inventory_api.storage.measured import MeasuredStorage
from inventory_api.telemetry import logging as json_logging
from inventory_api.webhooks.schedule import Schedule

MOST = 10_485_760
REMOVALS = "SELECT convert_from(payload, 'UTF8') AS payload FROM pgqueuer WHERE entrypoint = 'object_removal'"


@pytest.fixture
def settings(database_url: str, keys_file: Path, bucket: str) -> dict[str, Any]:
    return {"database_url": database_url, "api_keys_file": keys_file, "storage_url": f"s3://{bucket}/of/this"}


@pytest.fixture
async def service(settings: dict[str, Any]) -> AsyncIterator[Service]:
    async with running(**settings) as started:
        await an_item(started)
        yield started


async def send(signed: dict[str, Any], content: bytes, **changed: str) -> httpx.Response:
    """To the storage itself."""
    headers = {**signed["headers"], **{name.replace("_", "-"): value for name, value in changed.items()}}
    async with httpx.AsyncClient(timeout=60) as client:
        return await client.request(signed["method"], signed["url"], content=content, headers=headers)


async def complete(service: Service, attachment_id: str) -> tuple[int, str]:
    answer = await service.api.post(f"/attachments/{attachment_id}/complete")
    return answer.status_code, answer.json()["status"] if answer.status_code == 200 else error_of(answer)["type"]


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"0123456789", 400), (png_of(MOST), 201), (png_of(MOST + 1), 413)],
    ids=["0 B", "10 B", "10 MiB", "10 MiB and 1 B"],
)
async def test_up_to_ten_mebibytes_come_through_the_service(
    service: Service, s3: S3Server, bucket: str, database_url: str, content: bytes, status: int
) -> None:
    answer = await upload(service, "/inventory/A-1/attachments", content)
    assert answer.status_code == status
    kept = s3.objects(bucket)
    rows = await asyncio.to_thread(fetch, database_url, "SELECT id FROM attachment")
    assert kept == [f"of/this/attachments/{row['id']}" for row in rows]
    assert len(kept) == (status == 201)
    if kept:
        found = await service.api.get(f"/attachments/{answer.json()['id']}/content")
        assert (found.status_code, sha256(found.content)) == (200, sha256(content))


@pytest.mark.parametrize(
    ("content", "media_type"), [(png_of(60_000_000), PNG), (pdf_of(60_000_000), PDF)], ids=["60 MB PNG", "60 MB PDF"]
)
async def test_more_goes_to_the_storage_directly(service: Service, content: bytes, media_type: str) -> None:
    signed = (await sign(service, content, media_type)).json()
    assert await complete(service, signed["id"]) == (409, "INVALID_TRANSITION")
    (await send(signed, content)).raise_for_status()
    assert await complete(service, signed["id"]) == (200, "available")
    part = await service.api.get(f"/attachments/{signed['id']}/content", headers={"Range": "bytes=-1000"})
    assert (part.status_code, part.content) == (206, content[-1000:])


async def test_the_storage_itself_refuses_what_was_not_promised(service: Service, s3: S3Server, bucket: str) -> None:
    content = image(noise=100_000)
    signed = (await sign(service, content)).json()
    attempts = {
        "shorter": await send(signed, content[:-1], content_length=str(len(content) - 1)),
        "longer": await send(signed, content + b"x", content_length=str(len(content) + 1)),
        "other": await send(signed, content[:-1] + b"x"),
        "type": await send(signed, content, content_type=JPEG),
        "checksum": await send(signed, content, x_amz_checksum_sha256="A" * 43 + "="),
    }
    assert {name: answer.status_code for name, answer in attempts.items()} == {
        "shorter": 403, "longer": 403, "other": 400, "type": 403, "checksum": 403,
    }  # fmt: skip
    assert s3.objects(bucket) == []
    assert await complete(service, signed["id"]) == (409, "INVALID_TRANSITION")


async def test_what_is_no_picture_is_rejected_and_removed(
    service: Service, s3: S3Server, bucket: str, database_url: str
) -> None:
    content = image() + b"more"
    signed = (await sign(service, content)).json()
    (await send(signed, content)).raise_for_status()
    assert await complete(service, signed["id"]) == (400, "CONTENT_MISMATCH")
    assert len(s3.objects(bucket)) == 1
    storage: MeasuredStorage = service.app.api.state.resources.storage
    async with database(database_url) as opened:
        handlers = Handlers(opened, lambda: "", RETENTION, Schedule(), lambda: None, storage)
        for row in await asyncio.to_thread(fetch, database_url, REMOVALS):
            await handlers.remove_objects(Work(codec.decode(row["payload"]), BY_THE_TEST))
    assert s3.objects(bucket) == []


async def test_a_download_may_be_left_to_the_storage(settings: dict[str, Any]) -> None:
    """To be saved as well, and in parts."""
    async with running(**settings, download_redirect="true") as service:
        await an_item(service)
        content = image(noise=100_000)
        made = (await upload(service, "/inventory/A-1/attachments", content, "né.png")).json()
        answer = await service.api.get(f"/attachments/{made['id']}/content")
        assert (answer.status_code, answer.content) == (307, b"")
        head = await service.api.head(f"/attachments/{made['id']}/content")
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(content))), "a GET was signed"
        async with httpx.AsyncClient() as anybody:
            found = await anybody.get(answer.headers["Location"])
            part = await anybody.get(answer.headers["Location"], headers={"Range": "bytes=0-9"})
    assert (found.status_code, found.content) == (200, content)
    assert found.headers["Content-Type"] == PNG
    assert found.headers["Content-Disposition"].startswith("attachment; ")
    assert (part.status_code, part.content) == (206, content[:10])


async def test_headers_that_nobody_signed_change_nothing(settings: dict[str, Any]) -> None:
    """Neither before it is looked at, nor afterwards, while the URL is still good."""
    odd = {"content_encoding": "gzip", "cache_control": "public, max-age=9999999", "content_language": "tlh"}
    async with running(**settings, download_redirect="true") as service:
        await an_item(service)
        content = image(noise=100_000)
        encoded, plain = [(await sign(service, content)).json() for _ in range(2)]
        (await send(encoded, content, **odd)).raise_for_status()
        assert await complete(service, encoded["id"]) == (400, "CONTENT_MISMATCH")
        (await send(plain, content)).raise_for_status()
        assert await complete(service, plain["id"]) == (200, "available")
        (await send(plain, content, **odd)).raise_for_status()
        answer = await service.api.get(f"/attachments/{plain['id']}/content")
        async with httpx.AsyncClient() as anybody:
            found = await anybody.get(answer.headers["Location"])
    assert (found.status_code, found.content) == (200, content)
    assert found.headers["Cache-Control"] == "private, no-cache"


async def test_nothing_secret_is_logged_however_much_is(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with running(**settings, log_level="DEBUG") as service:
        json_logging.configure("DEBUG")
        logging.getLogger().addHandler(caplog.handler)
        try:
            logging.getLogger("tests").debug("heard")
            await an_item(service)
            signed = (await sign(service, image())).json()
            (await upload(service, "/inventory/A-1/attachments", image())).raise_for_status()
        finally:
            logging.getLogger().removeHandler(caplog.handler)
            json_logging.configure("INFO")
    (signature,) = parse_qs(urlsplit(signed["url"]).query)["X-Amz-Signature"]
    secrets = (signature, SECRET_KEY, "Signature=")
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if any(secret in line for secret in secrets)] == []
    assert "heard" in said


async def test_without_its_storage_the_service_goes_on(
    settings: dict[str, Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Degraded; an upload is 503, and leaves nothing."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{closed.getsockname()[1]}")
        async with running(**settings) as service:
            path = await an_item(service)
            ready = await service.management.get("/system/ready")
            assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
            assert ready.json()["checks"]["storage"]["status"] == "failed"
            refused = await upload(service, path, image())
            assert (refused.status_code, error_of(refused)["type"]) == (503, "DEPENDENCY_UNAVAILABLE")
            assert error_of(refused)["message"] == "The storage is not available."
            assert (await service.api.get(path)).json()["items"] == []
    rows = await asyncio.to_thread(fetch, database_url, "SELECT FROM attachment WHERE deleted_at IS NULL")
    assert rows == []
    assert len(await asyncio.to_thread(fetch, database_url, REMOVALS)) == 1


async def test_a_service_without_a_storage_says_so(database_url: str, keys_file: Path) -> None:
    async with running(database_url=database_url, api_keys_file=keys_file) as service:
        path = await an_item(service)
        refused = await upload(service, path, image())
        assert (refused.status_code, error_of(refused)["type"]) == (503, "DEPENDENCY_UNAVAILABLE")
        assert "storage" not in (await service.management.get("/system/ready")).json()["checks"]
        assert (await service.api.get(path)).json()["items"] == []
