"""Statements leave nothing behind in their session, and several can be one."""

import pytest

from inventory_api.database.statement import Statement, together


@pytest.mark.parametrize(
    "sql",
    [
        "SET search_path = x",
        "\n  set session timezone = 'x'",
        "RESET ALL",
        "LISTEN events",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "PREPARE p AS SELECT 1",
        "CREATE TEMPORARY TABLE t (a int)",
        "CREATE LOCAL TEMP TABLE t (a int)",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_lock(1)",
        "SELECT set_config('a.b', 'c', false)",
    ],
)
def test_one_that_changes_its_session_cannot_be_made(sql: str) -> None:
    with pytest.raises(ValueError, match=r"test\.it leaves state behind"):
        Statement("test.it", sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE item SET name = $1",
        "SET LOCAL lock_timeout = 100",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT set_config('a.b', 'c', true)",
        "CREATE TABLE temperature (a int)",
    ],
)
def test_what_ends_with_its_transaction_can(sql: str) -> None:
    assert Statement("test.it", sql).sql == sql


def test_several_are_one_with_the_arguments_of_each_in_order_and_the_result_of_the_last() -> None:
    first = Statement("test.first", "INSERT INTO a VALUES ($1, $2, $1)")
    second = Statement("test.second", "INSERT INTO b SELECT $11::int")
    last = Statement("test.last", "INSERT INTO c VALUES ($2, $1) RETURNING $1")
    combined = together((first, second), last)
    assert combined.name == "test.first+test.second+test.last"
    assert combined.sql == (
        "WITH part_0 AS (INSERT INTO a VALUES ($1, $2, $1)), part_1 AS (INSERT INTO b SELECT $13::int)"
        " INSERT INTO c VALUES ($15, $14) RETURNING $14"
    )
    assert together((first, second), last) is combined
    assert together((), last) is last


def test_one_that_writes_within_a_with_of_its_own_is_not_sent_together_with_others() -> None:
    nested = Statement("test.nested", "WITH a AS (INSERT INTO a VALUES (1)) SELECT 1")
    with pytest.raises(ValueError, match=r"test\.nested is no INSERT"):
        together((nested,), nested)
