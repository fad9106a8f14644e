"""Values: the defaults work, a typo is refused, every template is reached."""

import re
from typing import Any

import pytest
import yaml
from helm.command import CHART, HelmError

from .rendering import CASES, FULLNAME, Helm, Values


def test_the_chart_renders_with_no_values(helm: Helm) -> None:
    """`helm install` needs no values: all that a trial needs is there."""
    rendering = helm.template()
    assert rendering.api()["spec"]["replicas"] == 1
    assert rendering.one("StatefulSet", f"{FULLNAME}-postgresql")
    assert rendering.one("Deployment", f"{FULLNAME}-valkey")
    assert rendering.migration()


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_the_chart_lints_without_a_warning(helm: Helm, values: Values) -> None:
    """`helm lint --strict` accepts every case."""
    assert "0 chart(s) failed" in helm.lint(values)


def test_every_template_is_rendered_in_some_case(helm: Helm) -> None:
    """No template is dead, and none is only reached by values that nothing tests."""
    reached = {
        source
        for values in CASES.values()
        for source in re.findall(r"^# Source: inventory-api/(\S+)$", helm.template(values).text, re.MULTILINE)
    }
    assert reached == {str(path.relative_to(CHART)) for path in CHART.glob("templates/**/*.yaml")}


@pytest.mark.parametrize(
    ("values", "typo"),
    [
        ({"replicaCont": 2}, "replicaCont"),
        ({"image": {"repositry": "x"}}, "repositry"),
        ({"drain": {"dealy": 5}}, "dealy"),
        ({"database": {"pool": {"maximum": 5}}}, "maximum"),
        ({"database": {"bundled": {"persistence": {"enable": True}}}}, "enable"),
        ({"database": {"bundled": {"persistence": {"retentionPolicy": {"deleted": "Delete"}}}}}, "deleted"),
        ({"redis": {"bundled": {"image": {"version": "9"}}}}, "version"),
        ({"apiKeys": {"existingsecret": "x"}}, "existingsecret"),
        ({"credentials": {"generated": False}}, "generated"),
        ({"migrations": {"modus": "job"}}, "modus"),
        ({"otlp": {"url": "http://x"}}, "url"),
        ({"resources": {"limit": {}}}, "limit"),
        ({"extraEnv": [{"name": "X", "vale": "1"}]}, "vale"),
        ({"autoscaling": {"maxReplica": 3}}, "maxReplica"),
        ({"networkPolicy": {"apiFrom": [{"podSelektor": {}}]}}, "podSelektor"),
        ({"gateway": {"parentRefs": [{"name": "x", "nameSpace": "y"}]}}, "nameSpace"),
    ],
)
def test_a_misspelt_value_is_refused_by_name(helm: Helm, values: Values, typo: str) -> None:
    """A typo at any depth stops the rendering with its name, and is not silently without effect."""
    with pytest.raises(HelmError, match=typo):
        helm.template(values)


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"migrations": {"mode": "never"}}, "migrations"),
        ({"probes": {"livenessSeconds": 20}}, "livenessSeconds"),
        ({"podDisruptionBudget": {"maxUnavailable": "some"}}, "maxUnavailable"),
        ({"ingress": {"hosts": ["https://stock.example"]}}, "hosts"),
        ({"networkPolicy": {"apiFrom": [{}]}}, "apiFrom"),
        ({"metrics": {"podMonitor": {"interval": "30"}}}, "interval"),
        ({"logLevel": "info"}, "logLevel"),
        ({"image": {"digest": "0123"}}, "digest"),
        ({"serverWorkers": 0}, "serverWorkers"),
        ({"otlp": {"samplingRatio": 2}}, "samplingRatio"),
        ({"database": {"existingSecret": "Not_A_Name"}}, "existingSecret"),
    ],
)
def test_a_value_out_of_range_is_refused(helm: Helm, values: Values, where: str) -> None:
    """Closed sets, formats and bounds are checked before anything reaches the cluster."""
    with pytest.raises(HelmError, match=where):
        helm.template(values)


def test_a_chart_of_which_this_is_a_part_may_ask_whether_it_is_wanted(helm: Helm) -> None:
    """`condition: inventory-api.enabled`, as Helm's own documentation has it."""
    assert helm.template({"enabled": True}).api()


def test_global_is_admitted(helm: Helm) -> None:
    """A parent chart may pass `global`, strict as the schema is."""
    assert helm.template({"global": {"imageRegistry": "x", "nested": {"more": 1}}}).objects


def test_a_ratio_may_be_given_on_the_command_line(helm: Helm) -> None:
    """`--set` makes a string of 0.25; it counts like the number."""
    rendering = helm.template({"otlp": {"endpoint": "http://c:4318"}}, "--set", "otlp.samplingRatio=0.25")
    assert {"name": "OTEL_TRACES_SAMPLER_ARG", "value": "0.25"} in rendering.container()["env"]


def test_every_object_in_the_schema_is_closed() -> None:
    """No level is open to typos, but where Kubernetes has the say."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    free = [path for path, node in _objects("", schema) if node.get("additionalProperties", True) is True]
    assert sorted(free) == ["/definitions/named", "/definitions/open"]


def test_every_value_is_documented() -> None:
    """Each value in values.yaml, or the group that it is in, has a comment above it."""
    documented: list[bool] = []
    bare = []
    lines = (CHART / "values.yaml").read_text().splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if match := re.match(r"( *)(\w+):(.*)", line):
            depth = len(match[1]) // 2
            documented[depth:] = [before.lstrip().startswith("#") or any(documented[:depth])]
            if match[3] and not documented[depth]:
                bare.append(line)
    assert not bare


def _objects(path: str, node: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(node, dict):
        return []
    found = [(path, node)] if node.get("type") == "object" else []
    for name, child in node.items():
        found += _objects(f"{path}/{name}", child)
    return found
