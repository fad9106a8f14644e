"""What panels show of series as they can be: promtool on the expressions of the JSON that is shipped."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from helm import yaml_text
from observability.dashboards import asked

from .alerting import API, API_2, NAMESPACE, RELEASE, histogram, one
from .test_dashboards import CHOSEN, QUESTIONS, SHIPPED

VALUES = {**CHOSEN, "namespace": NAMESPACE}
FILE = "/etc/prometheus/rules/shop.yaml;inventory-api-"
EVALUATED = "prometheus_rule_group_last_evaluation_timestamp_seconds"
OF_SLO = f'namespace="{NAMESPACE}", release="{RELEASE}", slo="availability"'
ROUTES = "http_server_request_duration_seconds"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a query of a panel has after ten minutes: a value for each set of labels, and no other."""

    claim: str
    board: str
    panel: str
    at: int
    series: Mapping[str, str]
    values: Mapping[str, float] = field(default_factory=dict)


def breaker(pod: str, **states: int) -> dict[str, str]:
    return {
        one("redis_breaker_state", pod, server_worker="1", state=state): f"{value}x20"
        for state, value in states.items()
    }


SEVERAL = {**breaker(API, open=1, closed=0), **breaker(API_2, open=0, closed=1)}
REQUESTS = {
    **histogram(ROUTES, {"0.25": "0+60x20", "+Inf": "0+60x20"}, http_route="/orders"),
    **histogram(ROUTES, {"0.25": "5x20", "+Inf": "5x20"}, http_route="/stock"),
}
SLO = {
    f"inventory_api:slo_errors:ratio_rate30d{{{OF_SLO}}}": "0.03x20",
    f"inventory_api:slo_objective:ratio{{{OF_SLO}}}": "0.95x20",
}
CASES = (
    Shown("without Redis there is no breaker", "saturation", "Breaker of Redis", 0, breaker(API, open=0, closed=0)),
    Shown(
        "an open breaker is 0, a closed one 1",
        "saturation",
        "Breaker of Redis",
        0,
        {**SEVERAL, **breaker("no-redis", open=0, closed=0)},
        {f'{{pod="{API}", server_worker="1"}}': 0, f'{{pod="{API_2}", server_worker="1"}}': 1},
    ),
    Shown(
        "groups that never were evaluated are left out, and files are not named",
        "telemetry",
        "Since rules were evaluated",
        0,
        {
            f'{EVALUATED}{{rule_group="{FILE}slo"}}': "570x20",
            f'{EVALUATED}{{rule_group="{FILE}jobs"}}': "0x20",
            f'{EVALUATED}{{rule_group="{FILE}stock"}}': "-62135596800x20",
        },
        {f'{{group="inventory-api-slo", rule_group="{FILE}slo"}}': 30},
    ),
    Shown(
        "what is kept beyond the objective is to spare",
        "slo",
        "Availability of 30 days",
        2,
        SLO,
        {f"{{{OF_SLO}}}": 0.02},
    ),
    Shown(
        "the limit of failures is that of the objective",
        "releases",
        "Failures",
        1,
        SLO,
        {f"{{{OF_SLO}}}": 0.05},
    ),
    *(
        Shown(f"{title}: no row for a route without requests", "requests", "Routes", at, REQUESTS, values)
        for at, title, values in (
            (0, "rate", {'{http_route="/orders"}': 1}),
            (2, "p50", {'{http_route="/orders"}': 0.125}),
            (3, "p99", {'{http_route="/orders"}': 0.2475}),
        )
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.board}: {case.claim}")
def test_a_panel_shows(case: Shown, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.fail("promtool is not on PATH: make promtool builds it")
    path = tmp_path / "case.yaml"
    path.write_text(yaml_text.dump({"tests": [_test(case)]}))
    run = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


def test_what_is_to_spare_is_red_below_nothing_and_what_is_kept_has_no_threshold() -> None:
    for title in ("Availability of 30 days", "Latency of 30 days"):
        panel = _panel("slo", title)
        (override,) = panel["fieldConfig"]["overrides"]
        assert override["matcher"] == {"id": "byFrameRefID", "options": "C"}
        (thresholds,) = (found["value"]["steps"] for found in override["properties"] if found["id"] == "thresholds")
        assert [(step["value"], step["color"]) for step in thresholds] == [(None, "red"), (0, "green")]
        assert len(panel["fieldConfig"]["defaults"]["thresholds"]["steps"]) == 1


def test_releases_are_measured_by_the_objectives_that_are_recorded() -> None:
    for title, slo in (("Failures", "availability"), ("Within 250 ms", "latency")):
        panel = _panel("releases", title)
        assert len(panel["fieldConfig"]["defaults"]["thresholds"]["steps"]) == 1
        (override,) = panel["fieldConfig"]["overrides"]
        (limit,) = (one for one in panel["targets"] if one["refId"] == override["matcher"]["options"])
        assert f'slo="{slo}"' in limit["expr"]


def test_routes_are_sorted_by_a_column_that_they_have() -> None:
    panel = _panel("requests", "Routes")
    (order,) = panel["options"]["sortBy"]
    assert order == {"displayName": "Rate", "desc": True}
    assert order["displayName"] in panel["transformations"][-1]["options"]["renameByName"].values()


def _panel(board: str, title: str) -> dict[str, Any]:
    (found,) = (panel for panel in asked.panels(SHIPPED[board]) if panel["title"] == title)
    return found


def _test(case: Shown) -> dict[str, Any]:
    uid = SHIPPED[case.board]["uid"]
    questions = [question for question in QUESTIONS if (question.board, question.where) == (uid, case.panel)]
    return {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": [
            {
                # To four digits, which are as many as are told here.
                "expr": f"round({questions[case.at].asked(VALUES)}, 0.0001)",
                "eval_time": "10m",
                "exp_samples": [{"labels": labels, "value": value} for labels, value in case.values.items()],
            }
        ],
    }
