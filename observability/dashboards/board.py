"""A dashboard, and what all of them have in common: marks of releases and alerts, links, their layout."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from observability.rules.model import DASHBOARD

from .panels import BLUE, ORANGE, SOURCE, STEP, Panel
from .variables import ALERTS, PODS, variables

TAG = "inventory-api"
BOARDS = {
    "slo": "Objectives",
    "requests": "Requests",
    "saturation": "Saturation",
    "data": "Data and jobs",
    "releases": "Releases",
    "telemetry": "Telemetry",
}


@dataclass(frozen=True, slots=True)
class Board:
    """`name` is one of BOARDS; `sections` are titles with panels; `variables`, see there."""

    name: str
    description: str
    sections: Sequence[tuple[str, Sequence[Panel]]]
    variables: Sequence[str] = ()

    def build(self) -> models.Dashboard:
        """As Grafana reads it; panels are numbered in their order."""
        board = (
            builders.Dashboard(f"Inventory API / {BOARDS[self.name]}")
            .uid(DASHBOARD.format(name=self.name))
            .description(self.description)
            .tags([TAG])
            .readonly()
            .refresh(STEP)
            .time("now-1h", "now")
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .variables([*variables(self.variables)])
            .links([*_links(self.name)])
        )
        for title, panels in self.sections:
            board.with_row(builders.Row(title))
            for panel in panels:
                board.with_panel(panel)
        made = board.build()
        made.annotations.list_val = [*_marks()]
        for number, placed in enumerate(made.panels or (), start=1):
            placed.id_val = number
        return made


def _links(own: str) -> Iterator[builders.DashboardLink]:
    """To the others, for the same time and variables."""
    for name, title in BOARDS.items():
        if name != own:
            link = builders.DashboardLink(title).type(models.DashboardLinkType.LINK).icon("dashboard")
            yield link.url(f"/d/{DASHBOARD.format(name=name)}").include_vars(True).keep_time(True)


def _marks() -> Iterator[models.AnnotationQuery]:
    """What is 1 is marked for as long: a release for the first five minutes of its first pod."""
    versions = f"group by (version, commit) (app_build_info{{{PODS}}}"
    yield _Mark("Releases", BLUE, f"{versions}) unless {versions} offset 5m)", "{{version}}", "commit")
    firing = f'group by (alertname) (ALERTS{{{ALERTS}, alertstate="firing"}})'
    yield _Mark("Alerts", ORANGE, firing, "{{alertname}}", "alertname")


class _Mark(models.AnnotationQuery):
    """With what is written on it, which the SDK has no names for: they are those of Grafana's Prometheus."""

    def __init__(self, name: str, colour: str, expression: str, title: str, tag: str) -> None:
        super().__init__(name, SOURCE, icon_color=colour, expr=expression)
        self._written = {"titleFormat": title, "tagKeys": tag, "step": STEP}

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), **self._written}
