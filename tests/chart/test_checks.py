"""What must hold between values is checked at render, and the failure says the arithmetic and the fix."""

import pytest

from .rendering import EXTERNAL, FULLNAME, Helm, Values, environment, refusal


def test_a_drain_that_does_not_fit_the_grace_period_is_refused(helm: Helm) -> None:
    """The kubelet would kill in the middle of the drain."""
    said = refusal(helm, {"drain": {"delay": 20, "timeout": 25}, "preStopSleepSeconds": 5})
    assert (
        "preStopSleepSeconds 5 + gunicorn's graceful_timeout 55 "
        "(drain.delay 20 + drain.timeout 25 + tasks 3 + pools 3 + spans 3 + 1) + margin 5 = 65 "
        "> terminationGracePeriodSeconds 45"
    ) in said
    assert "fix: terminationGracePeriodSeconds: 65 or more" in said


def test_the_fix_for_the_grace_period_is_enough(helm: Helm) -> None:
    """The number in the message renders, one less does not."""
    values = {"drain": {"delay": 20, "timeout": 25}, "preStopSleepSeconds": 5}
    assert helm.template({**values, "terminationGracePeriodSeconds": 65}).api()
    assert "= 65 > terminationGracePeriodSeconds 64" in refusal(helm, {**values, "terminationGracePeriodSeconds": 64})


def test_a_drain_that_is_shorter_than_a_request_may_take_is_refused(helm: Helm) -> None:
    """The service itself would refuse to start, in every pod."""
    said = refusal(helm, {"drain": {"timeout": 7}, "requestDeadline": 8})
    assert "drain.timeout 7 < requestDeadline 8" in said
    assert "fix: drain.timeout: 8 or more" in said
    assert helm.template({"drain": {"timeout": 8}, "requestDeadline": 8}).api()


def test_a_drain_that_is_shorter_than_an_upload_may_take_is_refused(helm: Helm) -> None:
    """The service would not start; without a storage there are no uploads to wait for."""
    drain, storage = {"drain": {"timeout": 14}}, {"url": "s3://inventory", "uploadDeadline": 15}
    said = refusal(helm, {**drain, "storage": storage})
    assert "storage.uploadDeadline 15 > drain.timeout 14, so a drain would cut uploads short" in said
    assert "fix: drain.timeout: 15 or more" in said
    assert helm.template({"drain": {"timeout": 15}, "storage": storage}).api()
    assert helm.template(drain).api()


def test_more_connections_than_the_server_admits_are_refused(helm: Helm) -> None:
    """Counted at the worst moment of a rollout, when as many pods drain as there are new ones."""
    said = refusal(helm, {"replicaCount": 3, "serverWorkers": 2, "database": {"pool": {"max": 9}}})
    assert (
        "(replicaCount 3 + surge 1 + terminating 3) x serverWorkers 2 x (database.pool.max 9 + readiness 1) "
        "+ (worker.replicaCount 1 + surge 1 + terminating 1) x (worker.concurrency 4 + 4) "
        "+ migration 2 = 166 > 90 = database.maxConnections 100 - database.reservedConnections 10"
    ) in said
    assert "fix: database.maxConnections: 176 or more" in said


def test_the_fix_for_the_connection_budget_is_enough(helm: Helm) -> None:
    """The number in the message renders, one less does not."""
    values = {"replicaCount": 3, "serverWorkers": 2}
    pool = {"max": 9}
    assert helm.template({**values, "database": {"pool": pool, "maxConnections": 176}}).api()
    assert "166 > 165" in refusal(helm, {**values, "database": {"pool": pool, "maxConnections": 175}})


def test_queue_workers_count_too_as_many_as_there_may_be_and_none_where_there_are_none(helm: Helm) -> None:
    keda = {"worker": {"keda": {"enabled": True, "maxReplicas": 9}, "concurrency": 6}}
    said = refusal(helm, keda)
    assert "(worker.keda.maxReplicas 9 + surge 1 + terminating 9) x (worker.concurrency 6 + 4) + migration 2" in said
    assert "= 219 > 90" in said
    alone = {"replicaCount": 4, "worker": {"enabled": False}}
    assert helm.template(alone).api()
    assert "= 107 > 90" in refusal(helm, {"replicaCount": 4})


def test_keda_with_nothing_to_count_is_refused(helm: Helm) -> None:
    said = refusal(helm, {"worker": {"enabled": False, "keda": {"enabled": True}}})
    assert "there is no worker that it could count\nfix: worker.enabled: true" in said
    said = refusal(helm, {"worker": {"keda": {"enabled": True, "minReplicas": 5, "maxReplicas": 2}}})
    assert "keda.minReplicas 5 > keda.maxReplicas 2\nfix: worker.keda.maxReplicas: 5 or more" in said


def test_the_budget_counts_the_most_pods_that_there_may_be(helm: Helm) -> None:
    """With an autoscaler that is its maximum, whatever replicaCount says."""
    said = refusal(helm, {"replicaCount": 1, "autoscaling": {"enabled": True, "maxReplicas": 5}})
    assert "(autoscaling.maxReplicas 5 + surge 1 + terminating 5) x serverWorkers 1" in said
    assert "= 125 > 90" in said


def test_an_autoscaler_that_could_never_act_is_refused(helm: Helm) -> None:
    """Its bounds fit, and what it goes by is there."""
    said = refusal(helm, {"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 3}})
    assert "minReplicas 5 > maxReplicas 3\nfix: autoscaling.maxReplicas: 5 or more" in said
    said = refusal(helm, {"autoscaling": {"enabled": True, "targetCPUUtilizationPercentage": 0}})
    assert "fix: autoscaling.targetCPUUtilizationPercentage: 70" in said
    said = refusal(helm, {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}})
    assert "fix: resources.requests.cpu" in said


@pytest.mark.parametrize(
    ("values", "said", "fix"),
    [
        (
            {"podDisruptionBudget": {"minAvailable": 1}},
            "minAvailable 1 = 1 of replicaCount 1 leaves 0",
            'fix: podDisruptionBudget.maxUnavailable: 1 with minAvailable: "", or replicaCount: 2 or more',
        ),
        (
            {"replicaCount": 3, "podDisruptionBudget": {"minAvailable": "67%"}},
            "minAvailable 67% = 3 of replicaCount 3 leaves 0",
            'fix: podDisruptionBudget.maxUnavailable: 1 with minAvailable: ""',
        ),
        (
            {"autoscaling": {"enabled": True, "minReplicas": 2}, "podDisruptionBudget": {"minAvailable": 2}},
            "minAvailable 2 = 2 of autoscaling.minReplicas 2 leaves 0",
            "or autoscaling.minReplicas: 3 or more",
        ),
        (
            {"replicaCount": 3, "podDisruptionBudget": {"maxUnavailable": "00%"}},
            'maxUnavailable "00%" of replicaCount 3 leaves 0',
            "fix: podDisruptionBudget.maxUnavailable: 1",
        ),
        (
            {"replicaCount": 3, "podDisruptionBudget": {"maxUnavailable": "0%"}},
            'maxUnavailable "0%" of replicaCount 3 leaves 0',
            "fix: podDisruptionBudget.maxUnavailable: 1",
        ),
    ],
)
def test_a_budget_that_would_block_every_drain_is_refused(helm: Helm, values: Values, said: str, fix: str) -> None:
    """The arithmetic is that of Kubernetes, which rounds up."""
    message = refusal(helm, values)
    assert said in message
    assert fix in message


def test_a_budget_that_leaves_one_is_admitted(helm: Helm) -> None:
    """One more pod, or one less asked for, than what is refused."""
    for values in (
        {"replicaCount": 2, "podDisruptionBudget": {"minAvailable": 1}},
        {"replicaCount": 3, "podDisruptionBudget": {"minAvailable": "66%"}},
        {"podDisruptionBudget": {"enabled": False, "minAvailable": 1}},
    ):
        assert helm.template(values).api()


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        ({"migrations": {"mode": "hook"}}, "fix: migrations.mode: job, or database.existingSecret"),
        (
            {"database": {"existingSecret": "one", "directUrl": True}, "migrations": {"existingSecret": "two"}},
            "fix: database.directUrl: false",
        ),
        ({**EXTERNAL, "networkPolicy": {"enabled": True}}, "fix: networkPolicy.database.to"),
        (
            {"otlp": {"endpoint": "http://collector:4318"}, "networkPolicy": {"enabled": True}},
            "fix: networkPolicy.otlp.to",
        ),
        (
            {
                **EXTERNAL,
                "networkPolicy": {"enabled": True, "database": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}},
            },
            "fix: networkPolicy.redis.to",
        ),
        (
            {"database": {"existingSecret": "x", "directUrl": True}, "networkPolicy": {"enabled": True}},
            "fix: networkPolicy.migrations.to",
        ),
        (
            {"networkPolicy": {"enabled": True, "migrations": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}}},
            "fix: database.directUrl: true, or migrations.existingSecret",
        ),
        (
            {"networkPolicy": {"enabled": True, "redis": {"port": 6380}}},
            "redis.port 6380 is of no effect without redis.to\nfix: networkPolicy.redis.to",
        ),
        (
            {"storage": {"url": "s3://inventory"}, "networkPolicy": {"enabled": True}},
            "the S3 of storage.url s3://inventory is not\nfix: networkPolicy.storage.to: [{ipBlock: {cidr: ...}}]",
        ),
        *(
            ({"storage": {name: "http://x" if name == "endpoint" else "x", **address}}, f'or storage.{name}: ""')
            for name in ("endpoint", "region", "existingSecret", "caSecret", "caConfigMap")
            for address in ({}, {"url": "file:///mnt"})
        ),
        (
            {"storage": {"url": "s3://inventory", "caSecret": "one", "caConfigMap": "two"}},
            "both say of which authority the endpoint must be\nfix: keep one of them",
        ),
        (
            {"storage": {"url": "s3://inventory", "caConfigMap": "x", "endpoint": "http://s3:9000"}},
            "caConfigMap is there to verify the endpoint by, and http://s3:9000 has no TLS\nfix: storage.endpoint",
        ),
        (
            {
                "storage": {"url": "file:///mnt/one"},
                "extraVolumes": [{"name": "x"}],
                "extraVolumeMounts": [{"name": "x", "mountPath": "/mnt/on"}],
            },
            "no volume is mounted there that all pods share\nfix: extraVolumes with a claim that is ReadWriteMany",
        ),
        ({"requiredChecks": ["storage"]}, "requiredChecks has it, and there is none\nfix: storage.url"),
        (
            {"storage": {"url": "s3://inventory"}, "extraVolumes": [{"name": "uploads"}]},
            "extraVolumes: uploads is the name of the chart's own\nfix: another name",
        ),
        (
            {
                "storage": {"url": "s3://inventory"},
                "extraVolumeMounts": [{"name": "x", "mountPath": "/var/spool/inventory-api/"}],
            },
            "the chart mounts its own at /var/spool/inventory-api/\nfix: another mountPath",
        ),
        ({"database": {"caSecret": "x"}}, "the bundled one has no TLS\nfix: database.bundled.enabled: false"),
        ({"redis": {"caSecret": "x"}}, "the bundled one has no TLS\nfix: redis.bundled.enabled: false"),
        ({"migrations": {"mode": "external", "existingSecret": "x"}}, 'fix: migrations.existingSecret: ""'),
        ({"migrations": {"timeoutSeconds": 7200}}, "fix: migrations.activeDeadlineSeconds: 7200 or more"),
        ({"service": {"loadBalancerClass": "x"}}, "fix: service.type: LoadBalancer"),
        ({"service": {"externalTrafficPolicy": "Local"}}, "fix: service.type: NodePort or LoadBalancer"),
        ({"extraContainers": [{"name": "api"}]}, "extraContainers: api is the name of the chart's own\nfix: another"),
        ({"extraVolumes": [{"name": "tmp"}]}, "extraVolumes: tmp is the name of the chart's own\nfix: another name"),
        (
            {"extraVolumeMounts": [{"name": "x", "mountPath": "/etc/inventory-api/credentials/"}]},
            "fix: another mountPath",
        ),
        (
            {"metrics": {"podMonitor": {"labels": {"app.kubernetes.io/name": "x"}}}},
            "metrics.podMonitor.labels: app.kubernetes.io/name is set by the chart",
        ),
        ({"gateway": {"enabled": True}}, "fix: gateway.parentRefs"),
        ({"service": {"nodePort": 30000}}, "fix: service.type: NodePort"),
        ({"serviceAccount": {"create": False}}, "fix: serviceAccount.name"),
        (
            {"metrics": {"podMonitor": {"enabled": True}, "annotations": {"enabled": True}}},
            "podMonitor and annotations are on, and each would have every pod scraped once more\nfix: keep one",
        ),
        (
            {"metrics": {"podMonitor": {"enabled": True, "interval": "2m1s"}}},
            "podMonitor.interval 2m1s > 2m, and rules and dashboards that look at 5 minutes need two scrapes in them\n",
        ),
        ({"metrics": {"prometheusRule": {"enabled": True}}}, "scraped, so that its alerts would say for ever"),
        ({"podLabels": {"app.kubernetes.io/component": "x"}}, "podLabels: app.kubernetes.io/component is set by the"),
        ({"commonAnnotations": {"helm.sh/hook": "x"}}, "commonAnnotations: helm.sh/hook is Helm's"),
        ({"commonLabels": {"helm.sh/chart": "x"}}, "commonLabels: helm.sh/chart is set by the chart\nfix: another"),
    ],
)
def test_values_that_cannot_work_together_are_refused_with_the_fix(helm: Helm, values: Values, fix: str) -> None:
    """What would only be seen on the cluster, or never, is said before."""
    assert fix in refusal(helm, values)


def test_the_budget_counts_for_an_external_database_too(helm: Helm) -> None:
    """`maxConnections` is then what that server admits."""
    database = {**EXTERNAL["database"], "maxConnections": 20}
    assert "connection budget" in refusal(helm, {**EXTERNAL, "database": database})


def test_the_bundled_server_admits_what_the_budget_is_checked_against(helm: Helm) -> None:
    """One value drives both."""
    rendering = helm.template({"database": {"maxConnections": 77}})
    server = rendering.one("StatefulSet", f"{FULLNAME}-postgresql")["spec"]["template"]["spec"]["containers"][0]
    assert "max_connections=77" in server["args"]


@pytest.mark.parametrize("part", ["database", "redis"])
def test_no_server_at_all_is_refused(helm: Helm, part: str) -> None:
    """Without the bundled server the address must come from a Secret."""
    said = refusal(helm, {part: {"bundled": {"enabled": False}}})
    assert (
        f"fix: {part}.existingSecret: the name of a Secret with the key `url`, or {part}.bundled.enabled: true" in said
    )


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        ("database", "the keys `url` and `password`"),
        ("redis", "the keys `url` and `valkey.conf`"),
        ("apiKeys", "the key `keys.json`"),
    ],
)
def test_no_credentials_at_all_are_refused(helm: Helm, part: str, keys: str) -> None:
    """With `credentials.generate: false` each credential must come from a Secret."""
    secrets = {name: {"existingSecret": "mine"} for name in ("database", "redis", "apiKeys") if name != part}
    said = refusal(helm, {**secrets, "credentials": {"generate": False}})
    assert f"fix: {part}.existingSecret: the name of a Secret with {keys}, or credentials.generate: true" in said


def test_a_direct_url_that_no_secret_has_is_refused(helm: Helm) -> None:
    """The Secret that the chart makes has no second address."""
    assert "fix: database.existingSecret" in refusal(helm, {"database": {"directUrl": True}})
    assert "fix: database.existingSecret" in refusal(helm, {"database": {"urlKey": "uri"}})


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("INVENTORY_POOL_MAX", "use the value database.pool.max"),
        ("INVENTORY_DRAIN_DELAY", "use the value drain.delay"),
        ("INVENTORY_PORT", "leave it out"),
        ("INVENTORY_REQUIRED_CHECKS", "use the value requiredChecks"),
        ("AWS_ENDPOINT_URL", "use the value storage.endpoint"),
        ("AWS_DEFAULT_REGION", "use the value storage.region"),
        ("INVENTORY_SERVER_WORKER_TIMEOUT", "leave it out"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "use the value otlp.endpoint"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "use the value otlp.endpoint"),
    ],
)
def test_extra_environment_cannot_bypass_a_value(helm: Helm, name: str, fix: str) -> None:
    """A second source would make the checked arithmetic untrue, and a duplicate fails server-side apply."""
    assert f"{name} is the chart's\nfix: {fix}" in refusal(helm, {"extraEnv": [{"name": name, "value": "1"}]})


def test_every_variable_that_the_chart_sets_is_guarded(helm: Helm) -> None:
    """The list of guarded names has no gap."""
    rendering = helm.template(
        {
            **EXTERNAL,
            "database": {**EXTERNAL["database"], "directUrl": True, "caSecret": "my-ca"},
            "redis": {**EXTERNAL["redis"], "caSecret": "my-ca"},
            "otlp": {"endpoint": "http://c:4318"},
            "requiredChecks": ["database"],
            "storage": {
                "url": "s3://inventory",
                "endpoint": "https://s3.example",
                "region": "x",
                "existingSecret": "my-s3",
                "caSecret": "my-ca",
            },
        }
    )
    workloads = (rendering.api(), rendering.worker(), rendering.migration())
    names = {name for workload in workloads for name in environment(workload)}
    for name in names:
        assert "is the chart's" in refusal(helm, {"extraEnv": [{"name": name, "value": "1"}]})


def test_a_variable_that_is_there_twice_is_refused(helm: Helm) -> None:
    """The second would win, or the server refuse it, by how it is applied."""
    twice = [{"name": "TZ", "value": "UTC"}, {"name": "TZ", "value": "CET"}]
    assert "extraEnv: TZ is there twice" in refusal(helm, {"extraEnv": twice})


@pytest.mark.parametrize(
    "values",
    [
        {"database": {"pool": {"max": None}}, "replicaCount": 40},
        {"serverWorkers": None},
        {"drain": {"delay": None}},
        {"podDisruptionBudget": {"maxUnavailable": None}},
        {"resources": None},
        {"otlp": None},
    ],
)
def test_a_default_cannot_be_taken_away(helm: Helm, values: Values) -> None:
    """By null; what is counted by it would be wrong."""
    assert "missing propert" in refusal(helm, values)


@pytest.mark.parametrize("values", [{"fullnameOverride": "1abc"}, {"nameOverride": "", "fullnameOverride": "7"}])
def test_a_name_that_no_service_may_have_is_refused(helm: Helm, values: Values) -> None:
    assert "begins with a letter (RFC 1035)\nfix: fullnameOverride" in refusal(helm, values)


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
def test_a_scrape_that_may_take_longer_than_to_the_next_is_refused(helm: Helm, monitor: str) -> None:
    said = refusal(helm, {"metrics": {monitor: {"enabled": True, "interval": "5s"}}})
    assert f"{monitor}.scrapeTimeout 10s > interval 5s" in said
    values = {"metrics": {monitor: {"enabled": True, "interval": "1m5s", "scrapeTimeout": "65s"}}}
    assert helm.template(values).api()
