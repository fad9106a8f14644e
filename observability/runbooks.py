"""docs/runbooks: its index, and what the head of each page must say, by the rules. Pure."""

import re
from collections.abc import Sequence

from .rules import Alert

TABLE = re.compile(r"(?<=<!-- alerts -->\n).*?(?=<!-- end of alerts -->)", re.DOTALL)


def by_name(alerts: Sequence[Alert]) -> dict[str, list[Alert]]:
    """Those that share a page."""
    return {name: [found for found in alerts if found.name == name] for name in dict.fromkeys(a.name for a in alerts)}


def index(page: str, alerts: Sequence[Alert]) -> str:
    """The page with its table as the rules have it."""
    rows = [
        f"| [{name}]({name}.md) | {_severities(found)} | {_holds(found)} | {_summary(found[0])} |"
        for name, found in by_name(alerts).items()
    ]
    return TABLE.sub("\n".join(["| alert | severity | for | |", "|---|---|---|---|", *rows, ""]), page)


def heading(alerts: Sequence[Alert]) -> str:
    """The line of a page that says how urgent it is, and for how long it must be so."""
    return f"Severity: {_severities(alerts)}. For: {_holds(alerts)}."


def _severities(alerts: Sequence[Alert]) -> str:
    if len(alerts) == 1:
        return alerts[0].severity
    of_severity = {
        severity: [alert.labels["window"] for alert in alerts if alert.severity == severity]
        for severity in dict.fromkeys(alert.severity for alert in alerts)
    }
    return ", ".join(f"{severity} ({', '.join(windows)})" for severity, windows in of_severity.items())


def _holds(alerts: Sequence[Alert]) -> str:
    if len(alerts) == 1:
        return alerts[0].hold
    return ", ".join(f"{alert.hold} ({alert.labels['window']})" for alert in alerts)


def _summary(alert: Alert) -> str:
    """Without the values of one alert."""
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"`\1`", re.sub(r" \d[\d.]* times", " several times", alert.summary))
