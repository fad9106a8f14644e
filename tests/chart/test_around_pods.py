"""What people add around the pods: labels, placement, containers, volumes, certificates, accounts, objects."""

from .rendering import CASES, EXTERNAL, FULLNAME, HARDENED_CONTAINER, Helm, Manifest, Rendering, credentials

AROUND = CASES["everything around the pods"]
OWN = ("Deployment", "StatefulSet", "Job")


def templates(rendering: Rendering) -> dict[str, Manifest]:
    """The pod templates of all workloads."""
    return {
        f"{manifest['kind']}/{manifest['metadata']['labels']['app.kubernetes.io/component']}": manifest["spec"][
            "template"
        ]
        for manifest in rendering.objects
        if manifest["kind"] in OWN
    }


def test_labels_and_annotations_reach_every_object_and_every_pod(helm: Helm) -> None:
    """Cost, ownership and policy are told by them; an object of one's own is left as it is."""
    rendering = helm.template(AROUND)
    for manifest in rendering.objects:
        if manifest["metadata"]["name"] != "shop-more":
            assert manifest["metadata"]["labels"]["cost-centre"] == "7", manifest
            assert manifest["metadata"]["annotations"]["owner"] == "stock", manifest
    for template in templates(rendering).values():
        assert template["metadata"]["labels"]["cost-centre"] == "7"
    assert rendering.api()["spec"]["template"]["metadata"]["labels"]["mesh"] == "on"


def test_the_claim_of_the_volume_carries_what_never_changes(helm: Helm) -> None:
    """Kubernetes refuses another template of a claim, so that a new label would end in a failed upgrade."""
    (claim,) = helm.template({"commonLabels": {"cost-centre": "7"}}).one("StatefulSet", f"{FULLNAME}-postgresql")[
        "spec"
    ]["volumeClaimTemplates"]
    assert "cost-centre" not in claim["metadata"]["labels"]


def test_every_pod_of_the_release_goes_where_it_may(helm: Helm) -> None:
    """One that cannot be placed would keep the others waiting."""
    for template in templates(helm.template(AROUND)).values():
        assert template["spec"]["nodeSelector"] == {"pool": "web"}
        assert template["spec"]["tolerations"] == [{"key": "web", "operator": "Exists"}]
        assert template["spec"]["serviceAccountName"] == "mine"
    pod = helm.template(AROUND).api()["spec"]["template"]["spec"]
    assert pod["affinity"] == {"nodeAffinity": {}}
    assert pod["priorityClassName"] == "high"


def test_an_account_of_ones_own_is_not_made(helm: Helm) -> None:
    """And the chart's may have annotations, as workload identity wants them."""
    assert not helm.template(AROUND).of("ServiceAccount")
    (account,) = helm.template({"serviceAccount": {"annotations": {"role": "stock"}}}).of("ServiceAccount")
    assert account["metadata"]["annotations"] == {"role": "stock"}
    assert account["automountServiceAccountToken"] is False


def test_containers_and_volumes_can_be_added(helm: Helm) -> None:
    """The volumes to migrations too, which may need the same certificates."""
    pods = templates(helm.template(AROUND))
    api, migration = pods["Deployment/api"]["spec"], pods["Job/migration"]["spec"]
    assert [container["name"] for container in api["initContainers"]] == ["before"]
    assert [container["name"] for container in api["containers"]] == ["api", "beside"]
    assert api["containers"][1] == {**HARDENED_CONTAINER, "name": "beside"}
    for pod in (api, migration):
        assert {"name": "more", "emptyDir": {}} in pod["volumes"]
        assert {"name": "more", "mountPath": "/more"} in pod["containers"][0]["volumeMounts"]


def test_certificates_of_the_servers_are_files_beside_the_credentials(helm: Helm) -> None:
    """In the same volume, so that a new one arrives without a restart; and the service is told to verify by them."""
    pods = templates(helm.template(CASES["servers of other authorities"]))
    database = {"secret": {"name": "my-database-ca", "items": [{"key": "ca.crt", "path": "database-ca.crt"}]}}
    redis = {"secret": {"name": "my-redis-ca", "items": [{"key": "ca.crt", "path": "redis-ca.crt"}]}}
    assert database in credentials(pods["Deployment/api"]["spec"])
    assert redis in credentials(pods["Deployment/api"]["spec"])
    assert database in credentials(pods["Job/migration"]["spec"])
    assert redis not in credentials(pods["Job/migration"]["spec"])
    mounted = "/etc/inventory-api/credentials"
    by_database = {"name": "INVENTORY_DATABASE_CA_FILE", "value": f"{mounted}/database-ca.crt"}
    by_redis = {"name": "INVENTORY_REDIS_CA_FILE", "value": f"{mounted}/redis-ca.crt"}
    api, migration = (pods[name]["spec"]["containers"][0]["env"] for name in ("Deployment/api", "Job/migration"))
    assert (by_database in api, by_redis in api) == (True, True)
    assert (by_database in migration, by_redis in migration) == (True, False)


def test_migrations_may_have_a_role_of_their_own_that_the_api_never_sees(helm: Helm) -> None:
    """The service needs no right to change the schema."""
    pods = templates(helm.template({**EXTERNAL, "migrations": {"existingSecret": "my-owner"}}))
    owner = {"secret": {"name": "my-owner", "items": [{"key": "url", "path": "database-direct-url"}]}}
    path = "/etc/inventory-api/credentials/database-direct-url"
    assert owner in credentials(pods["Job/migration"]["spec"])
    assert {"name": "INVENTORY_DATABASE_DIRECT_URL_FILE", "value": path} in pods["Job/migration"]["spec"]["containers"][
        0
    ]["env"]
    assert "my-owner" not in str(pods["Deployment/api"])
    assert "DIRECT_URL" not in str(pods["Deployment/api"])


def test_a_migration_hook_needs_nothing_that_the_chart_makes(helm: Helm) -> None:
    """It runs before all of it; and what an interrupted upgrade left behind is removed before the next."""
    rendering = helm.template(CASES["migrations before everything"])
    job = rendering.migration()
    assert job["metadata"]["name"] == f"{FULLNAME}-migration"
    assert job["metadata"]["annotations"] == {
        "helm.sh/hook": "pre-install,pre-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "default"
    made = {manifest["metadata"]["name"] for manifest in rendering.of("Secret")}
    assert not made & {source["secret"]["name"] for source in credentials(job["spec"]["template"]["spec"])}


def test_objects_can_be_added_as_templates(helm: Helm) -> None:
    """They see the release."""
    assert helm.template(AROUND).one("ConfigMap", "shop-more")


def test_probe_timing_follows_the_values(helm: Helm) -> None:
    """Given in seconds; the kubelet counts failures."""
    container = helm.template(
        {"probes": {"startupSeconds": 90, "livenessSeconds": 45, "readinessPeriodSeconds": 5}}
    ).container()
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] == 90
    assert container["livenessProbe"]["periodSeconds"] * container["livenessProbe"]["failureThreshold"] == 50
    assert container["readinessProbe"]["periodSeconds"] == 5
