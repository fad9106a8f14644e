"""Contents as they are fetched: to be saved, in parts or whole, and never to be run."""

from pathlib import Path

import pytest
from tests.support.attaching import an_item, image, sha256, stored, upload
from tests.support.service import Service, error_of

CONTENT = image(noise=700_000)


async def content_path(service: Service, content: bytes = CONTENT) -> str:
    made = (await upload(service, await an_item(service), content, 'na"me é.png')).json()
    return f"/attachments/{made['id']}/content"


async def test_a_browser_saves_it_and_makes_nothing_of_it(service: Service) -> None:
    answer = await service.api.get(await content_path(service))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "filename*=UTF-8''" in answer.headers["Content-Disposition"]
    assert answer.headers["ETag"] == f'"{sha256(CONTENT)}"'
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "part"),
    [("bytes=0-9", slice(0, 10)), ("bytes=300000-", slice(300_000, None)), ("bytes=-7", slice(-7, None))],
)
async def test_a_part_of_it_is_that_part(service: Service, asked: str, part: slice) -> None:
    answer = await service.api.get(await content_path(service), headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, CONTENT[part])
    first, last, size = answer.headers["Content-Range"].removeprefix("bytes ").replace("/", "-").split("-")
    assert (CONTENT[int(first) : int(last) + 1], int(size)) == (answer.content, len(CONTENT))


async def test_a_part_that_it_does_not_have_is_416(service: Service) -> None:
    answer = await service.api.get(await content_path(service), headers={"Range": f"bytes={len(CONTENT)}-"})
    assert (answer.status_code, error_of(answer)["type"]) == (416, "RANGE_NOT_SATISFIABLE")
    assert answer.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


async def test_a_part_of_another_content_is_all_of_this_one(service: Service) -> None:
    answer = await service.api.get(await content_path(service), headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert (answer.status_code, len(answer.content)) == (200, len(CONTENT))


async def test_what_the_client_has_is_not_sent_again(service: Service) -> None:
    path = await content_path(service)
    etag = f'"{sha256(CONTENT)}"'
    assert (await service.api.get(path, headers={"If-None-Match": etag})).status_code == 304
    assert (await service.api.get(path, headers={"If-Match": '"another"'})).status_code == 412
    assert (await service.api.get(path, headers={"If-Match": etag})).status_code == 200


async def test_head_is_the_head_alone(service: Service) -> None:
    path = await content_path(service)
    before = await service.metric("storage_operation_duration_seconds_count", operation="stream")
    answer = await service.api.head(path)
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(len(CONTENT)))
    assert answer.content == b""
    for asked in ("bytes=0-9", "bytes=99999999-"):
        part = await service.api.head(path, headers={"Range": asked})
        assert (part.status_code, part.headers["Content-Length"]) == (200, str(len(CONTENT))), "RFC 9110, 14.2"
    assert await service.metric("storage_operation_duration_seconds_count", operation="stream") == before


async def test_what_is_gone_from_the_storage_is_no_broken_200(service: Service, tmp_path: Path) -> None:
    path = await content_path(service)
    (kept,) = stored(tmp_path / "storage")
    kept.unlink()
    answer = await service.api.get(path)
    assert (answer.status_code, error_of(answer)["type"]) == (503, "DEPENDENCY_UNAVAILABLE")
    assert error_of(answer)["message"] == "The content is missing in the storage."


async def test_one_that_is_deleted_is_gone_at_once(service: Service) -> None:
    path = await content_path(service)
    attachment = path.removesuffix("/content")
    assert (await service.api.delete(attachment)).status_code == 204
    for gone in (path, attachment):
        assert (await service.api.get(gone)).status_code == 404
    assert (await service.api.delete(attachment)).status_code == 404
    assert (await service.api.get("/inventory/A-1/attachments")).json()["items"] == []


async def test_the_lists_are_of_their_owners(service: Service) -> None:
    """Newest first, page by page."""
    (await service.put("A-1")).raise_for_status()
    (await service.put("A-2")).raise_for_status()
    made = [(await upload(service, f"/inventory/{sku}/attachments", image())).json() for sku in ("A-1", "A-2", "A-1")]
    first = (await service.api.get("/inventory/A-1/attachments", params={"limit": 1})).json()
    second = await service.api.get("/inventory/A-1/attachments", params={"limit": 1, "cursor": first["next_cursor"]})
    assert [first["items"], second.json()["items"]] == [[made[2]], [made[0]]]
    assert second.json()["next_cursor"] is None
    other = await service.api.get("/inventory/A-2/attachments", params={"cursor": first["next_cursor"]})
    assert (other.status_code, error_of(other)["type"]) == (400, "INVALID_CURSOR")
    assert (await service.api.get("/inventory/NONE/attachments")).status_code == 404
