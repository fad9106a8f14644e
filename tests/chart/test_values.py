"""Values: the defaults work, a typo is refused, every template is reached."""

import os
import re
from typing import Any

import pytest
import yaml
from helm import generate
from helm.command import CHART, HelmError

from .rendering import CASES, FULLNAME, Helm, Rendering, Values


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
        ({"storage": {"uri": "s3://inventory"}}, "uri"),
        ({"networkPolicy": {"storage": {"ports": [443]}}}, "ports"),
        ({"worker": {"retention": {"attachmentsDays": 3}}}, "attachmentsDays"),
        ({"credentials": {"generated": False}}, "generated"),
        ({"migrations": {"modus": "job"}}, "modus"),
        ({"otlp": {"url": "http://x"}}, "url"),
        ({"resources": {"limit": {}}}, "limit"),
        ({"extraEnv": [{"name": "X", "vale": "1"}]}, "vale"),
        ({"autoscaling": {"maxReplica": 3}}, "maxReplica"),
        ({"networkPolicy": {"apiFrom": [{"podSelektor": {}}]}}, "podSelektor"),
        ({"gateway": {"parentRefs": [{"name": "x", "nameSpace": "y"}]}}, "nameSpace"),
        ({"tolerations": [{"key": "web", "opertor": "Exists"}]}, "opertor"),
        ({"affinity": {"podAntiAfinity": {}}}, "podAntiAfinity"),
        ({"affinity": {"podAffinity": {"required": []}}}, "required"),
        (
            {"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfied": "x"}]},
            "whenUnsatisf",
        ),
        ({"extraContainers": [{"name": "beside", "volumeMount": []}]}, "volumeMount"),
        ({"initContainers": [{"name": "before", "imgae": "x"}]}, "imgae"),
        ({"migrations": {"initContainers": [{"name": "before", "comand": []}]}}, "comand"),
        ({"extraVolumeMounts": [{"name": "more", "mountpath": "/more"}]}, "mountpath"),
        ({"networkPolicy": {"extraEgress": [{"port": [{"port": 1}]}]}}, "port"),
        ({"networkPolicy": {"apiFrom": [{"podSelector": {"matchlabels": {}}}]}}, "matchlabels"),
        ({"networkPolicy": {"apiFrom": [{"ipBlock": {"cdr": "10.0.0.0/8"}}]}}, "cdr"),
        ({"autoscaling": {"behavior": {"scaleUP": {}}}}, "scaleUP"),
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
        ({"networkPolicy": {"apiFrom": [{"ipBlock": {"cidr": "10.0.0.0"}}]}}, "cidr"),
        ({"networkPolicy": {"database": {"to": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}}}, "cidr"),
        ({"networkPolicy": {"database": {"to": [{"ipBlock": {"cidr": "fd00::/129"}}]}}}, "cidr"),
        ({"networkPolicy": {"database": {"to": [{"ipBlock": {"cidr": "999.1.1.1/8"}}]}}}, "cidr"),
        ({"extraVolumes": [{"name": "two", "emptyDir": {}, "secret": {}}]}, "extraVolumes"),
        ({"bindAddress": "127.0.0.1"}, "bindAddress"),
        ({"resources": {"limits": {"memmory": "1Gi"}}}, "memmory"),
        ({"resources": {"limits": {"memory": "600000ki"}}}, "memory"),
        ({"podDisruptionBudget": {"maxUnavailable": "150%"}}, "maxUnavailable"),
        ({"ingress": {"hosts": ["a..b"]}}, "hosts"),
        ({"metrics": {"podMonitor": {"interval": "30s30s"}}}, "interval"),
        ({"migrations": {"activeDeadlineSeconds": 2147483647}}, "activeDeadlineSeconds"),
        ({"runAsUser": 4294967296}, "runAsUser"),
        ({"image": {"repository": "registry/app:1.2"}}, "repository"),
        ({"redis": {"bundled": {"maxMemory": "64m"}}}, "maxMemory"),
        ({"image": {"digest": "0123"}}, "digest"),
        ({"requiredChecks": ["tea"]}, "requiredChecks"),
        ({"requiredChecks": "database"}, "requiredChecks"),
        *(
            ({"storage": {"url": url}}, "url")
            for url in ("https://s3.example/x", "s3://", "s3://Upper", "s3://user@x", "s3://inventory?x", "file://x", 1)
        ),
        ({"storage": {"endpoint": "s3.example:9000"}}, "endpoint"),
        ({"storage": {"endpoint": "https://s3.example/path"}}, "endpoint"),
        ({"storage": {"existingSecret": "Not_A_Name"}}, "existingSecret"),
        ({"storage": {"uploadMaxBytes": "10Mi"}}, "uploadMaxBytes"),
        ({"storage": {"uploadMaxBytes": 1073741825}}, "uploadMaxBytes"),
        ({"storage": {"uploadsAtOnce": 0}}, "uploadsAtOnce"),
        ({"storage": {"downloadsAtOnce": 1001}}, "downloadsAtOnce"),
        ({"storage": {"uploadDeadline": 0.5}}, "uploadDeadline"),
        ({"storage": {"uploadUrlTtl": 9}}, "uploadUrlTtl"),
        ({"storage": {"downloadRedirect": "false"}}, "downloadRedirect"),
        ({"networkPolicy": {"storage": {"port": 65536}}}, "port"),
        ({"worker": {"retention": {"attachmentDays": 0}}}, "attachmentDays"),
        ({"serverWorkers": 0}, "serverWorkers"),
        ({"otlp": {"samplingRatio": 2}}, "samplingRatio"),
        ({"database": {"existingSecret": "Not_A_Name"}}, "existingSecret"),
    ],
)
def test_a_value_out_of_range_is_refused(helm: Helm, values: Values, where: str) -> None:
    """Closed sets, formats and bounds are checked before anything reaches the cluster."""
    with pytest.raises(HelmError, match=where):
        helm.template(values)


@pytest.mark.parametrize(
    "values",
    [
        {"ingress": {"enabled": True, "hosts": ["a.example"], "tls": [{"hosts": ["a.example"]}]}},
        {"extraVolumes": [{"name": "scratch"}]},
        {"image": {"repository": "registry.example:5000/team/app"}},
        {"tolerations": [{"key": "x", "operator": "", "effect": ""}]},
        {"networkPolicy": {"enabled": True, "extraEgress": [{}]}},
        {"resources": {"limits": {"memory": "1e9", "nvidia.com/gpu": 1, "ephemeral-storage": "1Gi"}}},
        {"metrics": {"podMonitor": {"interval": "1m30s"}}},
    ],
)
def test_what_kubernetes_takes_is_not_refused(helm: Helm, values: Values) -> None:
    """A strict schema that is stricter than the API server is in the way."""
    assert helm.template(values).api()


def test_labels_of_a_monitor_win_over_those_of_everything(helm: Helm) -> None:
    """Both name a Prometheus often; the same label twice is no YAML."""
    labels: Values = {"commonLabels": {"release": "x"}}
    rendering = helm.template({**labels, "metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "p"}}}})
    (monitor,) = rendering.of("ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "p"
    assert rendering.api()["metadata"]["labels"]["release"] == "x"


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
    in_part = {f"/definitions/{name}" for name in ("affinityRules", "container", "scalingRules", "volume")}
    assert set(free) == in_part | {"/definitions/open"}
    definitions = schema["definitions"]
    assert all("propertyNames" in definitions[path.rpartition("/")[2]] for path in in_part - {"/definitions/volume"})


def test_every_value_is_set_in_some_case_where_it_has_an_effect() -> None:
    """A value that changes nothing is a promise that nobody keeps; one that no case sets is tried by nobody."""
    # By one Helm: what the other renders is the same, which other tests show.
    helm, text = Helm(os.environ.get("HELM", "helm")), (CHART / "values.yaml").read_text()
    defaults, sources = yaml.safe_load(text), generate.read(text)
    without_effect = []
    for path in _leaves(defaults, sources):
        default = _at(path, defaults)
        cases = [case for case in CASES.values() if _at(path, case) not in (None, default)]
        if not any(_differs(helm, case, _set(case, path, default)) for case in cases):
            without_effect.append(".".join(path))
    # What it refuses is in test_checks.
    assert without_effect == ["credentials.generate"]


def _leaves(defaults: Values, sources: dict[tuple[str, ...], generate.Value]) -> list[tuple[str, ...]]:
    """The paths of what can be set: no group of values, and no part of a default."""
    inner = [path for path in sources if any(sources[path[:depth]].schema for depth in range(1, len(path)))]
    groups = [path for path in sources if isinstance(_at(path, defaults), dict) and sources[path].schema is None]
    return [path for path in sources if path not in inner and path not in groups]


def _at(path: tuple[str, ...], values: Any) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _set(values: Values, path: tuple[str, ...], value: Any) -> Values:
    name, *rest = path
    return {**values, name: _set(values[name], tuple(rest), value) if rest else value}


def _differs(helm: Helm, one: Values, other: Values) -> bool:
    try:
        return masked(helm.template(one)) != masked(helm.template(other))
    except HelmError:
        return True  # Without it, the others cannot be.


def masked(rendering: Rendering) -> str:
    """Without what is random."""
    return re.sub(r"[0-9A-Za-z]{40,}", "", rendering.text)


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
