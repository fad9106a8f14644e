"""Requests that a client makes to the S3 server itself: it takes what was signed, and nothing else."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.support.objects import MEDIA_TYPE, Content, new_key, stored
from tests.support.s3 import S3Server
from tests.support.waiting import let_pass

from inventory_api.storage.model import SignedRequest, Storage
from inventory_api.storage.s3 import S3Storage

CONTENT = Content(1000)
OTHER = Content(1000, seed=1)


async def signed(storage: Storage, key: str | None = None, seconds: int = 60) -> SignedRequest:
    return await storage.sign_upload(key or new_key(), CONTENT.size, MEDIA_TYPE, CONTENT.sha256, seconds)


async def send(
    request: SignedRequest, data: bytes = CONTENT.data, *, url: str | None = None, **changed: str | None
) -> int:
    """Its status. `changed`: headers, with '_' for '-'; None leaves one out."""
    headers = {**request.headers, "content-length": str(len(data))}
    for name, value in changed.items():
        headers.pop(name.replace("_", "-"))
        if value is not None:
            headers[name.replace("_", "-")] = value
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.request(request.method, url or request.url, headers=headers, content=data)).status_code


async def test_it_stores_what_was_promised(s3_storage: Storage) -> None:
    key = new_key()
    request = await signed(s3_storage, key)
    assert set(request.headers) == {"content-length", "content-type", "x-amz-checksum-sha256"}
    assert await send(request) == 200
    assert await s3_storage.describe(key) == CONTENT.stored
    assert await s3_storage.read(key, 0, 1000) == CONTENT.data


async def test_nothing_else_is_taken(s3_storage: Storage, s3: S3Server, bucket: str) -> None:
    request = await signed(s3_storage)
    other_checksum = b64encode(bytes.fromhex(OTHER.sha256)).decode()
    statuses = {
        "a byte more": await send(request, CONTENT.data + b"x"),
        "a byte less": await send(request, CONTENT.data[:-1]),
        "another content": await send(request, OTHER.data),
        "another content with its checksum": await send(request, OTHER.data, x_amz_checksum_sha256=other_checksum),
        "another type": await send(request, content_type="text/html"),
        "no type": await send(request, content_type=None),
        "no checksum": await send(request, x_amz_checksum_sha256=None),
        "another key": await send(request, url=request.url.replace("/attachments/", "/attachments/x")),
        "a longer time": await send(request, url=request.url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")),
        "no signature": await send(request, url=request.url.partition("?")[0]),
    }
    assert statuses.pop("another content") == 400
    assert set(statuses.values()) == {403}, statuses
    assert s3.objects(bucket) == []


async def test_what_comes_in_part_is_not_stored(s3_storage: Storage, s3: S3Server, bucket: str) -> None:
    request = await signed(s3_storage)
    url = urlsplit(request.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in {"host": url.netloc, **request.headers}.items())
    writer.write(f"PUT {url.path}?{url.query} HTTP/1.1\r\n{head}\r\n".encode() + CONTENT.data[:-1])
    writer.write_eof()
    assert b" 200 " not in await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert s3.objects(bucket) == []


async def test_its_time_ends(s3_storage: Storage, s3: S3Server, bucket: str) -> None:
    request = await signed(s3_storage, seconds=1)
    await asyncio.to_thread(let_pass, 2.1)
    assert await send(request) == 403
    assert s3.objects(bucket) == []


async def test_a_download_has_the_headers_that_were_signed(s3_storage: Storage) -> None:
    key = await stored(s3_storage, CONTENT)
    disposition = "attachment; filename=\"a b.pdf\"; filename*=UTF-8''%C3%B6.pdf"
    url = await s3_storage.sign_download(key, 60, "application/pdf", disposition)
    assert url is not None
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(url)
        altered = await client.get(url.replace("application%2Fpdf", "text%2Fhtml"))
    assert (answer.status_code, answer.content) == (200, CONTENT.data)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == disposition
    assert altered.status_code == 403


def _query(url: str) -> Mapping[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
async def test_signing_asks_nobody(bucket: str, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Nothing listens there. A bucket at an endpoint that was given is in the path, else in the name of the host."""
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv(variable, "mars-north-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    storage = S3Storage(bucket, "some/")
    request = await signed(storage, "attachments/1")
    await storage.close()
    assert request.url.startswith(f"http://127.0.0.1:1/{bucket}/some/attachments/1?")
    query = _query(request.url)
    assert query["X-Amz-Credential"].split("/")[2] == "mars-north-1"
    assert query["X-Amz-SignedHeaders"] == "content-length;content-type;host;x-amz-checksum-sha256"

    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    virtual = S3Storage(bucket)
    assert (await signed(virtual, "attachments/1")).url.startswith(
        f"https://{bucket}.s3.mars-north-1.amazonaws.com/attachments/1?"
    )
    await virtual.close()
