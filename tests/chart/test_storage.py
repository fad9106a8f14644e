"""Attachments: where they are kept is told to who needs it, and uploads have the disk that they are counted to need."""

from typing import Any

import pytest

from inventory_api.settings import PREFIX, Settings, load

from .rendering import CASES, Helm, Manifest, Rendering, Values, credentials, environment, refusal

OWN = CASES["attachments in an S3 of one's own"]
S3: Values = {"storage": {"url": "s3://inventory"}}
# Of both; the API also has a directory, and the queue worker the days after which rows are forgotten.
COMMON = {
    "INVENTORY_STORAGE_URL": "s3://inventory/attachments",
    "INVENTORY_UPLOAD_MAX_BYTES": "20000000",
    "INVENTORY_UPLOADS_AT_ONCE": "2",
    "INVENTORY_UPLOAD_BYTES_PER_SECOND": "50000000",
    "INVENTORY_DOWNLOADS_AT_ONCE": "8",
    "INVENTORY_UPLOAD_DEADLINE": "10",
    "INVENTORY_UPLOAD_URL_TTL": "600",
    "INVENTORY_DOWNLOAD_REDIRECT": "true",
    "AWS_ENDPOINT_URL_S3": "http://s3.example:9000",
    "AWS_REGION": "eu-central-1",
}
KEYS = {
    "AWS_ACCESS_KEY_ID": {"secretKeyRef": {"name": "my-s3", "key": "AWS_ACCESS_KEY_ID"}},
    "AWS_SECRET_ACCESS_KEY": {"secretKeyRef": {"name": "my-s3", "key": "AWS_SECRET_ACCESS_KEY"}},
    "AWS_SESSION_TOKEN": {"secretKeyRef": {"name": "my-s3", "key": "AWS_SESSION_TOKEN", "optional": True}},
}
OF_STORAGE = ("STORAGE", "UPLOAD", "DOWNLOAD", "ATTACHMENT", "AWS_")


def of_storage(workload: Manifest) -> dict[str, Any]:
    """The variables that are there for attachments."""
    return {name: value for name, value in environment(workload).items() if any(part in name for part in OF_STORAGE)}


def ephemeral(rendering: Rendering) -> tuple[Any, Any]:
    """What a container of the API requests of the disk, and its limit."""
    resources = rendering.container()["resources"]
    return resources["requests"].get("ephemeral-storage"), resources["limits"].get("ephemeral-storage")


def disk(*, workers: int = 1, limit: str | float | None = None, request: str | None = None, **storage: Any) -> Values:
    """Values with that size of uploads, and what is said of the disk."""
    given = {"limits": limit, "requests": request}
    return {
        "serverWorkers": workers,
        "database": {"maxConnections": 1000},
        "resources": {kind: {"ephemeral-storage": size} for kind, size in given.items() if size is not None},
        "storage": {**S3["storage"], **storage},
    }


def test_the_api_and_queue_workers_are_told_of_the_storage_and_migrations_are_not(helm: Helm) -> None:
    """The same, but for what only one of them does."""
    rendering = helm.template(OWN)
    assert of_storage(rendering.api()) == {
        **COMMON, **KEYS, "INVENTORY_UPLOAD_DIRECTORY": "/var/spool/inventory-api",
    }  # fmt: skip
    assert of_storage(rendering.worker()) == {**COMMON, **KEYS, "INVENTORY_ATTACHMENT_RETENTION_DAYS": "5"}
    assert of_storage(rendering.migration()) == {}
    others = [found for found in rendering.objects if found["kind"] != "Deployment"]
    assert "my-s3" not in str(others)


def test_without_a_url_nothing_is_there_for_attachments(helm: Helm) -> None:
    """Whatever else is said of them."""
    limits = {"uploadMaxBytes": 5, "uploadsAtOnce": 9, "uploadDeadline": 99, "downloadRedirect": True}
    values: Values = {"storage": limits, "worker": {"retention": {"attachmentDays": 3}}}
    rendering, plain = helm.template(values), helm.template()
    for workload in (rendering.api(), rendering.worker(), rendering.migration()):
        assert of_storage(workload) == {}
    for one, other in ((rendering.api(), plain.api()), (rendering.worker(), plain.worker())):
        one_pod, other_pod = one["spec"]["template"]["spec"], other["spec"]["template"]["spec"]
        assert one_pod == other_pod
    assert ephemeral(rendering) == (None, None)
    assert [volume["name"] for volume in plain.api()["spec"]["template"]["spec"]["volumes"]] == ["credentials", "tmp"]


def test_without_keys_the_pod_has_those_of_its_identity(helm: Helm) -> None:
    """Empty variables would hide what the platform gives it. Its account is annotated; the chart mounts no token."""
    rendering = helm.template(CASES["attachments at Amazon's"])
    for workload in (rendering.api(), rendering.worker()):
        assert {name for name in environment(workload) if name.startswith("AWS_")} == {"AWS_CA_BUNDLE"}
        assert workload["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
    (account,) = rendering.of("ServiceAccount")
    assert account["metadata"]["annotations"] == CASES["attachments at Amazon's"]["serviceAccount"]["annotations"]
    accounts = {
        workload["spec"]["template"]["spec"]["serviceAccountName"] for workload in (rendering.api(), rendering.worker())
    }
    assert accounts == {account["metadata"]["name"]}


@pytest.mark.parametrize(
    ("case", "kind", "name"),
    [
        ("attachments at Amazon's", "secret", "my-s3-ca"),
        ("attachments in an S3 of another authority", "configMap", "my-authority"),
    ],
)
def test_the_authority_of_the_storage_is_a_file_beside_the_credentials(
    helm: Helm, case: str, kind: str, name: str
) -> None:
    """Of a Secret or of a ConfigMap; not of the migration."""
    rendering = helm.template(CASES[case])
    source = {kind: {"name": name, "items": [{"key": "ca.crt", "path": "storage-ca.crt"}]}}
    for workload in (rendering.api(), rendering.worker()):
        assert source in credentials(workload["spec"]["template"]["spec"])
        assert environment(workload)["AWS_CA_BUNDLE"] == "/etc/inventory-api/credentials/storage-ca.crt"
    assert name not in str(rendering.migration())


def test_a_shared_directory_is_where_all_of_them_find_it(helm: Helm) -> None:
    """And nothing of S3."""
    rendering = helm.template(CASES["attachments in a directory that is shared"])
    for workload in (rendering.api(), rendering.worker()):
        assert environment(workload)["INVENTORY_STORAGE_URL"] == "file:///mnt/attachments"
        assert not [name for name in environment(workload) if name.startswith("AWS_")]
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        assert {"name": "shared", "mountPath": "/mnt"} in container["volumeMounts"]


def test_uploads_have_a_volume_of_their_own_in_the_api_alone(helm: Helm) -> None:
    """Bounded by what the service takes at once: 2 of 20,000,000 bytes are 2 x 20Mi, and the directory."""
    rendering = helm.template(OWN)
    pod = rendering.api()["spec"]["template"]["spec"]
    assert {"name": "uploads", "emptyDir": {"sizeLimit": "41Mi"}} in pod["volumes"]
    mount = {"name": "uploads", "mountPath": environment(rendering.api())["INVENTORY_UPLOAD_DIRECTORY"]}
    assert mount in rendering.container()["volumeMounts"]
    assert "uploads" not in str(rendering.worker()["spec"]["template"]["spec"]["volumes"])


@pytest.mark.parametrize(
    ("values", "spool", "needed"),
    [
        (disk(), "41Mi", "361Mi"),
        (disk(workers=2, uploadsAtOnce=8), "161Mi", "481Mi"),
        (disk(uploadMaxBytes=1), "5Mi", "325Mi"),
        (disk(uploadMaxBytes=1_048_577, uploadsAtOnce=1), "3Mi", "323Mi"),
        (disk(uploadMaxBytes=1_073_741_824, uploadsAtOnce=3), "3073Mi", "3393Mi"),
    ],
)
def test_the_disk_is_that_of_all_uploads_at_once_and_of_tmp_and_logs(
    helm: Helm, values: Values, spool: str, needed: str
) -> None:
    """Requested and limited."""
    rendering = helm.template({**values, "resources": {"limits": {"memory": "1Gi"}}})
    volumes = rendering.api()["spec"]["template"]["spec"]["volumes"]
    assert {"name": "uploads", "emptyDir": {"sizeLimit": spool}} in volumes
    assert ephemeral(rendering) == (needed, needed)
    assert rendering.container()["resources"]["requests"]["cpu"] == "100m"
    assert rendering.container()["resources"]["limits"]["memory"] == "1Gi"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"limit": "361Mi"}, ("361Mi", "361Mi")),
        ({"limit": "2Gi"}, ("361Mi", "2Gi")),
        ({"limit": "2Gi", "request": "10Mi"}, ("10Mi", "2Gi")),
        ({"request": "100Mi"}, ("100Mi", "361Mi")),
        ({"request": "1Gi"}, ("1Gi", "1Gi")),
    ],
)
def test_what_is_said_of_the_disk_counts(helm: Helm, given: dict[str, str], expected: tuple[str, str]) -> None:
    """What is not said follows, and never so that the limit is below the request."""
    assert ephemeral(helm.template(disk(**given))) == expected  # type: ignore[arg-type]


def test_a_disk_that_uploads_would_fill_is_refused(helm: Helm) -> None:
    """The kubelet would evict the pod, under load. The fix is enough; without a storage there is no arithmetic."""
    said = refusal(helm, disk(workers=2, uploadsAtOnce=8, limit="480Mi"))
    assert (
        "disk: serverWorkers 2 x storage.uploadsAtOnce 8 x storage.uploadMaxBytes 10Mi + directory 1Mi + tmp 64Mi "
        "+ logs 256Mi = 481Mi > resources.limits.ephemeral-storage 480Mi"
    ) in said
    assert "fix: resources.limits.ephemeral-storage: 481Mi or more, or smaller or fewer uploads at once" in said
    assert helm.template(disk(workers=2, uploadsAtOnce=8, limit="481Mi")).api()
    assert helm.template(disk(limit=378_535_936)).api()
    assert "> resources.limits.ephemeral-storage" in refusal(helm, disk(limit=378_535_935))
    without = disk(limit="1Mi")
    del without["storage"]
    assert ephemeral(helm.template(without)) == (None, "1Mi")


def test_what_is_required_of_a_server_is_not_required_of_a_migration(helm: Helm) -> None:
    """It has neither Redis nor a storage, and would refuse to start; none is named by default."""
    rendering = helm.template(OWN)
    for workload in (rendering.api(), rendering.worker()):
        assert environment(workload)["INVENTORY_REQUIRED_CHECKS"] == "database,storage"
    assert "INVENTORY_REQUIRED_CHECKS" not in environment(rendering.migration())
    assert "INVENTORY_REQUIRED_CHECKS" not in environment(helm.template().api())


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_every_variable_of_the_service_is_one_of_its_settings(helm: Helm, values: Values) -> None:
    """One that it does not know stops its start."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    rendering = helm.template(values)
    containers = [container for _, pod in rendering.pods() for container in pod["containers"]]
    names = {item["name"] for container in containers for item in container.get("env", [])}
    assert {name for name in names if name.startswith(PREFIX)} - known == set()


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_the_service_starts_with_what_the_chart_tells_it(helm: Helm, values: Values) -> None:
    """All that run it: it checks its settings against each other."""
    for _, pod in helm.template(values).pods():
        for container in pod["containers"]:
            told = {item["name"]: item["value"] for item in container.get("env", []) if "value" in item}
            told.pop("INVENTORY_UPLOAD_DIRECTORY", None)  # It is not there on this machine.
            load(told)


def test_a_number_of_bytes_is_written_as_one(helm: Helm) -> None:
    """Helm makes a float of it in a file, and 1.048576e+07 of that as text."""
    assert environment(helm.template(S3).api())["INVENTORY_UPLOAD_MAX_BYTES"] == "10485760"
    largest = {"storage": {**S3["storage"], "uploadMaxBytes": 1_073_741_824, "uploadUrlTtl": 604_800}}
    variables = environment(helm.template(largest).api())
    assert (variables["INVENTORY_UPLOAD_MAX_BYTES"], variables["INVENTORY_UPLOAD_URL_TTL"]) == ("1073741824", "604800")
