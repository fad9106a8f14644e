"""Recording rules and alerts, as data: for the chart, with its placeholders, and for trials, with shorter windows."""

from collections.abc import Iterator
from typing import Any

from helm import yaml_text

from . import dependencies, serving, slo, telemetry, work
from .model import DASHBOARD, PREFIX, Alert, Group, Options, Record

__all__ = ["PLACEHOLDERS", "PREFIX", "Alert", "Group", "Options", "Record", "alerts", "groups", "render"]

# What the chart replaces, see templates/prometheusrule.yaml.
PLACEHOLDERS = Options(
    namespace="__NAMESPACE__",
    release="__RELEASE__",
    pods="__PODS__",
    availability="__AVAILABILITY__",
    latency="__LATENCY__",
    minimum_rate="__MINIMUM_RATE__",
    connection_budget="__CONNECTION_BUDGET__",
    queue_workers="__QUEUE_WORKERS__",
    runbooks="__RUNBOOKS__",
    grafana="__GRAFANA__",
)


def groups(options: Options) -> Iterator[Group]:
    """All of them."""
    for area in (slo, serving, dependencies, work, telemetry):
        yield from area.groups(options)


def alerts(options: Options) -> list[Alert]:
    """Those among them that are alerts."""
    return [rule for group in groups(options) for rule in group.rules if isinstance(rule, Alert)]


def render(options: Options) -> str:
    """A rule file of Prometheus."""
    found = [_group(group, options) for group in groups(options)]
    return yaml_text.dump({"groups": found}, width=1_000)


def _group(group: Group, options: Options) -> dict[str, Any]:
    interval = {"interval": group.interval} if group.interval else {}
    rules = [_alert(rule, options) if isinstance(rule, Alert) else _record(rule) for rule in group.rules]
    return {"name": f"inventory-api-{group.name}", **interval, "rules": rules}


def _record(record: Record) -> dict[str, Any]:
    return {"record": record.name, "expr": record.expression, "labels": record.labels}


def _alert(alert: Alert, options: Options) -> dict[str, Any]:
    dashboard = DASHBOARD.format(name=alert.dashboard)
    chosen = f"var-namespace={options.namespace}&var-release={options.release}"
    return {
        "alert": f"{PREFIX}{alert.name}",
        "expr": alert.expression,
        **({} if alert.hold == "0s" else {"for": options.span(alert.hold)}),
        "labels": {"severity": alert.severity, "release": options.release, **alert.labels},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{options.runbooks}/{alert.name}.md",
            "dashboard_url": f"{options.grafana}/d/{dashboard}?{chosen}",
        },
    }
