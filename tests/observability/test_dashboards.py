"""Every dashboard asks for what there is, and says what an operator needs: read from the JSON that is shipped."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from observability.dashboards import asked
from observability.dashboards.board import BOARDS, TAG
from observability.generate import CHART
from observability.known import recorded, vocabulary
from observability.rules import Alert, Options
from observability.rules.model import DASHBOARD
from observability.vocabulary import Vocabulary

from inventory_api.telemetry.metrics import CATALOGUE
from observability import promql, rules

FILES = CHART / "files" / "dashboards"
SHIPPED: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in sorted(FILES.iterdir())}
QUESTIONS = [question for board in SHIPPED.values() for question in asked.questions(board)]
PANELS = [(name, panel) for name, board in SHIPPED.items() for panel in asked.panels(board)]
# Everything is chosen. A rate is over four scrapes of 30 s, as Grafana makes it of the steps of the panels.
CHOSEN = {
    "cluster": ".*",
    "namespace": "shop",
    "job": "inventory-api",
    "instance": ".*",
    "route": ".*",
    "release": ".*",
    "__rate_interval": "2m",
}
UNITS = {"none", "short", "s", "bytes", "percentunit", "reqps", "ops", "cps"}
LABEL = re.compile(r"\{\{(\w+)\}\}")


@pytest.fixture(scope="module")
def known() -> Vocabulary:
    return vocabulary()


def test_the_dashboards_are_those_that_were_decided() -> None:
    """A file that nothing makes any more would still be shipped."""
    assert SHIPPED.keys() == BOARDS.keys()
    assert {board["uid"] for board in SHIPPED.values()} == {DASHBOARD.format(name=name) for name in BOARDS}


def test_every_alert_leads_to_one() -> None:
    found = [rule for group in rules.groups(Options("", "")) for rule in group.rules if isinstance(rule, Alert)]
    assert {alert.dashboard for alert in found} <= SHIPPED.keys()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.board}: {question.where}")
def test_what_is_asked_for_is_there(known: Vocabulary, question: asked.Question) -> None:
    assert known.problems(question.asked(CHOSEN)) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_variable_that_is_used_can_be_chosen(name: str) -> None:
    """And what no panel uses is not shown; it is there, so that links carry it along."""
    variables = {variable["name"]: variable for variable in SHIPPED[name]["templating"]["list"]}
    found = [*asked.questions(SHIPPED[name])]
    assert set().union(*(question.variables for question in found)) <= {*variables, "__rate_interval"}
    by_panels = set().union(*(question.variables for question in found if ": " not in question.where))
    hidden = {name for name, variable in variables.items() if variable.get("hide", 0) != 0}
    assert hidden == {"route", "release"} - by_panels


def test_every_metric_of_the_catalogue_is_shown() -> None:
    read = {selector.metric for question in QUESTIONS for selector in promql.read(question.asked(CHOSEN)).selectors}
    read = {re.sub("_(bucket|sum|count)$", "", name) for name in read}
    assert {metric.name for metric in CATALOGUE} - read == set()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.board}: {question.where}")
def test_a_rate_is_over_what_grafana_makes_of_the_scrapes(question: asked.Question) -> None:
    """In a table, which is of now, it is over five minutes. How often a gauge changed is no rate."""
    windows = set(re.findall(r"\[(.+?)\]", re.sub(r"changes\([^[]*\[1h\]\)", "", question.expression)))
    assert windows <= ({"5m"} if question.is_instant else {"$__rate_interval"})


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=lambda part: part if isinstance(part, str) else part["title"])
def test_a_panel_says_what_it_shows_and_what_to_do(name: str, panel: dict[str, Any]) -> None:
    field = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert panel["description"].endswith("."), name
    assert field["unit"] in UNITS
    values = [step["value"] for step in field["thresholds"]["steps"]]
    assert values[0] is None
    assert values[1:] == sorted(values[1:])
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    references = [target["refId"] for target in panel["targets"]]
    assert references == [chr(ord("A") + at) for at in range(len(references))]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.board}: {question.where}")
def test_a_legend_names_labels_that_the_series_have(question: asked.Question) -> None:
    if question.is_instant or ": " in question.where:
        assert question.legend == ""
        return
    assert question.legend
    names = set(LABEL.findall(question.legend))
    reading = promql.read(question.asked(CHOSEN))
    of_recorded = {label for series in recorded() for label in series.labels}
    is_recorded = all(selector.metric.startswith("inventory_api:") for selector in reading.selectors)
    assert names <= (of_recorded if is_recorded else reading.groups | reading.made)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_dashboard_is_one_of_grafana_11(name: str) -> None:
    board = SHIPPED[name]
    assert board["schemaVersion"] >= 39
    assert board["tags"] == [TAG]
    assert board["refresh"] == "30s"
    assert board["description"].endswith(".")
    assert "id" not in board
    numbers = [panel["id"] for panel in board["panels"]]
    assert numbers == [*range(1, len(numbers) + 1)]
    titles = [panel["title"] for panel in board["panels"]]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("name", SHIPPED)
def test_no_panel_lies_on_another(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in SHIPPED[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {(place["x"] + column, place["y"] + row) for column in range(place["w"]) for row in range(place["h"])}
        assert not own & taken, panel["title"]
        taken |= own


@pytest.mark.parametrize("name", SHIPPED)
def test_a_link_leads_to_what_is_there(name: str) -> None:
    uids = {board["uid"] for board in SHIPPED.values()}
    own = SHIPPED[name]["uid"]
    boards = {link["url"].removeprefix("/d/") for link in SHIPPED[name]["links"]}
    assert boards == uids - {own}
    for panel in asked.panels(SHIPPED[name]):
        for link in panel.get("links", ()):
            path, _, query = link["url"].removeprefix("/d/").partition("?")
            assert path in uids - {own}
            assert query == "${__url_time_range}&${__all_variables}"


@pytest.mark.parametrize(
    ("panel", "link"),
    [
        (f"{name}: {panel['title']}", link)
        for name, panel in PANELS
        for link in panel["fieldConfig"]["defaults"].get("links", ())
    ],
    ids=lambda part: part if isinstance(part, str) else part["title"],
)
def test_what_is_behind_a_series_is_asked_of_logs_or_traces(panel: str, link: dict[str, Any]) -> None:
    """As Explore of Grafana 11 reads its address, after a label with all kinds of characters was put in."""
    labels = re.findall(r"\$\{__field\.labels\.(\w+):percentencode\}", link["url"])
    url = urlparse(re.sub(r"\$\{__field\.labels\.\w+:percentencode\}", "%2Forders%2F%7Bid%7D", link["url"]))
    assert url.path == "/explore"
    (pane,) = json.loads(parse_qs(url.query)["panes"][0]).values()
    assert pane["datasource"] in {"${logs:percentencode}", "${traces:percentencode}"}
    (query,) = pane["queries"]
    text = query["expr"] if "logs" in pane["datasource"] else query["query"]
    assert "service" in text
    assert ("/orders/{id}" in text) == bool(labels)
    name, _, title = panel.partition(": ")
    kept = {
        label
        for question in asked.questions(SHIPPED[name])
        if question.where == title
        for label in promql.read(question.asked(CHOSEN)).groups
    }
    assert set(labels) <= kept
