"""Whatever is done with stock in whatever order, the service does as the model says (`model.py`)."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.support.database import UNBALANCED
from tests.support.service import ITEM, Service, running

from .model import Item, Model, Refused, Step

EXAMPLES, STEPS = 20, 25
PLACES = 3
RESERVE = """
WITH reached AS (
    UPDATE stock_level SET reserved = reserved + $3, version = version + 1
    WHERE sku = $1 AND location = $2 RETURNING on_hand, reserved
)
INSERT INTO stock_movement (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved,
                            actor, request_id)
SELECT gen_random_uuid(), $1, $2, 'reserve', 0, $3, on_hand, reserved, 'test', 'test' FROM reached
"""
MISJUDGED = """
SELECT sku FROM item
WHERE is_low_stock <> coalesce(
    low_stock_threshold >= (SELECT sum(on_hand) - sum(reserved) FROM stock_level WHERE stock_level.sku = item.sku),
    false)
"""
_serial = itertools.count()

# Which sku; the last one is no item.
number = st.sampled_from([0, 1] * 5 + [2])
quantity = st.integers(0, 40)
place = st.integers(0, PLACES - 1)
delta = st.sampled_from([-2, 2]) | st.integers(-15, 15).filter(bool)
adjustments = st.lists(st.tuples(number, st.none() | place, delta), min_size=1, max_size=4)
moves = st.tuples(number, place, place, st.integers(1, 15)).filter(lambda move: move[1] != move[2])
transfers = st.lists(moves, min_size=1, max_size=3)


class StockMachine(RuleBasedStateMachine):
    """Items and locations of its own in the one database. `runner`, `service` and `database` are set by the test."""

    runner: asyncio.Runner
    service: Service
    database: asyncpg.Connection
    etags = Bundle("etags")

    def __init__(self) -> None:
        super().__init__()
        serial = next(_serial)
        self.places = [f"P-{serial}-{number}" for number in range(PLACES)]
        self.skus = [f"S-{serial}-{number}" for number in range(3)]
        self.model = Model(self.places)
        self.sent: dict[str, tuple[str, Any, httpx.Response]] = {}
        for code in self.places:
            self.ask("POST", "/locations", {"code": code, "name": code}).raise_for_status()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.runner.run(self.service.api.request(method, path, json=body, headers=named))

    def read(self, sku: str) -> httpx.Response:
        """Not from the cache: what `reserve` does by itself does not drop it."""
        return self.ask("GET", f"/inventory/{sku}", Cache_Control="no-cache")

    @initialize(target=etags, quantity=quantity, at=place)
    def create_the_first(self, quantity: int, at: int) -> tuple[str, str]:
        return self.create(self.skus[0], quantity, self.places[at])

    @initialize(target=etags, quantity=quantity, at=place)
    def create_the_second(self, quantity: int, at: int) -> tuple[str, str]:
        return self.create(self.skus[1], quantity, self.places[at])

    def create(self, sku: str, quantity: int, home: str) -> tuple[str, str]:
        answer = self.ask("PUT", f"/inventory/{sku}", {**ITEM, "quantity": quantity, "warehouse_location": home})
        assert answer.status_code == 201
        self.model.items[sku] = Item(home, {home: quantity})
        return sku, answer.headers["ETag"]

    @rule(lines=adjustments)
    def adjust(self, lines: list[tuple[int, int | None, int]]) -> None:
        steps = [
            Step(line, self.skus[number], None if at is None else self.places[at], change)
            for line, (number, at, change) in enumerate(lines)
        ]
        payload = [
            {"sku": step.sku, "delta": step.delta, "reason": "counted"}
            | ({"location": step.location} if step.location else {})
            for step in steps
        ]
        self.change("adjustments", payload, steps)

    @rule(lines=transfers)
    def transfer(self, lines: list[tuple[int, int, int, int]]) -> None:
        named = [(self.skus[number], self.places[a], self.places[b], much) for number, a, b, much in lines]
        payload = [{"sku": sku, "from": origin, "to": to, "quantity": much} for sku, origin, to, much in named]
        steps = [
            step
            for line, (sku, origin, to, much) in enumerate(named)
            for step in (Step(line, sku, origin, -much), Step(line, sku, to, much))
        ]
        self.change("transfers", payload, steps)

    def change(self, what: str, lines: Any, steps: list[Step]) -> None:
        key, path, body = str(next(_serial)), f"/inventory/{what}", {"lines": lines}
        answer = self.ask("POST", path, body, Idempotency_Key=key)
        before = {sku: dict(item.on_hand) for sku, item in self.model.items.items()}
        expected = self.model.change(steps)
        if isinstance(expected, Refused):
            _assert_refused(answer, expected)
            return
        assert answer.status_code == 201
        assert [made["on_hand"] for made in answer.json()["movements"]] == expected
        self.sent[key] = (path, body, answer)
        entries = self.ask("GET", f"/audit?request_id={answer.headers['X-Request-ID']}").json()["items"]
        assert {entry["resource"]: entry["changes"] for entry in entries} == {
            f"item:{sku}": changes
            for sku in {step.sku for step in steps}
            if (changes := _difference(before[sku], self.model.items[sku].on_hand))
        }

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.sent)))
        path, body, first = self.sent[key]
        again = self.ask("POST", path, body, Idempotency_Key=key)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"

    @rule(data=st.data(), quantity=quantity, at=place)
    def patch(self, data: st.DataObject, quantity: int, at: int) -> None:
        sku, home = data.draw(st.sampled_from(self.skus[:2])), self.places[at]
        etag = self.read(sku).headers["ETag"]
        expected = self.model.set_quantity(sku, quantity, home)
        body = {"quantity": quantity, "warehouse_location": home}
        answer = self.ask("PATCH", f"/inventory/{sku}", body, If_Match=etag)
        if expected:
            _assert_refused(answer, expected)
            return
        assert answer.status_code == 200

    @rule(data=st.data(), threshold=st.none() | quantity)
    def patch_the_threshold(self, data: st.DataObject, threshold: int | None) -> None:
        sku = data.draw(st.sampled_from(self.skus[:2]))
        self.ask("PATCH", f"/inventory/{sku}", {"low_stock_threshold": threshold}).raise_for_status()

    @rule(stale=etags)
    def patch_what_was_read_before(self, stale: tuple[str, str]) -> None:
        sku, etag = stale
        is_current = self.read(sku).headers["ETag"] == etag
        answer = self.ask("PATCH", f"/inventory/{sku}", {"is_discontinued": False}, If_Match=etag)
        assert answer.status_code == (200 if is_current else 412)

    @rule(at=place)
    def close_or_open(self, at: int) -> None:
        code = self.places[at]
        self.model.active ^= {code}
        self.ask("PATCH", f"/locations/{code}", {"active": code in self.model.active}).raise_for_status()

    @rule(data=st.data(), count=st.integers(1, 30))
    def reserve(self, data: st.DataObject, count: int) -> None:
        """At most so many, as an order would; it has no route yet."""
        sku = data.draw(st.sampled_from(self.skus[:2]))
        item = self.model.items[sku]
        for code, on_hand in item.on_hand.items():
            held = item.reserved.get(code, 0)
            if added := min(count, on_hand - held):
                item.reserved[code] = held + added
                self.runner.run(self.database.execute(RESERVE, sku, code, added))
                return

    @invariant()
    def levels_are_those_of_the_model(self) -> None:
        for sku, item in self.model.items.items():
            read = self.read(sku).json()
            levels = {level["location"]: (level["on_hand"], level["reserved"]) for level in read["levels"]}
            wanted = {code: (on_hand, item.reserved.get(code, 0)) for code, on_hand in item.on_hand.items()}
            assert {code: level for code, level in levels.items() if level != (0, 0)} == {
                code: level for code, level in wanted.items() if level != (0, 0)
            }
            assert read["quantity"] == sum(item.on_hand.values())

    def teardown(self) -> None:
        assert self.runner.run(self.database.fetch(UNBALANCED)) == []
        assert self.runner.run(self.database.fetch(MISJUDGED)) == []


def _difference(before: dict[str, int], after: dict[str, int]) -> dict[str, dict[str, int]]:
    """As the audit tells it."""
    return {
        f"levels.{code}.on_hand": {"before": before.get(code, 0), "after": count}
        for code, count in after.items()
        if count != before.get(code, 0)
    }


def _assert_refused(answer: httpx.Response, expected: Refused) -> None:
    error = answer.json()["error"]
    assert error["type"] == expected.error
    named = [place[2] for place in (detail["location"] for detail in error["details"]) if place[1] == "lines"]
    assert named == expected.lines


def test_against_the_model(database_url: str, redis_url: str, keys_file: Path) -> None:
    with asyncio.Runner() as runner:
        context = running(database_url=database_url, redis_url=redis_url, api_keys_file=str(keys_file))
        StockMachine.runner = runner
        StockMachine.service = runner.run(context.__aenter__())
        StockMachine.database = runner.run(asyncpg.connect(database_url))
        try:
            run_state_machine_as_test(
                StockMachine,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    derandomize=True,
                    # Without `Phase.shrink`: what fails is told at once, if not in the fewest steps.
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(StockMachine.database.close())
            runner.run(context.__aexit__(None, None, None))
