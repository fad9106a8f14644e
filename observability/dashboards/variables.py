"""What can be chosen on every dashboard, and the selectors that follow the choice."""

from collections.abc import Iterator, Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from observability.rules.model import PREFIX

from .explore import LOGS, TRACES
from .panels import SOURCE

# Of what pods expose, of its requests, of what rules record, and of alerts.
PODS = 'cluster=~"$cluster", namespace="$namespace", job=~"$job", instance=~"$instance"'
REQUESTS = f'{PODS}, http_route=~"$route"'
RECORDED = 'cluster=~"$cluster", namespace="$namespace", release=~"$release"'
# Not the Watchdog, which always fires.
ALERTS = f'{RECORDED}, alertname=~"{PREFIX}.+", severity=~"critical|warning|info"'

ALL = models.VariableOption(text="All", value="$__all")
EVERYTHING = ".*"
# Of Grafana: a query for values of a label.
LABEL_VALUES = 1


def variables(used: Sequence[str]) -> Iterator[Builder[models.VariableModel]]:
    """Each chosen from what the ones before it leave.

    `used`: which of `route` and `release` there is a use for; the others are carried along, hidden.
    """
    yield builders.DatasourceVariable("datasource").label("Metrics").type("prometheus")
    # Where one Prometheus has one cluster, no series says which.
    yield _choices("cluster", "Cluster", "app_build_info", all_value=EVERYTHING)
    cluster = 'cluster=~"$cluster"'
    yield _labels("namespace", "Namespace", f"app_build_info{{{cluster}}}")
    namespace = f'{cluster}, namespace="$namespace"'
    # Not everything: other jobs have series of the same names, such as `up`.
    yield _choices("job", "Job", f"app_build_info{{{namespace}}}")
    yield _choices("instance", "Instance", f'app_build_info{{{namespace}, job=~"$job"}}', all_value=EVERYTHING)
    requests = f"http_server_request_duration_seconds_count{{{PODS}}}"
    yield _choices("route", "Route", requests, label="http_route", all_value=EVERYTHING, is_used="route" in used)
    objectives = f"inventory_api:slo_objective:ratio{{{namespace}}}"
    yield _choices("release", "Release", objectives, all_value=EVERYTHING, is_used="release" in used)
    yield builders.DatasourceVariable(LOGS).label("Logs").type("loki")
    yield builders.DatasourceVariable(TRACES).label("Traces").type("tempo")


def _choices(
    name: str, title: str, series: str, *, label: str = "", all_value: str = "", is_used: bool = True
) -> builders.QueryVariable:
    """Several can be chosen, or all, which it begins with."""
    variable = _labels(name, title, series, label).multi(True).include_all(True).current(ALL)
    if all_value:
        variable.all_value(all_value)
    return variable if is_used else variable.hide(models.VariableHide.HIDE_VARIABLE)


def _labels(name: str, title: str, series: str, label: str = "") -> builders.QueryVariable:
    """The values of the label, which is called as the variable unless it is said."""
    query: dict[str, object] = {
        "qryType": LABEL_VALUES,
        "query": f"label_values({series}, {label or name})",
        "refId": "PrometheusVariableQueryEditor-VariableQuery",
    }
    variable = builders.QueryVariable(name).label(title).datasource(SOURCE).query(query)
    return variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
