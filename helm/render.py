"""`make chart`: renders the chart to helm/examples/*/rendered.yaml and to the generated parts of k8s/.

Objects are sorted and dumped here, so that every Helm leads to the same text. What is random is masked.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from . import command

HERE = Path(__file__).parent
EXAMPLES, KUSTOMIZE = HERE / "examples", HERE.parent / "k8s"
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


def rendered(values: Manifest, release: str = "inventory-api") -> list[Manifest]:
    """The objects, by kind and name.

    Raises:
        HelmError: Helm refused.
    """
    binary = os.environ.get("HELM", "helm")
    text = command.run(binary, "template", release, str(command.CHART), values=yaml.safe_dump(values))
    objects = [manifest for manifest in yaml.safe_load_all(text) if manifest]
    return sorted(objects, key=identity)


def masked(objects: list[Manifest]) -> list[Manifest]:
    """Without what the chart makes at random."""
    has_random = any(manifest["kind"] == "Secret" for manifest in objects)
    for manifest in objects:
        if manifest["kind"] == "Secret":
            manifest["stringData"] = dict.fromkeys(manifest["stringData"], MASK)
        annotations = manifest.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {})
        if has_random and "checksum/credentials" in annotations:
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
    in_base = {identity(manifest) for manifest in base}
    for name, values in COMPONENTS.items():
        objects = _adopted(rendered(merged(EXTERNAL, values)))
        more = [manifest for manifest in objects if identity(manifest) not in in_base]
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


def identity(manifest: Manifest) -> tuple[str, str]:
    """Kind and name."""
    return manifest["kind"], manifest["metadata"]["name"]


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Manifest:
    """Values of both, at every depth; those of `other` win."""
    both = {name: merged(one[name], other[name]) for name in one.keys() & other.keys() if isinstance(one[name], dict)}
    return {**one, **other, **both}


def _dump(objects: list[Manifest]) -> str:
    return yaml.safe_dump_all(objects, sort_keys=False, width=120)


def generated() -> dict[Path, str]:
    """What each generated file must hold."""
    return dict([*examples(), *kustomize()])


def existing() -> set[Path]:
    """The generated files that there are."""
    folders = (KUSTOMIZE / "base", KUSTOMIZE / "components")
    return {*EXAMPLES.glob("*/rendered.yaml"), *(path for folder in folders for path in folder.rglob("*.yaml"))}
