"""Workloads: secure, probed on the management port, rolled without a gap, upgradable."""

from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from helm import yaml_text
from helm.command import CHART, run

from .pod_security import hardened, restricted
from .rendering import CASES, EXTERNAL, FULLNAME, Helm, Manifest, Values, values_of

COMPONENTS = {"api", "migration", "postgresql", "valkey", "worker"}
STABLE_LABELS = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_every_pod_satisfies_pod_security_restricted(helm: Helm, values: Values) -> None:
    """Those of bundled servers, migrations and `helm test` too."""
    pods = dict(helm.template(values).pods())
    assert {name: restricted(pod) for name, pod in pods.items()} == {name: [] for name in pods}


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_every_pod_is_hardened_beyond_that(helm: Helm, values: Values) -> None:
    """Read-only root, no token, no Service variables, bounded memory."""
    pods = dict(helm.template(values).pods())
    assert {name: hardened(pod) for name, pod in pods.items()} == {name: [] for name in pods}


def test_the_security_check_finds_what_is_wrong() -> None:
    """A pod without any hardening breaks every rule that it can."""
    pod = {
        "hostNetwork": True,
        "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
        "containers": [
            {
                "name": "bad",
                "securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}},
                "ports": [{"hostPort": 80}],
            }
        ],
    }
    assert len(restricted(pod)) == 9
    assert len(hardened(pod)) == 4


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_selectors_and_pods_carry_no_version(helm: Helm, values: Values) -> None:
    """Selectors are immutable: a label that an upgrade changes would break it, and roll pods for nothing."""
    given = {*values.get("commonLabels", {}), *values.get("podLabels", {})}
    for workload in helm.template(values).objects:
        if workload["kind"] in ("ServiceMonitor", "PodMonitor"):
            continue  # Theirs may change.
        spec = workload.get("spec", {})
        selector = spec.get("selector", {})
        selected = selector.get("matchLabels", selector)
        labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
        assert not selected or selected.keys() == STABLE_LABELS
        assert not labels or labels.keys() - given == STABLE_LABELS


def test_every_object_names_its_component(helm: Helm) -> None:
    """Dashboards, policies and people select by these labels."""
    rendering = helm.template()
    components = {manifest["metadata"]["labels"]["app.kubernetes.io/component"] for manifest in rendering.objects}
    assert components == COMPONENTS | {"test"}
    assert {manifest["metadata"]["labels"]["app.kubernetes.io/name"] for manifest in rendering.objects} == {
        "inventory-api"
    }


def test_the_service_exposes_the_api_and_not_management(helm: Helm) -> None:
    """Metrics and probes are for the cluster; clients get port 80."""
    service = helm.template().one("Service", FULLNAME)
    assert [(port["name"], port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [
        ("http", 80, "http")
    ]


def test_probes_use_the_management_port(helm: Helm) -> None:
    """A full backlog of the API must not fail a probe; readiness does not count failures twice."""
    container = helm.template().container()
    probes = {name: container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["httpGet"] for name, probe in probes.items()} == {
        "startup": {"path": "/system/startup", "port": "management"},
        "liveness": {"path": "/system/live", "port": "management"},
        "readiness": {"path": "/system/ready", "port": "management"},
    }
    assert probes["readiness"]["failureThreshold"] == 1
    assert probes["liveness"]["periodSeconds"] * probes["liveness"]["failureThreshold"] > 20


def test_pods_have_one_user_of_their_image_or_none_where_the_platform_assigns_it(helm: Helm) -> None:
    """OpenShift refuses a pod that names another than it would assign."""

    def users(values: Values) -> dict[str, set[object]]:
        return {
            name: {pod["securityContext"].get(field) for field in ("runAsUser", "runAsGroup", "fsGroup")}
            for name, pod in helm.template(values).pods()
        }

    given = users({"runAsUser": 20001})
    assert given.pop(f"StatefulSet/{FULLNAME}-postgresql") == given.pop(f"Deployment/{FULLNAME}-valkey") == {999}
    assert len(given) == 4
    assert all(user == {20001} for user in given.values())
    assert all(user == {None} for user in users({"runAsUser": 0}).values())


def test_pods_may_have_ipv6_addresses(helm: Helm) -> None:
    """Alone or beside others: `::` takes both."""
    values = {"bindAddress": "::", "service": {"ipFamilyPolicy": "PreferDualStack"}}
    rendering = helm.template(values)
    assert {"name": "INVENTORY_HOST", "value": "::"} in rendering.container()["env"]
    assert rendering.one("Service", FULLNAME)["spec"]["ipFamilyPolicy"] == "PreferDualStack"


def test_what_runs_before_a_migration_or_is_told_of_its_pod_can_be_added(helm: Helm) -> None:
    """A proxy to the database, or what keeps a mesh from the pod."""
    values = CASES["other names, addresses and users"]
    template = helm.template(values).migration()["spec"]["template"]
    assert template["metadata"]["annotations"] == {"sidecar.istio.io/inject": "false"}
    (proxy,) = template["spec"]["initContainers"]
    assert (proxy["name"], proxy["restartPolicy"]) == ("proxy", "Always")


def test_a_migration_before_everything_has_an_account_that_is_there(helm: Helm) -> None:
    """The chart's own is made later."""

    def account(**more: object) -> str:
        values = {**CASES["migrations before everything"], **more}
        return str(helm.template(values).migration()["spec"]["template"]["spec"]["serviceAccountName"])

    assert account() == "default"
    assert account(serviceAccount={"create": False, "name": "mine"}) == "mine"


def test_two_of_the_chart_in_one_release_share_no_name(helm: Helm, tmp_path: Path) -> None:
    """As dependencies under aliases."""
    dependency = {"name": "inventory-api", "version": "0.1.0", "repository": ""}
    chart = {
        "apiVersion": "v2",
        "name": "platform",
        "version": "1.0.0",
        "dependencies": [{**dependency, "alias": name} for name in ("shop", "depot")],
    }
    (tmp_path / "charts").mkdir()
    (tmp_path / "Chart.yaml").write_text(yaml_text.dump(chart))
    (tmp_path / "charts" / "inventory-api").symlink_to(CHART)
    objects = [
        found for found in yaml.safe_load_all(run(helm.binary, "template", "x", str(tmp_path), values="")) if found
    ]
    names = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(set(names)) == len(names) == 2 * len(helm.template().objects)


def test_a_rollout_starts_the_new_pod_first(helm: Helm) -> None:
    """There is never a pod less than wanted."""
    strategy = helm.template().api()["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_the_service_is_told_the_values_that_were_checked(helm: Helm) -> None:
    """Drain, pool and server workers in the pod are those of the arithmetic."""
    values = {
        "serverWorkers": 2,
        "drain": {"delay": 4, "timeout": 8},
        "database": {"pool": {"max": 5}},
        "logLevel": "DEBUG",
    }
    variables = {item["name"]: item.get("value") for item in helm.template(values).container()["env"]}
    assert variables["INVENTORY_WORKERS"] == "2"
    assert variables["INVENTORY_POOL_MAX"] == "5"
    assert (variables["INVENTORY_DRAIN_DELAY"], variables["INVENTORY_DRAIN_TIMEOUT"]) == ("4", "8")
    assert variables["INVENTORY_LOG_LEVEL"] == "DEBUG"
    assert (variables["INVENTORY_PORT"], variables["INVENTORY_MANAGEMENT_PORT"]) == ("8000", "9000")


def test_the_queue_worker_is_a_server_without_an_api(helm: Helm) -> None:
    """The same image, probes, credentials and drain; no key of a client, and no port but that of management."""
    rendering = helm.template(
        {"worker": {"concurrency": 6, "podAnnotations": {"team": "queue"}}, "podLabels": {"a": "b"}}
    )
    worker = rendering.one("Deployment", f"{FULLNAME}-worker")["spec"]["template"]
    api = rendering.container()
    (container,) = worker["spec"]["containers"]
    assert (container["args"], container["ports"]) == (["worker"], [{"name": "management", "containerPort": 9000}])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe] == api[probe]
    variables = {item["name"]: item.get("value") for item in container["env"]}
    assert (variables["INVENTORY_JOB_CONCURRENCY"], variables["INVENTORY_JOB_HEARTBEAT"]) == ("6", "30")
    assert not {"INVENTORY_API_KEYS_FILE", "INVENTORY_PORT"} & variables.keys()
    assert "api-keys" not in str(worker["spec"]["volumes"])
    assert worker["metadata"]["annotations"]["team"] == "queue"
    assert worker["metadata"]["labels"]["a"] == "b"


def test_keda_counts_the_jobs_that_are_due(helm: Helm) -> None:
    """By the service's own address, unless it is given another; and nobody else says how many pods there are."""
    rendering = helm.template(CASES["queue workers by KEDA"])
    worker = rendering.one("Deployment", f"{FULLNAME}-worker")
    assert "replicas" not in worker["spec"]
    (scaled,) = rendering.of("ScaledObject")
    spec = scaled["spec"]
    assert (spec["scaleTargetRef"], spec["minReplicaCount"], spec["maxReplicaCount"]) == (
        {"name": f"{FULLNAME}-worker"}, 2, 3,
    )  # fmt: skip
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour == {"scaleDown": {"stabilizationWindowSeconds": 60}}
    (trigger,) = spec["triggers"]
    assert trigger["metadata"]["targetQueryValue"] == "10"
    (authentication,) = rendering.of("TriggerAuthentication")
    assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}
    (reference,) = authentication["spec"]["secretTargetRef"]
    assert (reference["name"], reference["key"]) == ("keda-reads", "connection")
    plain = helm.template({"worker": {"keda": {"enabled": True, "maxReplicas": 2}}})
    assert "advanced" not in plain.of("ScaledObject")[0]["spec"]
    (own,) = plain.of("TriggerAuthentication")
    (reference,) = own["spec"]["secretTargetRef"]
    assert (reference["name"], reference["key"]) == (f"{FULLNAME}-database", "connection")
    made = plain.one("Secret", f"{FULLNAME}-database")["stringData"]
    assert f"@{FULLNAME}-postgresql.default.svc:5432/" in made["connection"]
    theirs: Values = {"database": {"existingSecret": "theirs", "urlKey": "address"}}
    keda: Values = {"worker": {"keda": {"enabled": True, "maxReplicas": 2}}}
    (given,) = helm.template({**keda, **theirs}).of("TriggerAuthentication")
    assert given["spec"]["secretTargetRef"][0] == {"parameter": "connection", "name": "theirs", "key": "address"}


def test_pre_stop_is_native_and_off_by_default(helm: Helm) -> None:
    """An exec sleep would need a shell in the image."""
    assert "lifecycle" not in helm.template().container()
    waiting = helm.template({"preStopSleepSeconds": 5, "terminationGracePeriodSeconds": 50})
    assert waiting.container()["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}


def test_traces_are_off_without_an_endpoint(helm: Helm) -> None:
    """No endpoint, no OTEL_* variable; with one, the pod says who it is."""
    assert not [item for item in helm.template().container()["env"] if item["name"].startswith("OTEL_")]
    values = {"otlp": {"endpoint": "http://c:4318", "resourceAttributes": {"team": "stock, and = more"}}}
    environment = helm.template(values).container()["env"]
    variables = {item["name"]: item.get("value") for item in environment}
    assert variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://c:4318"
    attributes = dict(pair.split("=") for pair in str(variables["OTEL_RESOURCE_ATTRIBUTES"]).split(","))
    assert attributes["k8s.pod.name"] == "$(POD_NAME)"
    assert unquote(attributes["team"]) == "stock, and = more"
    names = list(variables)
    assert names.index("POD_NAME") < names.index("OTEL_RESOURCE_ATTRIBUTES"), "$(...) sees earlier variables only"


def test_a_digest_wins_over_the_tag(helm: Helm) -> None:
    """A pinned image is exactly that image, everywhere it runs."""
    digest = "sha256:" + "a" * 64
    rendering = helm.template({"image": {"repository": "registry/app", "tag": "1.2", "digest": digest}})
    images = {container["image"] for _, pod in rendering.pods() for container in pod["containers"]}
    assert images == {f"registry/app@{digest}", "postgres:18", "valkey/valkey:9"}


def test_the_tag_is_the_version_of_the_application_by_default(helm: Helm) -> None:
    """Chart and image are released together."""
    assert helm.template().container()["image"] == "inventory-api:0.1.0"


def test_names_stay_valid_for_the_longest_release_name(helm: Helm) -> None:
    """53 characters are what Helm admits; a label value, such as the Job's name, may have 63."""
    rendering = helm.template(release="r" * 53)
    revision_hash = len("-0123456789")
    lengths = {
        manifest["metadata"]["name"]: len(manifest["metadata"]["name"])
        + (revision_hash if manifest["kind"] == "StatefulSet" else 0)
        for manifest in rendering.objects
    }
    assert all(length <= 63 for length in lengths.values()), lengths


def test_long_names_that_differ_at_their_end_stay_different(helm: Helm) -> None:
    names = {
        manifest["metadata"]["name"]
        for colour in ("blue", "green")
        for manifest in helm.template(release=f"team-a-production-environment-eu-west-1-{colour}").of("Deployment")
    }
    assert len(names) == 6
    assert all(len(name) <= 63 for name in names)


def test_a_release_with_dots_has_names_without(helm: Helm) -> None:
    """Which a Service could not have."""
    names = [manifest["metadata"]["name"] for manifest in helm.template(release="a.b").of("Service")]
    assert names
    assert not [name for name in names if "." in name]


def test_labels_and_annotations_of_pods_are_there_once_and_the_charts_stay(helm: Helm) -> None:
    """Of the others, the nearest to the pod counts."""
    values = {
        "commonLabels": {"team": "all", "cost": "1"},
        "podLabels": {"team": "stock"},
        "podAnnotations": {"checksum/credentials": "none", "team": "stock"},
        "metrics": {"annotations": {"enabled": True}},
    }
    template = helm.template(values).api()["spec"]["template"]["metadata"]
    assert (template["labels"]["team"], template["labels"]["cost"]) == ("stock", "1")
    assert template["annotations"]["checksum/credentials"] != "none"
    assert template["annotations"]["team"] == "stock"


def test_a_migration_may_take_its_time_before_a_rollout_counts_as_failed(helm: Helm) -> None:
    rendering = helm.template({"migrations": {"activeDeadlineSeconds": 7200}})
    assert rendering.api()["spec"]["progressDeadlineSeconds"] > 7200
    assert "progressDeadlineSeconds" not in helm.template({"migrations": {"mode": "external"}}).api()["spec"]


def test_names_that_yaml_takes_for_something_else_stay_names(helm: Helm) -> None:
    """A release `y`, a Secret `on` and a size `64` are strings; YAML 1.1 reads a boolean and a number."""
    values = {
        "fullnameOverride": "null",
        "database": {"existingSecret": "on"},
        "redis": {"existingSecret": "no", "bundled": {"maxMemory": "64"}},
        "apiKeys": {"existingSecret": "off"},
    }
    for manifest in helm.template(values, release="y").objects:
        assert {type(name) for name in values_of("name", manifest)} <= {str}
        assert {type(name) for name in values_of("secretName", manifest)} <= {str}
        assert {type(item) for arguments in values_of("args", manifest) for item in arguments} <= {str}
        assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "y"


def job_name(helm: Helm, values: Values) -> str:
    """The name of the migration Job."""
    return str(helm.template(values).migration()["metadata"]["name"])


@pytest.mark.parametrize(
    "values",
    [{"image": {"tag": "0.2.0"}}, {"migrations": {"timeoutSeconds": 9}}, {"database": {"existingSecret": "other"}}],
)
def test_another_migration_is_another_job(helm: Helm, values: Values) -> None:
    """A Job's template is immutable: under the old name the upgrade would fail."""
    assert job_name(helm, values) != job_name(helm, {})


@pytest.mark.parametrize(
    "values", [{"replicaCount": 2}, {"podAnnotations": {"a": "b"}}, {"redis": {"existingSecret": "x"}}]
)
def test_the_same_migration_is_the_same_job(helm: Helm, values: Values) -> None:
    """An upgrade that does not concern the schema runs no migration."""
    assert job_name(helm, values) == job_name(helm, {})


def test_the_migration_is_an_ordinary_job(helm: Helm) -> None:
    """As a hook it would deadlock with `--wait`; with a TTL, Helm would find it gone."""
    job = helm.template().migration()
    assert "helm.sh/hook" not in job["metadata"].get("annotations", {})
    assert "ttlSecondsAfterFinished" not in job["spec"]
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_migrations_can_be_left_to_others(helm: Helm) -> None:
    """`external` renders no Job."""
    assert not helm.template({"migrations": {"mode": "external"}}).of("Job")


def test_bundled_servers_can_be_left_out(helm: Helm) -> None:
    """With Secrets of one's own, only the service remains."""
    names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in helm.template(EXTERNAL).objects}
    migration = next(name for kind, name in names if kind == "Job")
    assert names == {
        ("ServiceAccount", FULLNAME),
        ("Service", FULLNAME),
        ("Deployment", FULLNAME),
        ("Deployment", f"{FULLNAME}-worker"),
        ("PodDisruptionBudget", FULLNAME),
        ("Job", migration),
        ("Pod", f"{FULLNAME}-test"),
    }


def test_the_volume_and_its_password_live_equally_long(helm: Helm) -> None:
    """A kept volume without its password could not be opened by the next install."""
    kept = {"helm.sh/resource-policy": "keep"}
    assert _database_secret(helm, {})["metadata"].get("annotations") == kept
    for persistence in ({"enabled": False}, {"retentionPolicy": {"whenDeleted": "Delete"}}):
        secret = _database_secret(helm, {"database": {"bundled": {"persistence": persistence}}})
        assert "annotations" not in secret["metadata"]


def test_persistence_can_be_shaped(helm: Helm) -> None:
    """Size, class and retention reach the claim; without persistence there is none."""
    persistence = {"size": "1Gi", "storageClassName": "fast", "retentionPolicy": {"whenDeleted": "Delete"}}
    spec = _postgresql(helm, {"persistence": persistence})
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert claim["spec"]["storageClassName"] == "fast"
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Delete", "whenScaled": "Retain"}
    assert "volumeClaimTemplates" not in _postgresql(helm, {"persistence": {"enabled": False}})


def _postgresql(helm: Helm, bundled: Values) -> Manifest:
    spec = helm.template({"database": {"bundled": bundled}}).one("StatefulSet", f"{FULLNAME}-postgresql")["spec"]
    assert isinstance(spec, dict)
    return spec


def _database_secret(helm: Helm, values: Values) -> Manifest:
    return helm.template(values).one("Secret", f"{FULLNAME}-database")
