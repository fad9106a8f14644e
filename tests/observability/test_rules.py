"""Every rule reads what there is, says what an operator needs, and is in the chart as it is made here."""

import re

import pytest
from observability.generate import HEADER
from observability.known import recorded, vocabulary
from observability.rules import Alert, Options, Record
from observability.vocabulary import Vocabulary

from observability import promql, rules

OPTIONS = Options(namespace="shop", release="inventory")
RULES = [(group.name, rule) for group in rules.groups(OPTIONS) for rule in group.rules]
ALERTS = rules.alerts(OPTIONS)
VARIABLE = re.compile(r"\{\{ \$labels\.(\w+)")
# Of the alert itself, whatever its expression keeps.
OWN_LABELS = frozenset({"severity", "release"})


@pytest.fixture(scope="module")
def known() -> Vocabulary:
    return vocabulary()


@pytest.mark.parametrize(("group", "rule"), RULES)
def test_a_rule_reads_what_there_is(known: Vocabulary, group: str, rule: Alert | Record) -> None:
    assert known.problems(rule.expression) == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_tells_of_labels_that_it_has(alert: Alert) -> None:
    reading = promql.read(alert.expression)
    kept = reading.groups | reading.made | OWN_LABELS | set(alert.labels)
    assert set(VARIABLE.findall(alert.summary + alert.description)) <= kept


def test_alerts_of_one_name_differ_by_their_labels() -> None:
    told = [(alert.name, alert.severity, tuple(alert.labels.items())) for alert in ALERTS]
    assert len(told) == len(set(told))


def test_every_burn_has_its_windows_recorded() -> None:
    read = {selector.metric for alert in ALERTS for selector in promql.read(alert.expression).selectors}
    assert {name for name in read if name.startswith("inventory_api:")} <= {series.name for series in recorded()}


def test_windows_and_waits_are_divided_and_thresholds_are_not() -> None:
    hour, minute = (rules.render(Options("shop", "inventory", divide=divide)) for divide in (1, 60))
    assert "offset 1d" in hour
    assert "offset 1440s" in minute
    assert "for: 5m" in hour
    assert "for: 5s" in minute
    assert "jobs_oldest_age_seconds" in minute
    assert re.sub(r"\d+m?[smhd]\b|> \d+\n", "", hour) == re.sub(r"\d+m?[smhd]\b|> \d+\n", "", minute)


def test_a_placeholder_stands_wherever_a_value_of_the_chart_does() -> None:
    text = HEADER + rules.render(rules.PLACEHOLDERS)
    for name in ("namespace", "release", "pods", "availability", "latency", "minimum_rate", "connection_budget"):
        assert str(getattr(rules.PLACEHOLDERS, name)) in text
