"""What a rule file of Prometheus consists of, and what it can be rendered with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["critical", "warning", "info", "none"]
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
PREFIX = "InventoryApi"
# Of dashboards, by what they are called in observability/dashboards.
DASHBOARD = "inventory-api-{name}"


@dataclass(frozen=True, slots=True)
class Options:
    """Whose rules they are, and what they are measured by.

    `namespace` and `pods`, a regular expression, are those of the release. `availability` and `latency` are the
    objectives, in per cent; `minimum_rate`, in requests/s, is what there must be for an objective to be judged.
    `connection_budget` is what the database has for the service; `queue_workers` is 0 where another release has them.
    `runbooks` and `grafana` are what the links begin with. All of these are texts, since the chart puts its values
    into them.
    `divide` shortens every window, every `for` and every age that is waited for, to see alerts fire in minutes.
    """

    namespace: str
    release: str
    pods: str = ".+"
    availability: str = "99.9"
    latency: str = "99"
    minimum_rate: str = "0.1"
    connection_budget: str = "90"
    queue_workers: str = "1"
    runbooks: str = "docs/runbooks"
    grafana: str = ""
    divide: int = 1

    @property
    def selector(self) -> str:
        """Of what the pods of the release expose."""
        return f'namespace="{self.namespace}", pod=~"{self.pods}"'

    @property
    def recorded(self) -> str:
        """Of what the rules of the release record."""
        return f'namespace="{self.namespace}", release="{self.release}"'

    def span(self, text: str) -> str:
        """A duration such as `5m`, as long as it is to be."""
        if self.divide == 1:
            return text
        milliseconds = self.seconds(text) * 1_000
        return f"{milliseconds / 1_000:.0f}s" if milliseconds % 1_000 == 0 else f"{milliseconds:.0f}ms"

    def seconds(self, text: str) -> float:
        """The same, in seconds."""
        return int(text[:-1]) * SECONDS[text[-1]] / self.divide


@dataclass(frozen=True, slots=True)
class Record:
    """A series that is recorded."""

    name: str
    expression: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """`name` is without the prefix; `hold` is for how long it must be so, before the alert fires.

    `summary` and `description` are templates of Prometheus. `dashboard` is where to look first.
    """

    name: str
    expression: str
    severity: Severity
    hold: str
    summary: str
    description: str
    dashboard: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other, each `interval`; none: as Prometheus does by default."""

    name: str
    rules: Sequence[Record | Alert]
    interval: str | None = None
