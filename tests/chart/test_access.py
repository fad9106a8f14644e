"""The ways to a release: Service, Ingress, HTTPRoute, and how Prometheus finds its pods."""

from .rendering import CASES, FULLNAME, Helm, Manifest, Values

OUTSIDE = CASES["reached from outside"]


def test_the_service_can_be_a_node_port(helm: Helm) -> None:
    """With a port that Kubernetes takes, or one's own."""
    service = helm.template(OUTSIDE).one("Service", FULLNAME)
    assert service["spec"]["type"] == "NodePort"
    assert service["spec"]["ports"][0]["nodePort"] == 30080
    assert service["metadata"]["annotations"] == {"cloud": "internal"}
    free = helm.template({"service": {"type": "NodePort", "port": 8080}}).one("Service", FULLNAME)["spec"]["ports"][0]
    assert free["port"] == 8080
    assert "nodePort" not in free


def test_an_ingress_leads_every_host_to_the_service(helm: Helm) -> None:
    """By the port's name, so that its number may change."""
    ingress = helm.template(OUTSIDE).one("Ingress", FULLNAME)
    assert ingress["metadata"]["annotations"] == {"issuer": "main"}
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == [{"secretName": "stock-tls", "hosts": ["stock.example"]}]
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "stock.example"
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/stock", "Exact")
    assert path["backend"]["service"] == {"name": FULLNAME, "port": {"name": "http"}}


def test_an_ingress_without_a_host_serves_all(helm: Helm) -> None:
    """As people try it first."""
    (rule,) = helm.template({"ingress": {"enabled": True}}).one("Ingress", FULLNAME)["spec"]["rules"]
    assert "host" not in rule


def test_a_route_attaches_to_a_gateway_and_leads_to_the_service(helm: Helm) -> None:
    """At the port of the Service, which a backendRef names by number."""
    route = helm.template({**OUTSIDE, "service": {"port": 8080}}).one("HTTPRoute", FULLNAME)["spec"]
    assert route["parentRefs"] == [{"name": "public", "namespace": "gateways"}]
    assert route["hostnames"] == ["stock.example"]
    (rule,) = route["rules"]
    assert rule["backendRefs"] == [{"name": FULLNAME, "port": 8080}]
    assert rule["filters"] == OUTSIDE["gateway"]["filters"]


def test_neither_is_there_unless_asked_for(helm: Helm) -> None:
    """Nor anything of the Prometheus Operator, whose kinds a cluster may not know."""
    kinds = {manifest["kind"] for manifest in helm.template().objects}
    assert not kinds & {"Ingress", "HTTPRoute", "ServiceMonitor", "PodMonitor"}


def test_a_service_monitor_finds_every_pod_also_those_that_are_not_ready(helm: Helm) -> None:
    """Metrics of a pod that fails its probe are the ones that are wanted."""
    values: Values = {"metrics": {"serviceMonitor": {"enabled": True, "labels": {"prometheus": "main"}}}}
    rendering = helm.template(values)
    monitor, service = rendering.one("ServiceMonitor", FULLNAME), rendering.one("Service", f"{FULLNAME}-management")
    assert monitor["metadata"]["labels"]["prometheus"] == "main"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint == {
        "port": "management",
        "path": "/metrics",
        "interval": "30s",
        "scrapeTimeout": "10s",
        "relabelings": [{"targetLabel": "job", "replacement": FULLNAME}],
    }
    assert [port["name"] for port in service["spec"]["ports"]] == ["management"]
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == rendering.api()["spec"]["selector"]["matchLabels"]


def test_the_service_of_clients_has_no_port_that_the_monitor_names(helm: Helm) -> None:
    """Its labels are selected too: each pod would be scraped twice."""
    rendering = helm.template({"metrics": {"serviceMonitor": {"enabled": True}}})
    assert [port["name"] for port in rendering.one("Service", FULLNAME)["spec"]["ports"]] == ["http"]


def test_a_pod_monitor_needs_no_service(helm: Helm) -> None:
    """It names the port of the container."""
    rendering = helm.template(OUTSIDE)
    monitor = rendering.one("PodMonitor", FULLNAME)["spec"]
    assert _selects(monitor["selector"], rendering.api()["spec"]["template"]["metadata"]["labels"])
    worker = rendering.one("Deployment", f"{FULLNAME}-worker")["spec"]["template"]["metadata"]["labels"]
    assert _selects(monitor["selector"], worker)
    assert not _selects(monitor["selector"], {**worker, "app.kubernetes.io/component": "migration"})
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": FULLNAME}]
    assert endpoint["port"] in {port["name"] for port in rendering.container()["ports"]}
    assert [service["metadata"]["name"] for service in rendering.of("Service") if "management" in str(service)] == []


def test_annotations_tell_where_the_metrics_are(helm: Helm) -> None:
    """For a Prometheus without the operator."""
    values: Values = {"metrics": {"annotations": {"enabled": True}}}
    annotations = helm.template(values).api()["spec"]["template"]["metadata"]["annotations"]
    found = {name: value for name, value in annotations.items() if name.startswith("prometheus.io/")}
    assert found == {"prometheus.io/scrape": "true", "prometheus.io/port": "9000", "prometheus.io/path": "/metrics"}


def _selects(selector: Manifest, labels: dict[str, str]) -> bool:
    (among,) = selector["matchExpressions"]
    assert among["operator"] == "In"
    return selector["matchLabels"].items() <= labels.items() and labels[among["key"]] in among["values"]
