"""k8s/ by `kubectl apply -k`: the same as the chart, and it runs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm import render, yaml_text

from tests.support.kustomize import built
from tests.support.waiting import await_claim

from .client import Client, PortForward
from .cluster import RELEASE, Cluster, Manifest, is_ready, say
from .conftest import ITEM, namespace

TRIAL, PRODUCTION = render.KUSTOMIZE / "overlays" / "dev", render.KUSTOMIZE / "overlays" / "production"


def objects_of(folder: Path) -> dict[tuple[str, str], Manifest]:
    """Of a kustomization, by kind and name."""
    return {render.identity(found): found for found in built(folder)}


def specs(objects: dict[tuple[str, str], Manifest]) -> dict[tuple[str, str], Any]:
    """What makes them work, without what says whose they are."""
    return {name: found["spec"] for name, found in objects.items() if "spec" in found}


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[tuple[Cluster, Path]]:
    """A namespace, and the overlay `dev` for it with the image under test."""
    folder = tmp_path_factory.mktemp("overlay")
    with namespace(pytestconfig) as cluster:
        images = [
            {"name": "inventory-api", **{key: os.environ[name] for key, name in _IMAGE.items() if os.environ.get(name)}}
        ]
        kustomization = {
            "namespace": cluster.namespace,
            "resources": [os.path.relpath(TRIAL, folder)],
            "images": images if len(images[0]) > 1 else [],
        }
        (folder / "kustomization.yaml").write_text(yaml_text.dump(kustomization))
        yield cluster, folder


_IMAGE = {"newName": "E2E_IMAGE_REPOSITORY", "newTag": "E2E_IMAGE_TAG"}


def test_the_trial_is_what_the_chart_installs() -> None:
    """Helm with the same values and `kubectl kustomize` lead to the same workloads, Services and budgets."""
    values = render.merged(render.EXTERNAL, render.COMPONENTS["bundled-servers"])
    chart = {render.identity(found): found for found in render.rendered(values)}
    del chart["Pod", f"{RELEASE}-test"]
    (migration,) = [chart.pop(name) for name in list(chart) if name[0] == "Job"]
    # Under a name that does not change, and so removed when it is done.
    migration["spec"]["ttlSecondsAfterFinished"] = 60
    chart["Job", f"{RELEASE}-migration"] = migration
    kustomized = objects_of(TRIAL)
    assert specs(kustomized) == specs(chart)
    assert kustomized.keys() - chart.keys() == {
        ("Secret", f"{RELEASE}-{part}") for part in ("database", "redis", "keys")
    }


def test_production_is_what_the_chart_installs_by_its_example() -> None:
    """But for the way in, traces and the priority class, which the overlay leaves out, and what is Helm's own."""
    example = yaml.safe_load((render.EXAMPLES / "production-ha" / "values.yaml").read_text())
    names = {
        "database": {"existingSecret": "inventory-api-database", "caSecret": "inventory-api-database-ca"},
        "redis": {"existingSecret": "inventory-api-redis", "caSecret": "inventory-api-redis-ca"},
        "apiKeys": {"existingSecret": "inventory-api-keys"},
        "migrations": {"existingSecret": "inventory-api-database-owner"},
    }
    without = {"ingress": {"enabled": False}, "otlp": {"endpoint": ""}, "priorityClassName": ""}
    values = render.merged(render.merged(example, names), without)
    chart = {render.identity(found): found for found in render.adopted(render.rendered(values))}
    api = chart["NetworkPolicy", f"{RELEASE}-api"]["spec"]
    # That of the release is Helm's.
    api["ingress"][0]["from"] = [peer for peer in api["ingress"][0]["from"] if "podSelector" not in peer]
    overlay = objects_of(PRODUCTION)
    assert _unordered(specs(overlay)) == _unordered(specs(chart))
    for name, found in overlay.items():
        assert found["metadata"].get("labels") == chart[name]["metadata"]["labels"], name


@pytest.mark.parametrize("name", render.COMPONENTS)
def test_each_component_is_what_the_chart_installs_by_its_values(name: str, tmp_path: Path) -> None:
    """Upon the base alone."""
    parts = {"resources": [render.KUSTOMIZE / "base"], "components": [render.KUSTOMIZE / "components" / name]}
    relative = {kind: [os.path.relpath(path, tmp_path) for path in paths] for kind, paths in parts.items()}
    (tmp_path / "kustomization.yaml").write_text(yaml_text.dump(relative))
    values = render.merged(render.EXTERNAL, render.COMPONENTS[name])
    chart = {render.identity(found): found for found in render.adopted(render.rendered(values))}
    assert _unordered(specs(objects_of(tmp_path))) == _unordered(specs(chart))


def _unordered(node: Any) -> Any:
    """Without the order of variables and of mounted Secrets, which says nothing."""
    if isinstance(node, dict):
        return {
            name: sorted(map(_unordered, value), key=_text) if name in ("env", "sources") else _unordered(value)
            for name, value in node.items()
        }
    return [_unordered(item) for item in node] if isinstance(node, list) else node


def _text(node: Any) -> str:
    return json.dumps(node, sort_keys=True)


def test_the_trial_runs_and_may_be_applied_again(trial: tuple[Cluster, Path]) -> None:
    """From nothing to a PATCH; a second time while the migration's Job is there, and once it is gone."""
    cluster, folder = trial
    say("kubectl apply -k")
    cluster.kubectl("apply", "--kustomize", str(folder))
    cluster.kubectl("rollout", "status", f"deployment/{RELEASE}", "--timeout=180s")
    await_claim("the API is behind its Service", cluster.serving)
    pods = cluster.items("pods", "api")
    assert all(map(is_ready, pods))
    with PortForward(cluster, f"service/{RELEASE}", 80) as forward:
        client = Client(forward, "only-for-trials")
        assert client.request("PUT", "/inventory/first", ITEM).status == 201
        assert client.request("PATCH", "/inventory/first", {"name": "Renamed"}).status == 200
    cluster.kubectl("apply", "--kustomize", str(folder))
    cluster.kubectl("delete", "job", f"{RELEASE}-migration")
    cluster.kubectl("apply", "--kustomize", str(folder))
    cluster.kubectl("wait", "--for=condition=Complete", f"job/{RELEASE}-migration", "--timeout=120s")
    same = json.loads(cluster.kubectl("get", "pods", "--output", "json"))["items"]
    assert {pod["metadata"]["uid"] for pod in pods} <= {pod["metadata"]["uid"] for pod in same}
