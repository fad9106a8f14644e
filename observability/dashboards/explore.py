"""Links to what is behind a panel: logs and traces in Grafana's Explore, and the next dashboard."""

import json
import re
from urllib.parse import quote

from grafana_foundation_sdk.builders import dashboard as builders

from observability.rules.model import DASHBOARD

LOGS, TRACES = "logs", "traces"
ROUTE = "${__field.labels.http_route}"
# As logs name the service where Loki is told of it by OTLP, or finds it in the labels of the pod.
STREAM = '{service_name="inventory-api"}'
SERVICE = 'resource.service.name="inventory-api"'
VARIABLE = re.compile(r"(\$\{[\w.]+\})")


def to_board(title: str, name: str) -> builders.DashboardLink:
    """To another of these dashboards, for the same time and the same choice of variables."""
    url = f"/d/{DASHBOARD.format(name=name)}?${{__url_time_range}}&${{__all_variables}}"
    return builders.DashboardLink(title).url(url)


def to_logs(title: str, filters: str) -> builders.DashboardLink:
    """`filters`: of LogQL, on the fields of the lines, in which dots are underscores."""
    return _to_explore(title, LOGS, {"expr": f"{STREAM} | json | {filters}", "queryType": "range"})


def to_traces(title: str, conditions: str) -> builders.DashboardLink:
    """`conditions`: of TraceQL, on the spans of the service."""
    return _to_explore(title, TRACES, {"query": f"{{{SERVICE} && {conditions}}}", "queryType": "traceql"})


def _to_explore(title: str, datasource: str, query: dict[str, str]) -> builders.DashboardLink:
    source = f"${{{datasource}}}"
    pane = {
        "datasource": source,
        "queries": [{"refId": "A", "datasource": {"uid": source}, **query}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    return builders.DashboardLink(title).url(f"/explore?schemaVersion=1&panes={_quoted(json.dumps({'a': pane}))}")


def _quoted(text: str) -> str:
    """Percent-encoded; what stands for a variable is left to Grafana, which encodes its value."""
    parts = VARIABLE.split(text)
    return "".join(
        part.replace("}", ":percentencode}") if VARIABLE.fullmatch(part) else quote(part, safe="") for part in parts
    )
