"""Every alert has a page, and what a page tells to do can be done: queries, statements, commands, settings, values."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from helm.command import CHART
from observability.known import vocabulary
from observability.rules import Options

from inventory_api import cli, settings
from observability import rules, runbooks
from tests.alerting.cases import CASES
from tests.support.database import UNBALANCED, execute
from tests.support.service import Service

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "docs" / "runbooks"
INDEX = FOLDER / "README.md"
PAGES = {path.stem: path for path in sorted(FOLDER.glob("*.md")) if path != INDEX}
ALERTS = runbooks.by_name(rules.alerts(Options("inventory", "inventory-inventory-api")))
# Of each alert, what it is drilled by.
FAULTS = {key.split()[0]: f"{case.about}." for case in CASES for key in case.alerts} | {"Watchdog": ""}
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Drill"]
BLOCK = re.compile(r"```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#]+?)(#[^)]*)?\)")
# Of settings that the chart has no value for.
SETTING = re.compile(r"INVENTORY_[A-Z_]+")
VALUE = re.compile(r"[a-z][A-Za-z]+(\.[a-z][A-Za-z]+)+")
# What looks as a value and is another thing, such as a file or a column.
NO_VALUE = re.compile(r".*\.(md|py|yml|yaml|json|example|crt)")
EXECUTED = re.compile(r"inventory-api (?:jobs|verify-ledger|trace|migrate)[^|`\n]*")


def blocks(kind: str) -> list[tuple[str, str]]:
    return [
        (name, text) for name, path in PAGES.items() for found, text in BLOCK.findall(path.read_text()) if found == kind
    ]


def found(pattern: re.Pattern[str]) -> list[Any]:
    """In each page, with its name."""
    return [
        pytest.param(*(match if isinstance(match, tuple) else (match,)), id=f"{path.stem}: {match}")
        for path in [INDEX, *PAGES.values()]
        for match in pattern.findall(path.read_text())
    ]


def test_every_alert_has_a_page_and_every_page_is_of_one() -> None:
    assert set(PAGES) == set(ALERTS)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_its_rule_does(name: str) -> None:
    lines = PAGES[name].read_text().splitlines()
    assert lines[0] == f"# {rules.PREFIX}{name}"
    assert lines[2] == runbooks.heading(ALERTS[name])
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == SECTIONS
    assert lines[-1].startswith(f'`make drill-alerts ARGS="-k {name}"`: {FAULTS[name]}')


def test_the_index_is_as_the_rules_are() -> None:
    text = INDEX.read_text()
    assert text == runbooks.index(text, [alert for alerts in ALERTS.values() for alert in alerts]), "make observability"


@pytest.mark.parametrize(("name", "expression"), blocks("promql"))
def test_a_query_reads_what_there_is(name: str, expression: str) -> None:
    assert vocabulary().problems(expression) == []


@pytest.mark.parametrize(("name", "statement"), blocks("sql"))
async def test_a_statement_can_be_asked(name: str, statement: str, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_level_is_mended_as_the_page_says(service: Service, database_url: str) -> None:
    (mending,) = [statement for _, statement in blocks("sql") if "UPDATE stock_level" in statement]
    await service.put("BOLT-M10")
    await execute(database_url, "UPDATE stock_level SET on_hand = on_hand + 7")
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetch(UNBALANCED)
        await connection.execute(mending)
        assert not await connection.fetch(UNBALANCED)
    finally:
        await connection.close()


@pytest.mark.parametrize(("name", "command"), [*blocks("sh")])
def test_a_command_says_its_namespace(name: str, command: str) -> None:
    for line in command.splitlines():
        if line.startswith("kubectl"):
            assert "--namespace inventory" in line


@pytest.mark.parametrize("name", PAGES)
def test_a_command_of_the_service_is_one(name: str) -> None:
    for command in EXECUTED.findall(PAGES[name].read_text()):
        words = shlex.split(command.replace("<request_id>", "id"))[1:]
        try:
            cli.parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"inventory-api refuses: {command}")


@pytest.mark.parametrize("path", [INDEX, *PAGES.values()], ids=lambda path: path.stem)
def test_settings_and_values_are_there(path: Path) -> None:
    text = path.read_text()
    known = {f"{settings.PREFIX}{name.upper()}" for name in settings.Settings.model_fields}
    assert set(SETTING.findall(text)) <= known
    named = {found for found in CODE.findall(text) if VALUE.fullmatch(found) and not NO_VALUE.fullmatch(found)}
    values = set(chart_values(yaml.safe_load((CHART / "values.yaml").read_text())))
    others = {"http.route", "client.address", "error.type"}
    assert named - values <= others


@pytest.mark.parametrize("path", [INDEX, *PAGES.values()], ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    assert [to for to, _ in LINK.findall(path.read_text()) if not (path.parent / to).exists()] == []


def chart_values(node: dict[str, object], before: str = "") -> Iterator[str]:
    for name, value in node.items():
        yield f"{before}{name}"
        if isinstance(value, dict):
            yield from chart_values(value, f"{before}{name}.")
