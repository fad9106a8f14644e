"""`make chart`: renders the chart to helm/examples/*/rendered.yaml and to the generated parts of k8s/.

Objects are sorted and dumped here, so that every Helm leads to the same text. What is random is masked.
"""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
CHART, EXAMPLES, KUSTOMIZE = HERE / "inventory-api", HERE / "examples", HERE.parent / "k8s"
HEADER = "# Made by `make chart` from the chart; do not edit.\n"
MASK = "<generated>"
Manifest = dict[str, Any]

EXTERNAL: Manifest = {
    "database": {"existingSecret": "inventory-api-database", "bundled": {"enabled": False}},
    "redis": {"existingSecret": "inventory-api-redis", "bundled": {"enabled": False}},
    "apiKeys": {"existingSecret": "inventory-api-keys"},
    "credentials": {"generate": False},
}
ANYWHERE = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}
# What each component adds to the base is what these values add to its rendering.
COMPONENTS: dict[str, Manifest] = {
    "autoscaling": {"autoscaling": {"enabled": True}},
    "bundled-servers": {
        "database": {"bundled": {"enabled": True}},
        "redis": {"bundled": {"enabled": True}},
    },
    "gateway": {"gateway": {"enabled": True, "parentRefs": [{"name": "public"}]}},
    "monitoring": {"metrics": {"serviceMonitor": {"enabled": True}}},
    "network-policy": {"networkPolicy": {"enabled": True, "database": ANYWHERE, "redis": ANYWHERE}},
}
# The autoscaler's number, not the base's.
NO_REPLICAS = {
    "target": {"kind": "Deployment", "name": "inventory-api"},
    "patch": "- {op: remove, path: /spec/replicas}\n",
}


class HelmError(Exception):
    """Helm refused; the message is what it said."""


def rendered(values: Manifest, release: str = "inventory-api") -> list[Manifest]:
    """The objects, by kind and name.

    Raises:
        HelmError: as it says.
    """
    command = [
        os.environ.get("HELM", "helm"),
        "template",
        release,
        str(CHART),
        "--kube-version",
        "1.30.0",
        "--values",
        "-",
    ]
    done = subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)
    if done.returncode:
        raise HelmError(done.stderr)
    objects = [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]
    return sorted(objects, key=lambda manifest: (manifest["kind"], manifest["metadata"]["name"]))


def masked(objects: list[Manifest]) -> list[Manifest]:
    """Without what the chart makes at random."""
    for manifest in objects:
        if manifest["kind"] == "Secret":
            manifest["stringData"] = dict.fromkeys(manifest["stringData"], MASK)
        annotations = manifest.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {})
        if any(found["kind"] == "Secret" for found in objects) and "checksum/credentials" in annotations:
            annotations["checksum/credentials"] = MASK
    return objects


def examples() -> Iterator[tuple[Path, str]]:
    """Every file of helm/examples that is rendered, with its text."""
    for values in sorted(EXAMPLES.glob("*/values.yaml")):
        objects = masked(rendered(yaml.safe_load(values.read_text()), "inventory"))
        yield values.with_name("rendered.yaml"), HEADER + _dump(objects)


def kustomize() -> Iterator[tuple[Path, str]]:
    """Every generated file of k8s/, with its text."""
    base = _adopted(rendered(EXTERNAL))
    yield from _folder(KUSTOMIZE / "base", "Kustomization", base)
    for name, values in COMPONENTS.items():
        more = [
            manifest
            for manifest in _adopted(rendered(_merged(EXTERNAL, values)))
            if _id(manifest) not in map(_id, base)
        ]
        patches = [NO_REPLICAS] if name == "autoscaling" else []
        yield from _folder(KUSTOMIZE / "components" / name, "Component", more, patches)


def _folder(
    folder: Path, kind: str, objects: list[Manifest], patches: list[Manifest] | None = None
) -> Iterator[tuple[Path, str]]:
    by_kind: dict[str, list[Manifest]] = {}
    for manifest in objects:
        by_kind.setdefault(f"{manifest['kind'].lower()}.yaml", []).append(manifest)
    version = "v1alpha1" if kind == "Component" else "v1beta1"
    kustomization = {"apiVersion": f"kustomize.config.k8s.io/{version}", "kind": kind, "resources": sorted(by_kind)}
    yield (
        folder / "kustomization.yaml",
        HEADER + _dump([{**kustomization, **({"patches": patches} if patches else {})}]),
    )
    for name, found in by_kind.items():
        yield folder / name, HEADER + _dump(found)


def _adopted(objects: list[Manifest]) -> list[Manifest]:
    """Without what is Helm's: its test and its labels. A Job goes when it is done: no other image could change it."""
    kept = [found for found in objects if not found["metadata"]["name"].endswith("-test")]
    for manifest in kept:
        labels = manifest["metadata"]["labels"]
        del labels["helm.sh/chart"]
        labels["app.kubernetes.io/managed-by"] = "kustomize"
        if manifest["kind"] == "Job":
            manifest["metadata"]["name"] = "inventory-api-migration"
            manifest["spec"]["ttlSecondsAfterFinished"] = 60
    return kept


def _id(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Manifest:
    both = {name: _merged(one[name], other[name]) for name in one.keys() & other.keys() if isinstance(one[name], dict)}
    return {**one, **other, **both}


def _dump(objects: list[Manifest]) -> str:
    return yaml.safe_dump_all(objects, sort_keys=False, width=120)


def generated() -> dict[Path, str]:
    """What each generated file must hold."""
    makers: tuple[Callable[[], Iterator[tuple[Path, str]]], ...] = (examples, kustomize)
    return {path: text for make in makers for path, text in make()}


def existing() -> set[Path]:
    """The generated files that there are."""
    folders = (KUSTOMIZE / "base", KUSTOMIZE / "components")
    return {*EXAMPLES.glob("*/rendered.yaml"), *(path for folder in folders for path in folder.rglob("*.yaml"))}
