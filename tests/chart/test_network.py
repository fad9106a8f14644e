"""NetworkPolicies: everything is denied, and each component has exactly what it needs."""

from typing import Any

import pytest
import yaml
from helm import render

from inventory_api.webhooks import networks

from .rendering import CASES, EXTERNAL, FULLNAME, Helm, Manifest, Values

ON: Values = {"networkPolicy": {"enabled": True}}


def policy(helm: Helm, component: str, values: Values) -> Manifest:
    """The spec of one component's policy."""
    spec = helm.template(values).one("NetworkPolicy", f"{FULLNAME}-{component}")["spec"]
    assert isinstance(spec, dict)
    return spec


def with_network(**network: Any) -> Values:
    """Values with policies on, and so set."""
    return {"networkPolicy": {"enabled": True, **network}}


def ports(rules: list[Manifest]) -> list[int]:
    """The ports of all rules, in order."""
    return [port["port"] for rule in rules for port in rule["ports"]]


def components(rule: Manifest, direction: str) -> list[str]:
    """The components that a rule's peers select."""
    return [
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for peer in rule[direction]
        if "podSelector" in peer
    ]


def test_there_are_none_unless_asked_for(helm: Helm) -> None:
    """A network plugin that enforces nothing would make them a false promise."""
    assert not helm.template().of("NetworkPolicy")


@pytest.mark.parametrize("values", [values for values in CASES.values() if values.get("networkPolicy")])
def test_every_pod_is_denied_what_no_rule_names(helm: Helm, values: Values) -> None:
    """A pod that no policy selects would be open both ways."""
    rendering = helm.template(values)
    selected = []
    for found in rendering.of("NetworkPolicy"):
        assert found["spec"]["policyTypes"] == ["Ingress", "Egress"]
        selected.append(found["spec"]["podSelector"]["matchLabels"])
    pods = [
        manifest["spec"]["template"]["metadata"]["labels"]
        if manifest["kind"] != "Pod"
        else manifest["metadata"]["labels"]
        for manifest in rendering.objects
        if manifest["kind"] == "Pod" or "template" in manifest.get("spec", {})
    ]
    for labels in pods:
        assert [selector for selector in selected if selector.items() <= labels.items()]


def test_the_api_is_called_on_its_port_and_scraped_on_the_other(helm: Helm) -> None:
    """By everyone, and from inside the cluster alone."""
    api, management = policy(helm, "api", ON)["ingress"]
    assert api == {"ports": [{"port": 8000}]}
    assert management == {"ports": [{"port": 9000}], "from": [{"namespaceSelector": {}}]}


def test_callers_can_be_named_and_the_test_of_the_release_is_always_one(helm: Helm) -> None:
    """Else `helm test` would fail with the first restriction."""
    shop = {"namespaceSelector": {"matchLabels": {"team": "shop"}}}
    prometheus = {"namespaceSelector": {"matchLabels": {"team": "watch"}}}
    api, management = policy(helm, "api", with_network(apiFrom=[shop], metricsFrom=[prometheus]))["ingress"]
    assert components(api, "from") == ["test"]
    assert shop in api["from"]
    assert management["from"] == [prometheus]


def test_the_api_reaches_dns_and_its_bundled_servers_and_nothing_else(helm: Helm) -> None:
    """The whole list."""
    dns, database, redis = policy(helm, "api", ON)["egress"]
    assert dns == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    assert (ports([database]), components(database, "to")) == ([5432], ["postgresql"])
    assert (ports([redis]), components(redis, "to")) == ([6379], ["valkey"])


def test_external_services_are_reached_where_they_are_said_to_be(helm: Helm) -> None:
    """The database by migrations too, Redis by the API alone."""
    network = CASES["closed network to external services"]
    api, migration = policy(helm, "api", network)["egress"], policy(helm, "migration", network)["egress"]
    database = {"ports": [{"port": 6432}], "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}
    assert api[1:] == [database, {"ports": [{"port": 6380}], "to": [{"ipBlock": {"cidr": "10.2.0.0/16"}}]}]
    assert migration[1:] == [{"ports": [{"port": 5433}], "to": [{"ipBlock": {"cidr": "10.3.0.0/16"}}]}]
    assert {manifest["metadata"]["name"] for manifest in helm.template(network).of("NetworkPolicy")} == {
        f"{FULLNAME}-{component}" for component in ("api", "migration", "test", "worker")
    }


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://collector:4318", 4318), ("https://collector", 443), ("http://collector/v1", 80), ("http://[::1]:9", 9)],
)
def test_the_collector_is_reached_at_the_port_of_its_endpoint(helm: Helm, endpoint: str, port: int) -> None:
    """Named once, in otlp.endpoint."""
    to = [{"podSelector": {"matchLabels": {"app": "collector"}}}]
    egress = policy(helm, "api", {"otlp": {"endpoint": endpoint}, **with_network(otlp={"to": to})})["egress"]
    assert egress[-1] == {"ports": [{"port": port}], "to": to}


def test_bundled_servers_reach_nothing_and_are_reached_by_those_that_use_them(helm: Helm) -> None:
    """A database that is broken into has no way out."""
    postgresql, valkey = policy(helm, "postgresql", ON), policy(helm, "valkey", ON)
    assert (postgresql["egress"], valkey["egress"]) == ([], [])
    (rule,) = postgresql["ingress"]
    assert (ports([rule]), components(rule, "from")) == ([5432], ["api", "migration", "worker"])
    (rule,) = valkey["ingress"]
    assert (ports([rule]), components(rule, "from")) == ([6379], ["api", "worker"])


def test_nobody_calls_migrations_or_the_test_and_the_test_calls_the_api(helm: Helm) -> None:
    """The test also has to find it by name."""
    assert policy(helm, "migration", ON)["ingress"] == policy(helm, "test", ON)["ingress"] == []
    dns, api = policy(helm, "test", ON)["egress"]
    assert ports([dns]) == [53, 53]
    assert (ports([api]), components(api, "to")) == ([8000], ["api"])


def test_a_queue_worker_reaches_what_the_api_reaches_and_partners_and_is_only_scraped(helm: Helm) -> None:
    values = CASES["closed network"]
    *others, webhooks = policy(helm, "worker", values)["egress"]
    assert others == policy(helm, "api", values)["egress"]
    assert webhooks["ports"] == [{"port": 443}, {"port": 1024, "endPort": 65535}]
    (rule,) = policy(helm, "worker", values)["ingress"]
    assert rule["ports"] == [{"port": 9000}]


def test_the_api_and_queue_workers_alone_reach_the_storage(helm: Helm) -> None:
    """At the port of its pods, which is not that of its endpoint."""
    values = CASES["attachments in an S3 of one's own"]
    storage = {"ports": [{"port": 19000}], "to": [{"podSelector": {"matchLabels": {"app": "s3"}}}]}
    policies = {found["metadata"]["name"]: found["spec"] for found in helm.template(values).of("NetworkPolicy")}
    assert {name for name, found in policies.items() if storage in found["egress"]} == {
        f"{FULLNAME}-api",
        f"{FULLNAME}-worker",
    }
    assert str(policies).count("19000") == 2


@pytest.mark.parametrize(
    ("endpoint", "port"), [("", 443), ("https://s3.example", 443), ("http://s3.example", 80), ("http://s3:9000/", 9000)]
)
def test_the_storage_is_reached_at_the_port_of_its_endpoint(helm: Helm, endpoint: str, port: int) -> None:
    """Amazon's has none, and is reached by HTTPS."""
    to = [{"ipBlock": {"cidr": "10.4.0.0/16"}}]
    storage: Values = {"url": "s3://inventory", "endpoint": endpoint}
    egress = policy(helm, "api", {"storage": storage, **with_network(storage={"to": to})})["egress"]
    assert egress[-1] == {"ports": [{"port": port}], "to": to}


@pytest.mark.parametrize("case", ["no values", "attachments in a directory that is shared"])
def test_a_storage_that_is_nowhere_in_the_network_opens_nothing(helm: Helm, case: str) -> None:
    """Wherever one would be."""
    values = CASES[case]
    network = with_network(storage={"to": [{"ipBlock": {"cidr": "10.4.0.0/16"}}]})
    assert policy(helm, "api", {**values, **network}) == policy(helm, "api", {**values, **ON})


def test_partners_are_on_the_internet_as_the_service_has_it(helm: Helm) -> None:
    """And nowhere that the service would refuse: one list beside the other. By IPv6 where pods have such addresses."""
    (only,) = policy(helm, "worker", ON)["egress"][-1]["to"]
    both = policy(helm, "worker", {**ON, "bindAddress": "::"})["egress"][-1]["to"]
    for_ipv4, for_ipv6 = [peer["ipBlock"] for peer in both]
    assert (
        only["ipBlock"]
        == for_ipv4
        == {"cidr": "0.0.0.0/0", "except": [str(network) for network in networks.REFUSED_IPV4]}
    )
    assert for_ipv6 == {
        "cidr": str(networks.GLOBAL_IPV6),
        "except": [str(network) for network in networks.REFUSED_IPV6],
    }


def test_partners_can_be_named_or_there_are_none(helm: Helm) -> None:
    proxy = {"ipBlock": {"cidr": "10.9.0.0/24"}}
    assert policy(helm, "worker", with_network(webhooks={"to": [proxy]}))["egress"][-1]["to"] == [proxy]
    without = policy(helm, "worker", with_network(webhooks={"enabled": False}))["egress"]
    assert without == policy(helm, "api", ON)["egress"]


def test_keda_may_ask_the_bundled_database(helm: Helm) -> None:
    values = CASES["queue workers by KEDA"]
    (rule,) = policy(helm, "postgresql", values)["ingress"]
    assert values["networkPolicy"]["kedaFrom"][0] in rule["from"]


def test_dns_can_be_narrowed_and_more_can_be_admitted(helm: Helm) -> None:
    """Where DNS is answered is another place in each cluster."""
    dns = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]
    more = {"ports": [{"port": 443}], "to": [{"ipBlock": {"cidr": "10.3.0.0/16"}}]}
    egress = policy(helm, "api", with_network(dns={"to": dns, "port": 5353}, extraEgress=[more]))["egress"]
    assert egress[0]["to"] == dns
    assert ports(egress[:1]) == [5353, 5353]
    assert egress[-1] == more


@pytest.mark.parametrize("component", ["api", "migration", "test"])
def test_more_is_admitted_for_every_pod_with_the_service_image(helm: Helm, component: str) -> None:
    more = {"ports": [{"port": 443}], "to": [{"ipBlock": {"cidr": "10.3.0.0/16"}}]}
    assert policy(helm, component, with_network(extraEgress=[more]))["egress"][-1] == more


def test_the_collectors_pods_may_listen_elsewhere_than_its_service(helm: Helm) -> None:
    """A policy is judged by the port of the pod, after the Service has been resolved."""
    to = [{"podSelector": {"matchLabels": {"app": "collector"}}}]
    values = {"otlp": {"endpoint": "http://collector:80"}, **with_network(otlp={"to": to, "port": 4318})}
    assert policy(helm, "api", values)["egress"][-1] == {"ports": [{"port": 4318}], "to": to}


def test_past_a_pooler_go_migrations_alone(helm: Helm) -> None:
    """The example `pgbouncer`."""
    values = yaml.safe_load((render.EXAMPLES / "pgbouncer" / "values.yaml").read_text())
    pooler = {"ports": [{"port": 6432}], "to": [{"podSelector": {"matchLabels": {"app": "pgbouncer"}}}]}
    database = {"ports": [{"port": 5432}], "to": [{"ipBlock": {"cidr": "10.20.0.0/24"}}]}
    assert policy(helm, "migration", values)["egress"][1:] == [database]
    api = policy(helm, "api", values)["egress"]
    assert pooler in api
    assert database not in api


def test_the_policy_of_a_migration_before_everything_is_there_before_it_and_goes_with_it(helm: Helm) -> None:
    """In a namespace that denies by default, it would reach nothing."""
    values = {**CASES["closed network to external services"], "migrations": {"mode": "hook"}}
    rendering = helm.template(values)
    annotations = rendering.one("NetworkPolicy", f"{FULLNAME}-migration")["metadata"]["annotations"]
    assert annotations.pop("helm.sh/hook-weight") == "-1"
    assert annotations == rendering.migration()["metadata"]["annotations"]
    assert "annotations" not in rendering.one("NetworkPolicy", f"{FULLNAME}-api")["metadata"]


def test_policies_name_no_server_that_is_not_there(helm: Helm) -> None:
    """Migrations that others run have no pod either."""
    values = {
        **EXTERNAL,
        **CASES["closed network to external services"],
        "migrations": {"mode": "external"},
        "worker": {"enabled": False},
    }
    names = {manifest["metadata"]["name"] for manifest in helm.template(values).of("NetworkPolicy")}
    assert names == {f"{FULLNAME}-api", f"{FULLNAME}-test"}
