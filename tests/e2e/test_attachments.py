"""Attachments in an S3 of the cluster, by TLS of an authority of its own, behind the release's network policies."""

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.session import get_session
from helm import yaml_text

from tests.support.attaching import PDF, PNG, pdf_of, png_of
from tests.support.waiting import await_claim

from .client import Client, PortForward
from .cluster import RELEASE, Cluster, say
from .conftest import ITEM
from .production import Platform, secret, server

S3, PORT, BUCKET = "s3", 7070, "inventory"
IMAGE = "versity/versitygw:v1.8.0"
KEYS = {"AWS_ACCESS_KEY_ID": "inventory", "AWS_SECRET_ACCESS_KEY": "of-the-storage"}
REGION = "eu-test-1"
VALUES = {
    "storage": {
        "url": f"s3://{BUCKET}/files",
        "endpoint": f"https://{S3}:{PORT}",
        "region": REGION,
        "existingSecret": "inventory-s3",
        "caSecret": "inventory-s3-ca",
    },
    "networkPolicy": {
        "enabled": True,
        "storage": {"to": [{"podSelector": {"matchLabels": {"app": S3}}}], "port": PORT},
    },
}
VERSITYGW: dict[str, Any] = {
    "args": [
        "--access", KEYS["AWS_ACCESS_KEY_ID"], "--secret", KEYS["AWS_SECRET_ACCESS_KEY"], "--region", REGION,
        "--keep-alive", "--port", f":{PORT}", "--cert", "/tls/tls.crt", "--key", "/tls/tls.key", "posix", "/data",
    ],
    "readinessProbe": {"tcpSocket": {"port": PORT}},
}  # fmt: skip


class Storage:
    """The S3, seen from this machine: by the way to its pod, whose certificate is of another name there."""

    def __init__(self, forward: PortForward) -> None:
        self._forward = forward

    def client(self) -> Any:
        session = get_session()
        session.set_credentials(*KEYS.values())
        where = self._forward.url().replace("http://", "https://")
        config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
        return session.create_client("s3", region_name=REGION, endpoint_url=where, verify=False, config=config)

    def make_bucket(self) -> bool:
        """Whether it is there. Its data end with its pod, and with it the way to it, which is found at the next try."""
        with warnings.catch_warnings(action="ignore"):
            try:
                self.client().create_bucket(Bucket=BUCKET)
            except BotoCoreError:
                return False
        return True

    def objects(self) -> list[str]:
        with warnings.catch_warnings(action="ignore"):
            found = self.client().list_objects_v2(Bucket=BUCKET)
        return [one["Key"] for one in found.get("Contents", [])]

    def send(self, signed: dict[str, Any], content: bytes) -> httpx.Response:
        """What was signed for the address that the service knows."""
        asked = urlsplit(signed["url"])
        url = f"{self._forward.url().replace('http://', 'https://')}{asked.path}?{asked.query}"
        headers = {**signed["headers"], "host": asked.netloc}
        with httpx.Client(verify=False, timeout=60) as client:  # noqa: S501 -- its name is another one here
            return client.request(signed["method"], url, content=content, headers=headers)


@pytest.fixture(scope="module")
def storage(own_cluster: Cluster) -> Iterator[Storage]:
    """With its bucket, and the Secrets that the release is told of."""
    platform = Platform(own_cluster)
    platform.certify(S3)
    platform.apply(secret("inventory-s3", KEYS), platform.authority("inventory-s3-ca"))
    platform.apply(*server(S3, PORT, IMAGE, VERSITYGW, {}))
    own_cluster.kubectl("rollout", "status", f"deployment/{S3}", "--timeout=120s")
    with PortForward(own_cluster, f"service/{S3}", PORT) as forward:
        made = Storage(forward)
        await_claim("the bucket is made", made.make_bucket)
        say("an S3 runs")
        yield made


@pytest.fixture(scope="module")
def forward(own_cluster: Cluster, storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortForward]:
    """The way to the release."""
    del storage
    values: Path = tmp_path_factory.mktemp("here") / "values.yaml"
    values.write_text(yaml_text.dump(VALUES))
    own_cluster.install(files=[values])
    with PortForward(own_cluster, f"service/{RELEASE}", 80) as way:
        assert Client(way, own_cluster.key()).request("PUT", "/inventory/A-1", ITEM).status == 201
        yield way


@pytest.fixture
def api(own_cluster: Cluster, forward: PortForward) -> Iterator[httpx.Client]:
    authorization = {"Authorization": f"Bearer {own_cluster.key()}"}
    with httpx.Client(base_url=forward.url(), headers=authorization, timeout=60) as client:
        yield client


def test_a_file_goes_in_comes_out_and_is_removed(own_cluster: Cluster, storage: Storage, api: httpx.Client) -> None:
    """10 MiB through a pod with a read-only root, and its object removed by the queue worker."""
    content = png_of(10_485_760)
    made = api.post("/inventory/A-1/attachments", files={"file": ("a.png", content, PNG)}).raise_for_status().json()
    assert storage.objects() == [f"files/attachments/{made['id']}"]
    assert api.get(f"/attachments/{made['id']}/content").raise_for_status().content == content
    assert api.delete(f"/attachments/{made['id']}").status_code == 204
    await_claim("the object is removed", lambda: storage.objects() == [], seconds=60)


def test_a_large_one_goes_to_the_storage_directly(own_cluster: Cluster, storage: Storage, api: httpx.Client) -> None:
    """By the URL of the cluster; what was not signed is refused by the storage."""
    content = pdf_of(60_000_000)
    creation = {
        "owner": {"type": "item", "id": "A-1"},
        "filename": "large.pdf",
        "content_type": PDF,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    signed = api.post("/attachments/uploads", json=creation).raise_for_status().json()
    assert storage.send(signed, content[:-1] + b"x").status_code == 400
    assert api.post(f"/attachments/{signed['id']}/complete").status_code == 409
    assert storage.send(signed, content).status_code == 200
    assert api.post(f"/attachments/{signed['id']}/complete").raise_for_status().json()["status"] == "available"


def test_without_its_storage_pods_are_degraded_and_stay_ready(
    own_cluster: Cluster, storage: Storage, api: httpx.Client, forward: PortForward
) -> None:
    """Items go on, uploads are 503; and both are well again with it."""
    own_cluster.kubectl("scale", f"deployment/{S3}", "--replicas=0")
    await_claim("its pod is gone", lambda: not own_cluster.kubectl("get", "pods", "-l", f"app={S3}", "-o", "name"))
    way = PortForward(own_cluster, f"deployment/{RELEASE}", 9000)
    with way:
        management = Client(way)
        await_claim("it is degraded", lambda: management.request("GET", "/system/ready").json["status"] == "degraded")
        assert api.get("/inventory/A-1").status_code == 200
        refused = api.post("/inventory/A-1/attachments", files={"file": ("a.png", png_of(1000), PNG)})
        assert (refused.status_code, refused.json()["error"]["type"]) == (503, "DEPENDENCY_UNAVAILABLE")
        own_cluster.kubectl("scale", f"deployment/{S3}", "--replicas=1")
        own_cluster.kubectl("rollout", "status", f"deployment/{S3}", "--timeout=120s")
        await_claim("the bucket is made again", storage.make_bucket)
        await_claim("it is ready", lambda: management.request("GET", "/system/ready").json["status"] == "ready")
    assert own_cluster.settled(1)
