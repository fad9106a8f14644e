"""How many pods there are, where, and how many may be taken: autoscaler, disruption budget, spread."""

from .rendering import FULLNAME, Helm, Manifest, Values

AUTOSCALED: Values = {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": "500m"}}}


def autoscaler(helm: Helm, values: Values) -> Manifest:
    """The spec of the HorizontalPodAutoscaler."""
    spec = helm.template(values).one("HorizontalPodAutoscaler", FULLNAME)["spec"]
    assert isinstance(spec, dict)
    return spec


def budget(helm: Helm, values: Values) -> Manifest:
    """The spec of the PodDisruptionBudget."""
    spec = helm.template(values).one("PodDisruptionBudget", FULLNAME)["spec"]
    assert isinstance(spec, dict)
    return spec


def test_replicas_belong_to_the_autoscaler_where_there_is_one(helm: Helm) -> None:
    """With both, each upgrade would reset the number (Helm 3) or fail (Helm 4)."""
    assert helm.template().api()["spec"]["replicas"] == 1
    assert not helm.template().of("HorizontalPodAutoscaler")
    assert "replicas" not in helm.template(AUTOSCALED).api()["spec"]


def test_the_autoscaler_goes_by_the_container_of_the_api(helm: Helm) -> None:
    """A sidecar that does nothing would else hide that the service is busy."""
    spec = autoscaler(helm, AUTOSCALED)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": FULLNAME}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 3)
    (metric,) = spec["metrics"]
    assert metric["containerResource"]["container"] == helm.template().container()["name"]
    assert metric["containerResource"]["target"] == {"type": "Utilization", "averageUtilization": 70}


def test_the_autoscaler_may_go_by_requests_beside_cpu_or_alone(helm: Helm) -> None:
    """The name is that of whatever adapter serves it."""
    both: Values = {**AUTOSCALED, "autoscaling": {"enabled": True, "requestRate": {"metricName": "rps", "target": 80}}}
    pods = {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "80"}}
    assert autoscaler(helm, both)["metrics"][1] == {"type": "Pods", "pods": pods}
    alone: Values = {"autoscaling": {**both["autoscaling"], "targetCPUUtilizationPercentage": 0}}
    assert autoscaler(helm, alone)["metrics"] == [{"type": "Pods", "pods": pods}]


def test_the_autoscaler_is_slow_to_take_away(helm: Helm) -> None:
    """And its behaviour can be replaced."""
    behaviour = autoscaler(helm, AUTOSCALED)["behavior"]
    assert behaviour["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == 300
    values: Values = {
        **AUTOSCALED,
        "autoscaling": {"enabled": True, "behavior": {"scaleDown": {"selectPolicy": "Min"}}},
    }
    assert autoscaler(helm, values)["behavior"]["scaleDown"]["selectPolicy"] == "Min"


def test_one_pod_may_be_taken_by_default_and_those_that_serve_nobody_always(helm: Helm) -> None:
    """Also with one replica: a node with it must be drainable."""
    spec = budget(helm, {})
    assert spec["maxUnavailable"] == 1
    assert "minAvailable" not in spec
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert spec["selector"] == helm.template().api()["spec"]["selector"]
    assert not helm.template({"podDisruptionBudget": {"enabled": False}}).of("PodDisruptionBudget")


def test_a_least_number_of_pods_takes_the_place_of_the_most_that_may_be_taken(helm: Helm) -> None:
    """Kubernetes admits one of both."""
    spec = budget(helm, {"replicaCount": 3, "podDisruptionBudget": {"minAvailable": "50%"}})
    assert spec["minAvailable"] == "50%"
    assert "maxUnavailable" not in spec


def test_pods_are_spread_over_zones_and_nodes_where_that_is_possible(helm: Helm) -> None:
    """Never so that a pod could not start; and each revision on its own, or a rollout would leave them uneven."""
    constraints = helm.template().api()["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [constraint["topologyKey"] for constraint in constraints] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    for constraint in constraints:
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
        assert constraint["matchLabelKeys"] == ["pod-template-hash"]
        assert constraint["labelSelector"] == helm.template().api()["spec"]["selector"]


def test_own_constraints_take_the_place_of_those_and_select_the_right_pods(helm: Helm) -> None:
    """A constraint without a selector would count nothing."""
    given = {"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"}
    (constraint,) = helm.template({"topologySpreadConstraints": [given]}).api()["spec"]["template"]["spec"][
        "topologySpreadConstraints"
    ]
    assert constraint == {**given, "labelSelector": helm.template().api()["spec"]["selector"]}
    own = {**given, "labelSelector": {"matchLabels": {"app": "shop"}}}
    (constraint,) = helm.template({"topologySpreadConstraints": [own]}).api()["spec"]["template"]["spec"][
        "topologySpreadConstraints"
    ]
    assert constraint == own
