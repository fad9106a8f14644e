"""Each alert fires when it should, no sooner, and not otherwise: promtool on the rules as the chart renders them."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from helm import yaml_text
from observability.rules import Alert, Options

from observability import rules
from tests.chart.rendering import Helm

from .alerting import RELEASE, Arithmetic, Case, failures
from .cases import ARITHMETIC, CASES
from .cases.slo import FACTORS, burn, failed, minutely, served

# promtool goes through all of them while the first test waits.
pytestmark = pytest.mark.timeout(300)
ALERTS = [
    (rule.name, rule.labels.get("window", ""))
    for group in rules.groups(Options("", ""))
    for rule in group.rules
    if isinstance(rule, Alert)
]
# It fires always, which is what it is for.
NEVER_SILENT = {("Watchdog", "")}
ON = {"metrics": {"prometheusRule": {"enabled": True}}}
# Another release in the namespace of the first.
NEIGHBOUR = "next-inventory-api"
OF_NEIGHBOUR = f"{NEIGHBOUR}-6f7c9d5b4-k2k2k"
NEIGHBOURS = (
    Case(
        "AvailabilityBurn",
        "the release beside it burns, and it does not",
        {**served(minutely(600)), **served(minutely(500), pod=OF_NEIGHBOUR), **failed(minutely(100), pod=OF_NEIGHBOUR)},
        "10m",
        [burn("availability", "1h", "16.67%")],
        release=NEIGHBOUR,
    ),
    Arithmetic(
        "each of two releases has its own ratio",
        {**served(minutely(600)), **served(minutely(500), pod=OF_NEIGHBOUR), **failed(minutely(100), pod=OF_NEIGHBOUR)},
        "10m",
        {
            f'inventory_api:slo_errors:ratio_rate5m{{slo="availability", release="{RELEASE}"}}': 0,
            f'inventory_api:slo_errors:ratio_rate5m{{slo="availability", release="{NEIGHBOUR}"}}': 0.1667,
        },
    ),
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The rules of a release, as a file; by the values of the chart that are set, such as `a.b=1`."""
    helm, directory = Helm(os.environ.get("HELM", "helm")), tmp_path_factory.mktemp("rules")

    def render(release: str, *values: str) -> Path:
        fullname = f"{release}-inventory-api"
        options = [word for value in values for word in ("--set", value)]
        spec = helm.template(ON, *options, release=release).one("PrometheusRule", fullname)["spec"]
        path = directory / f"{fullname}.yaml"
        path.write_text(yaml_text.dump(spec))
        return path

    return render


@pytest.fixture(scope="module")
def promtool() -> str:
    """A missing one fails the tests, since rules that were not tried are not trusted."""
    found = shutil.which("promtool")
    if found is None:
        pytest.fail("promtool is not on PATH: make promtool builds it")
    return found


@pytest.fixture(scope="module")
def wrong(promtool: str, rendered: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Of each case that is not so, what promtool says."""
    return failures(promtool, tmp_path_factory.mktemp("cases"), [rendered("shop")], [*CASES, *ARITHMETIC])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_alert_fires_when_it_should_and_not_otherwise(wrong: Mapping[str, str], case: Case) -> None:
    assert case.name not in wrong, wrong[case.name]


@pytest.mark.parametrize("case", ARITHMETIC, ids=lambda case: case.name)
def test_objectives_are_counted_so_that(wrong: Mapping[str, str], case: Arithmetic) -> None:
    assert case.name not in wrong, wrong[case.name]


def test_two_releases_in_a_namespace_do_not_disturb_each_other(
    promtool: str, rendered: Callable[..., Path], tmp_path: Path
) -> None:
    assert failures(promtool, tmp_path, [rendered("shop"), rendered("next")], NEIGHBOURS) == {}


def test_a_low_objective_can_be_missed(promtool: str, rendered: Callable[..., Path], tmp_path: Path) -> None:
    """At 90 % nothing can burn the budget 14.4 times as fast as it may."""
    told = [burn("latency", window, "100%") for window in FACTORS]
    told = [replace(one, description=one.description.replace("is 99 %", "is 90 %")) for one in told]
    slow = Case("LatencyBurn", "all are slow", served(minutely(600), "0x300"), "240m", told)
    assert failures(promtool, tmp_path, [rendered("shop", "metrics.objectives.latency=90")], [slow]) == {}


def test_every_alert_of_each_window_is_seen_firing_and_silent() -> None:
    firing = {(case.alert, told.labels.get("window", "")) for case in CASES for told in case.fires}
    silent = {(case.alert, case.window) for case in CASES if not case.fires}
    assert firing == set(ALERTS)
    assert silent == set(ALERTS) - NEVER_SILENT
