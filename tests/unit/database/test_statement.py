"""Statements leave nothing behind in their session."""

import pytest

from inventory_api.database.statement import Statement


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
