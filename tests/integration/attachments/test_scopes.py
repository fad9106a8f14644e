"""Who sees an attachment may see what it belongs to."""

from pathlib import Path

import pytest
from tests.support.attaching import an_item, image, sha256, upload
from tests.support.selling import line, order
from tests.support.service import ADMIN_KEY, Service, error_of, write_keys

from inventory_api.http.auth import SCOPES


@pytest.mark.parametrize("owner", ["item", "order"])
async def test_all_that_is_done_with_one_asks_for_the_scope_of_its_owner(
    service: Service, keys_file: Path, owner: str
) -> None:
    path = await an_item(service)
    owner_id = "A-1"
    if owner == "order":
        owner_id = (await order(service, line("A-1", 1))).json()["id"]
        path = f"/orders/{owner_id}/attachments"
    answer = await upload(service, path, image())
    made = answer.json()
    assert (answer.status_code, made["owner"]) == (201, {"type": owner, "id": owner_id})
    creation = {
        "owner": made["owner"], "filename": "a.png", "content_type": "image/png", "size": 9, "sha256": sha256(b""),
    }  # fmt: skip
    asked = "orders:read" if owner == "order" else "inventory:read"
    one = f"/attachments/{made['id']}"
    requests = [
        ("GET", path), ("POST", path), ("GET", one), ("GET", f"{one}/content"), ("POST", f"{one}/complete"),
        ("POST", "/attachments/uploads"), ("DELETE", one),
    ]  # fmt: skip
    for without, is_refused in ((asked, True), ("jobs:admin", False)):
        write_keys(keys_file, {"admin": ADMIN_KEY}, [scope for scope in SCOPES if scope != without])
        service.app.api.state.resources.api_keys._checked = -10.0
        for method, target in requests:
            json = creation if target == "/attachments/uploads" else None
            response = await service.api.request(method, target, json=json)
            assert (response.status_code == 403) == is_refused, (method, target)
            if is_refused:
                assert asked in error_of(response)["message"]
