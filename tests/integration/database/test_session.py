"""What is written within a transaction and waited for by nobody is sent at its end, together and in order."""

from collections.abc import AsyncIterator

import pytest
from tests.support import working

from inventory_api.database.pool import Database
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.database.transaction import in_transaction

CODES = Statement("test.codes", "SELECT array_agg(code ORDER BY version) AS codes FROM location WHERE code <> 'MAIN'")
INSERT = Statement(
    "test.insert",
    "INSERT INTO location (code, name, version) SELECT code, code, number"
    " FROM unnest($1::text[]) WITH ORDINALITY AS row (code, number)",
)
OTHER = Statement(
    "test.other", "INSERT INTO location (code, name, version) SELECT * FROM unnest($1::text[], $2::text[], $3::int[])"
)
LAST = Statement("test.last", "INSERT INTO location (code, name, version) VALUES ($2, $1, 90) RETURNING code")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with working.database(database_url) as opened:
        yield opened


async def codes(database: Database) -> list[str]:
    async with database.session() as session:
        row = await session.fetch_one(CODES)
    assert row is not None
    return list(row["codes"] or ())


async def test_it_is_sent_at_the_end_in_one_trip(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    fetch_one = Session.fetch_one

    async def noted(session: Session, statement: Statement, *arguments: object) -> object:
        sent.append(statement.name)
        return await fetch_one(session, statement, *arguments)

    async with database.session() as session, session.transaction():
        monkeypatch.setattr(Session, "fetch_one", noted)
        await session.write(INSERT, ["A"])
        await session.write(OTHER, ["B", "B", 50])
        assert sent == []
        row = await session.finish(LAST, "name", "C")
        assert row is not None
        assert row["code"] == "C"
    assert sent == ["test.insert+test.other+test.last"]
    assert await codes(database) == ["A", "B", "C"]


async def test_those_of_one_statement_are_written_in_their_order(database: Database) -> None:
    async with database.session() as session, session.transaction():
        for code in ("C", "A", "B"):
            await session.write(INSERT, [code])
    assert await codes(database) == ["C", "A", "B"]


async def test_without_a_transaction_it_is_written_at_once(database: Database) -> None:
    async with database.session() as session:
        await session.write(INSERT, ["A"])
        assert await codes(database) == ["A"]


async def test_what_is_rolled_back_is_not_written_by_the_next_transaction_of_the_session(database: Database) -> None:
    async with database.session() as session:
        with pytest.raises(RuntimeError):
            await _fail(session)
        async with session.transaction():
            await session.write(INSERT, ["B"])
    assert await codes(database) == ["B"]


async def test_one_that_fails_at_the_end_undoes_what_was_done_before(database: Database) -> None:
    @in_transaction
    async def fail(session: Session) -> None:
        await session.fetch_one(LAST, "name", "C")
        await session.write(OTHER, ["TWICE", "a", 1])
        await session.write(OTHER, ["TWICE", "b", 2])

    async with database.session() as session:
        with pytest.raises(Exception, match="location_pkey"):
            await fail(session)
    assert await codes(database) == []


@in_transaction
async def _fail(session: Session) -> None:
    await session.write(INSERT, ["A"])
    raise RuntimeError("on purpose")
