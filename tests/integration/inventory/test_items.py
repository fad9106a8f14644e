"""Items over HTTP, on a real PostgreSQL."""

import asyncio
from typing import Any

import asyncpg
import pytest
from tests.support.service import ITEM, Service, error_of


async def test_put_creates_with_location_and_etag_and_get_reads_the_same(service: Service) -> None:
    created = await service.put("A-1")
    assert created.status_code == 201
    assert created.headers["Location"] == "/inventory/A-1"
    read = await service.api.get("/inventory/A-1")
    assert read.status_code == 200
    assert read.json() == created.json()
    assert read.headers["ETag"] == created.headers["ETag"]
    assert {name: read.json()[name] for name in ITEM} == ITEM
    assert read.json()["levels"] == [{"location": "MAIN", "on_hand": 10, "reserved": 0, "available": 10}]


async def test_patch_changes_the_given_field_and_no_other(service: Service) -> None:
    before = (await service.put("A-1", low_stock_threshold=3)).json()
    after = (await service.patch("A-1", {"name": "Nut"})).json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"name", "version", "updated_at"}


async def test_audit_holds_exactly_what_changed_with_the_request_that_changed_it(service: Service) -> None:
    await service.put("A-1")
    patched = await service.patch("A-1", {"name": "Nut", "is_discontinued": False}, X_Request_ID="my-request")
    entry, created = await service.audit("A-1")
    assert entry["changes"] == {"name": {"before": "Bolt", "after": "Nut"}}
    assert (entry["action"], entry["actor"], entry["request_id"]) == ("patch", "key:admin", "my-request")
    assert patched.headers["X-Request-ID"] == "my-request"
    assert created["action"] == "create"
    assert created["changes"]["quantity"] == {"before": None, "after": 10}


async def test_patch_that_changes_nothing_keeps_the_version_and_writes_no_audit_row(service: Service) -> None:
    created = await service.put("A-1")
    patched = await service.patch("A-1", {"name": "Bolt"})
    assert patched.status_code == 200
    assert patched.headers["ETag"] == created.headers["ETag"]
    assert len(await service.audit("A-1")) == 1


async def test_true_in_the_place_of_1_is_a_change_although_python_calls_them_equal(service: Service) -> None:
    await service.put("A-1", attributes={"coated": 1})
    await service.patch("A-1", {"attributes": {"coated": True}})
    assert (await service.api.get("/inventory/A-1")).json()["attributes"]["coated"] is True
    assert len(await service.audit("A-1")) == 2


@pytest.mark.parametrize("number", ["1e16", "1e22", "-0.0", "123456789012345678901234567890.5", "0.1", "1e-7", "1.0"])
async def test_a_number_that_is_sent_again_is_no_change_however_it_is_written(service: Service, number: str) -> None:
    """jsonb gives numbers back without exponents; a change is one of the value."""
    await service.put("A-1")
    body = f'{{"attributes": {{"a": [{number}]}}}}'
    headers = {"Content-Type": "application/json"}
    etags = {(await service.api.patch("/inventory/A-1", content=body, headers=headers)).headers["ETag"] for _ in "123"}
    assert len(etags) == 1
    assert len(await service.audit("A-1")) == 2


async def test_every_line_of_a_conditional_header_counts(service: Service) -> None:
    """RFC 9110, 5.3: several lines are one list."""
    etag = (await service.put("A-1")).headers["ETag"]
    lines = [("If-Match", '"a"'), ("If-Match", etag)]
    assert (await service.api.patch("/inventory/A-1", json={"quantity": 1}, headers=lines)).status_code == 200
    lines = [("If-None-Match", '"a"'), ("If-None-Match", "*")]
    assert (await service.api.patch("/inventory/A-1", json={"name": "x"}, headers=lines)).status_code == 412


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"name": None}, "VALIDATION_FAILURE"),
        ({"quantity": None}, "VALIDATION_FAILURE"),
        ({"is_discontinued": None}, "VALIDATION_FAILURE"),
        ({"attributes": None}, "VALIDATION_FAILURE"),
        ({"warehouse_location": None}, "VALIDATION_FAILURE"),
        ({"is_discontinued": 1}, "VALIDATION_FAILURE"),
        ({"quantity": "10"}, "VALIDATION_FAILURE"),
        ({"quantity": 10.0}, "VALIDATION_FAILURE"),
        ({"quantity": True}, "VALIDATION_FAILURE"),
        ({"quantity": -1}, "VALIDATION_FAILURE"),
        ({"quantity": 2_147_483_648}, "VALIDATION_FAILURE"),
        ({"nmae": "Nut"}, "VALIDATION_FAILURE"),
        ({"name": ""}, "VALIDATION_FAILURE"),
        ({"name": " \t"}, "VALIDATION_FAILURE"),
        ({"name": "x" * 201}, "VALIDATION_FAILURE"),
        ({"name": "a\x00b"}, "VALIDATION_FAILURE"),
        ({"attributes": {"a": "\x00"}}, "VALIDATION_FAILURE"),
        ({"attributes": {"a": "x" * 17_000}}, "VALIDATION_FAILURE"),
        ({"sku": "B-2", "name": "Nut"}, "VALIDATION_FAILURE"),
        ([], "VALIDATION_FAILURE"),
        ({}, "EMPTY_PATCH"),
        ({"sku": "A-1"}, "EMPTY_PATCH"),
        ({"warehouse_location": "NOWHERE"}, "UNKNOWN_LOCATION"),
    ],
)
async def test_patch_refuses_with_422_and_changes_nothing(service: Service, body: Any, kind: str) -> None:
    created = await service.put("A-1")
    refused = await service.patch("A-1", body)
    assert refused.status_code == 422
    assert error_of(refused)["type"] == kind
    assert (await service.api.get("/inventory/A-1")).json() == created.json()
    assert len(await service.audit("A-1")) == 1


async def test_only_low_stock_threshold_can_be_set_to_null(service: Service) -> None:
    await service.put("A-1", low_stock_threshold=3)
    assert (await service.patch("A-1", {"low_stock_threshold": None})).json()["low_stock_threshold"] is None


async def test_validation_errors_never_repeat_what_the_client_sent(service: Service) -> None:
    refused = await service.patch("A-1", {"name": ["secret-in-the-body"], "secret-as-a-name": 1})
    assert "secret-in-the-body" not in refused.text
    assert all(set(detail) == {"location", "code", "message", "meta"} for detail in error_of(refused)["details"])


async def test_setting_the_quantity_needs_if_match_and_a_current_one(service: Service) -> None:
    created = await service.put("A-1")
    missing = await service.patch("A-1", {"quantity": 4})
    assert (missing.status_code, error_of(missing)["type"]) == (428, "PRECONDITION_REQUIRED")
    stale = await service.patch("A-1", {"quantity": 4}, If_Match='"0.0"')
    assert (stale.status_code, error_of(stale)["type"]) == (412, "PRECONDITION_FAILED")
    done = await service.patch("A-1", {"quantity": 4}, If_Match=created.headers["ETag"])
    assert (done.status_code, done.json()["quantity"]) == (200, 4)
    assert done.headers["ETag"] != created.headers["ETag"]


async def test_if_match_is_honoured_also_where_it_is_not_required(service: Service) -> None:
    await service.put("A-1")
    assert (await service.patch("A-1", {"name": "Nut"}, If_Match='"9.9"')).status_code == 412
    assert (await service.patch("A-1", {"name": "Nut"}, If_Match="no-tag")).status_code == 412
    assert (await service.patch("A-1", {"name": "Nut"}, If_Match="*")).status_code == 200


async def test_put_on_an_item_that_exists_needs_if_match(service: Service) -> None:
    created = await service.put("A-1")
    assert (await service.put("A-1", name="Nut")).status_code == 428
    assert (await service.put("A-1", {"If-Match": '"0.0"'}, name="Nut")).status_code == 412
    assert (await service.put("A-1", {"If-None-Match": "*"}, name="Nut")).status_code == 412
    replaced = await service.put("A-1", {"If-Match": created.headers["ETag"]}, name="Nut", quantity=3)
    assert (replaced.status_code, replaced.json()["name"], replaced.json()["quantity"]) == (200, "Nut", 3)
    assert "Location" not in replaced.headers


async def test_put_with_if_match_creates_nothing(service: Service) -> None:
    assert (await service.put("A-1", {"If-Match": "*"})).status_code == 412
    assert (await service.api.get("/inventory/A-1")).status_code == 404


@pytest.mark.parametrize("missing", sorted(ITEM))
async def test_put_needs_every_field(service: Service, missing: str) -> None:
    body = {name: value for name, value in ITEM.items() if name != missing}
    refused = await service.api.put("/inventory/A-1", json=body)
    assert refused.status_code == 422
    assert error_of(refused)["details"][0]["location"] == ["body", missing]


async def test_of_many_puts_of_one_new_sku_exactly_one_creates(service: Service) -> None:
    answers = await asyncio.gather(*(service.put("A-1", name=f"Bolt {n}") for n in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [428] * 7
    assert len(await service.audit("A-1")) == 1


async def test_of_many_patches_with_one_etag_exactly_one_applies(service: Service) -> None:
    etag = (await service.put("A-1")).headers["ETag"]
    answers = await asyncio.gather(*(service.patch("A-1", {"quantity": n}, If_Match=etag) for n in range(20, 28)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7


async def test_of_many_patches_of_a_name_with_one_etag_exactly_one_applies(service: Service) -> None:
    """No stock moves here: it is the item's own row that must be locked."""
    etag = (await service.put("A-1")).headers["ETag"]
    answers = await asyncio.gather(*(service.patch("A-1", {"name": f"{n}"}, If_Match=etag) for n in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7


async def test_quantity_is_a_movement_and_every_level_equals_the_sum_of_its_movements(
    service: Service, database_url: str
) -> None:
    etag = (await service.put("A-1", quantity=10)).headers["ETag"]
    etag = (await service.patch("A-1", {"quantity": 4}, If_Match=etag)).headers["ETag"]
    await service.patch("A-1", {"quantity": 9}, If_Match=etag)
    connection = await asyncpg.connect(database_url)
    movements = await connection.fetch("SELECT on_hand_delta, on_hand FROM stock_movement ORDER BY created_at")
    level = await connection.fetchrow("SELECT on_hand FROM stock_level")
    await connection.close()
    assert [tuple(movement) for movement in movements] == [(10, 10), (-6, 4), (5, 9)]
    assert level is not None
    assert level["on_hand"] == sum(movement["on_hand_delta"] for movement in movements)


async def test_stock_cannot_fall_below_what_is_reserved_and_the_error_says_how_much_is(
    service: Service, database_url: str
) -> None:
    await service.put("A-1", quantity=10)
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE stock_level SET reserved = 7, version = version + 1")
    await connection.close()
    etag = (await service.api.get("/inventory/A-1")).headers["ETag"]
    refused = await service.patch("A-1", {"quantity": 6}, If_Match=etag)
    assert (refused.status_code, error_of(refused)["type"]) == (409, "STOCK_BELOW_RESERVED")
    assert error_of(refused)["details"][0]["meta"] == {
        "sku": "A-1", "location": "MAIN", "on_hand": 10, "reserved": 7, "available": 3,
    }  # fmt: skip
    assert (await service.patch("A-1", {"quantity": 7}, If_Match=etag)).status_code == 200


async def test_no_more_is_taken_from_a_location_than_is_there(service: Service) -> None:
    """Whatever is elsewhere: a quantity is set by the difference."""
    (await service.api.post("/locations", json={"code": "EAST", "name": "East"})).raise_for_status()
    etag = (await service.put("A-1", quantity=10)).headers["ETag"]
    moved = await service.patch("A-1", {"quantity": 12, "warehouse_location": "EAST"}, If_Match=etag)
    refused = await service.patch("A-1", {"quantity": 9}, If_Match=moved.headers["ETag"])
    assert (refused.status_code, error_of(refused)["type"]) == (409, "INSUFFICIENT_STOCK")
    assert error_of(refused)["details"][0]["meta"]["available"] == 2
    assert (await service.api.get("/inventory/A-1")).json() == moved.json()


@pytest.mark.parametrize("sku", [".", ".."])
async def test_what_no_path_can_name_is_no_sku_and_no_code(service: Service, sku: str) -> None:
    made = await service.api.post("/locations", json={"code": sku, "name": "Nowhere"})
    assert error_of(made)["details"][0]["location"] == ["body", "code"]
    line = {"sku": sku, "delta": 1, "reason": "found"}
    changed = await service.api.post("/inventory/adjustments", json={"lines": [line]}, headers={"Idempotency-Key": "k"})
    assert error_of(changed)["details"][0]["location"] == ["body", "lines", 0, "sku"]


@pytest.mark.parametrize("sku", ["...", ".a", "..a", "a.", "-", "x" * 64, "." + "x" * 63])
async def test_a_sku_may_begin_with_dots(service: Service, sku: str) -> None:
    assert (await service.put(sku)).status_code == 201
    assert (await service.api.get(f"/inventory/{sku}")).json()["sku"] == sku


async def test_the_location_is_applied_before_the_quantity(service: Service, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO location (code, name) VALUES ('EAST', 'East')")
    await connection.close()
    etag = (await service.put("A-1", quantity=10)).headers["ETag"]
    moved = await service.patch("A-1", {"quantity": 13, "warehouse_location": "EAST"}, If_Match=etag)
    assert moved.json()["quantity"] == 13
    assert [(level["location"], level["on_hand"]) for level in moved.json()["levels"]] == [("EAST", 3), ("MAIN", 10)]


async def test_a_location_that_is_not_active_takes_no_stock_by_put_or_patch(service: Service) -> None:
    """It may be that of an item, whose stock is elsewhere or less."""
    (await service.api.post("/locations", json={"code": "OLD", "name": "Old", "active": False})).raise_for_status()
    refused = await service.put("A-1", warehouse_location="OLD")
    assert (refused.status_code, error_of(refused)["type"]) == (422, "UNKNOWN_LOCATION")
    detail = error_of(refused)["details"][0]
    assert (detail["location"], detail["code"]) == (["body", "quantity"], "inactive_location")
    assert detail["meta"] == {"location": "OLD"}
    assert (await service.api.get("/inventory/A-1")).status_code == 404
    created = await service.put("A-1", warehouse_location="OLD", quantity=0)
    assert created.status_code == 201
    for change in ({"quantity": 1}, {"quantity": 1, "name": "Nut"}):
        assert error_of(await service.patch("A-1", change, If_Match="*"))["type"] == "UNKNOWN_LOCATION"
    (await service.api.patch("/locations/OLD", json={"active": True})).raise_for_status()
    (await service.patch("A-1", {"quantity": 5}, If_Match="*")).raise_for_status()
    (await service.api.patch("/locations/OLD", json={"active": False})).raise_for_status()
    assert (await service.patch("A-1", {"quantity": 4}, If_Match="*")).json()["quantity"] == 4


async def test_a_failed_change_leaves_neither_movement_nor_audit(service: Service, database_url: str) -> None:
    """The audit row is refused by the database after the level was changed: everything is rolled back."""
    etag = (await service.put("A-1")).headers["ETag"]
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE audit_entry ADD CONSTRAINT refused CHECK (action <> 'patch')")
    failed = await service.patch("A-1", {"quantity": 3}, If_Match=etag)
    movements = await connection.fetchval("SELECT count(*) FROM stock_movement")
    await connection.close()
    assert (failed.status_code, error_of(failed)["type"]) == (500, "INTERNAL_FAILURE")
    assert movements == 1
    assert (await service.api.get("/inventory/A-1")).headers["ETag"] == etag


async def test_json_replaces_attributes_and_merge_patch_merges_them(service: Service) -> None:
    await service.put("A-1", attributes={"a": 1, "b": {"c": 2, "d": 3}})
    url, merge = "/inventory/A-1", {"Content-Type": "application/merge-patch+json"}
    merged = await service.api.patch(url, content='{"attributes": {"a": null, "b": {"c": 4}}}', headers=merge)
    assert merged.json()["attributes"] == {"b": {"c": 4, "d": 3}}
    replaced = await service.patch("A-1", {"attributes": {"e": 5}})
    assert replaced.json()["attributes"] == {"e": 5}


async def test_a_merge_cannot_grow_the_attributes_over_their_bounds(service: Service) -> None:
    await service.put("A-1", attributes={"a": "x" * 10_000})
    merge = {"Content-Type": "application/merge-patch+json"}
    body = '{"attributes": {"b": "' + "x" * 10_000 + '"}}'
    refused = await service.api.patch("/inventory/A-1", content=body, headers=merge)
    assert (refused.status_code, error_of(refused)["type"]) == (422, "VALIDATION_FAILURE")


async def test_a_merge_that_takes_away_is_not_too_large(service: Service) -> None:
    """However much it has to say for that."""
    names = [f"attribute-{number:04}" for number in range(700)]
    await service.put("A-1", attributes=dict.fromkeys(names, 1))
    merge = {"Content_Type": "application/merge-patch+json"}
    patched = await service.patch("A-1", {"attributes": dict.fromkeys(names)}, **merge)
    assert (patched.status_code, patched.json()["attributes"]) == (200, {})
    refused = await service.patch("A-1", {"attributes": {"a": "x" * 17_000}})
    assert error_of(refused)["details"][0]["code"] == "attributes_bounds"


async def test_if_none_match_answers_304_without_a_body(service: Service) -> None:
    etag = (await service.put("A-1")).headers["ETag"]
    same = await service.api.get("/inventory/A-1", headers={"If-None-Match": f'"x", W/{etag}'})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", etag)
    other = await service.api.get("/inventory/A-1", headers={"If-None-Match": '"x"'})
    assert other.status_code == 200


async def test_a_read_is_conditional_on_if_match_too(service: Service) -> None:
    etag = (await service.put("A-1")).headers["ETag"]
    for tag, status in ((etag, 200), ("*", 200), ('"0.0"', 412)):
        assert (await service.api.get("/inventory/A-1", headers={"If-Match": tag})).status_code == status
        assert (await service.api.get("/locations/MAIN", headers={"If-Match": tag})).status_code == (
            status if tag != etag else 412
        )


async def test_audit_pages_show_everything_once_and_newest_first(service: Service) -> None:
    await service.put("A-1", name="0")
    for n in range(1, 6):
        await service.patch("A-1", {"name": str(n)})
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await service.api.get("/inventory/A-1/audit", params=params)).raise_for_status().json()
        seen += [entry["changes"]["name"]["after"] for entry in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["5", "4", "3", "2", "1", "0"]


async def test_a_cursor_is_bound_to_its_list(service: Service) -> None:
    await service.put("A-1")
    await service.patch("A-1", {"name": "Nut"})
    await service.put("B-2")
    cursor = (await service.api.get("/inventory/A-1/audit?limit=1")).json()["next_cursor"]
    refused = await service.api.get("/inventory/B-2/audit", params={"cursor": cursor})
    assert (refused.status_code, error_of(refused)["type"]) == (400, "INVALID_CURSOR")
    assert (await service.api.get("/inventory/A-1/audit?limit=0")).status_code == 422
    assert (await service.api.get("/inventory/A-1/audit?limit=9999")).status_code == 200


async def test_a_sku_that_cannot_exist_is_422_and_one_that_does_not_is_404(service: Service) -> None:
    assert (await service.api.get("/inventory/no%20sku")).status_code == 422
    absent = await service.api.get("/inventory/absent")
    assert (absent.status_code, error_of(absent)["type"]) == (404, "NOT_FOUND")
    assert (await service.patch("absent", {"name": "x"})).status_code == 404
    assert (await service.api.get("/inventory/absent/audit")).status_code == 404
