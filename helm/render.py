"""`make chart`: renders the chart to helm/examples/*/rendered.yaml and to the generated parts of k8s/.

Objects are sorted and dumped here, so that every Helm leads to the same text. What is random is masked.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from . import command, yaml_text

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
# Of documentation (RFC 5737), where nothing is: who switches policies on says where the servers are.
NOWHERE = {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}
# What each component adds to the base is what these values add to its rendering.
COMPONENTS: dict[str, Manifest] = {
    "autoscaling": {"autoscaling": {"enabled": True}},
    "bundled-servers": {
        "database": {"bundled": {"enabled": True}},
        "redis": {"bundled": {"enabled": True}},
    },
    "database-owner": {"migrations": {"existingSecret": "inventory-api-database-owner"}},
    "database-tls": {"database": {"caSecret": "inventory-api-database-ca"}},
    "gateway": {"gateway": {"enabled": True, "parentRefs": [{"name": "public"}]}},
    "monitoring": {"metrics": {"serviceMonitor": {"enabled": True}}},
    "network-policy": {"networkPolicy": {"enabled": True, "database": NOWHERE, "redis": NOWHERE}},
    "redis-tls": {"redis": {"caSecret": "inventory-api-redis-ca"}},
    "s3-storage": {"storage": {"url": "s3://inventory-attachments", "existingSecret": "inventory-api-storage"}},
}


def rendered(values: Manifest, release: str = "inventory-api") -> list[Manifest]:
    """The objects, by kind and name.

    Raises:
        HelmError: Helm refused.
    """
    binary = os.environ.get("HELM", "helm")
    text = command.run(binary, "template", release, str(command.CHART), values=yaml_text.dump(values))
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
        yield values.with_name("rendered.yaml"), HEADER + yaml_text.dump(*objects)


def kustomize() -> Iterator[tuple[Path, str]]:
    """Every generated file of k8s/, with its text."""
    base = adopted(rendered(EXTERNAL))
    yield from _folder(KUSTOMIZE / "base", "Kustomization", base)
    by_identity = {identity(manifest): manifest for manifest in base}
    for name, values in COMPONENTS.items():
        objects = adopted(rendered(merged(EXTERNAL, values)))
        more = [manifest for manifest in objects if identity(manifest) not in by_identity]
        both = [(by_identity[identity(found)], found) for found in objects if identity(found) in by_identity]
        patches = [_patch(found, list(operations(there, found))) for there, found in both if there != found]
        yield from _folder(KUSTOMIZE / "components" / name, "Component", more, patches)


def operations(one: Any, other: Any, path: str = "") -> Iterator[Manifest]:
    """JSON Patch (RFC 6902) from one to the other; what is new in a list comes last, where its order says nothing."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            to = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
            if name not in other:
                yield {"op": "remove", "path": to}
            elif name not in one:
                yield {"op": "add", "path": to, "value": other[name]}
            else:
                yield from operations(one[name], other[name], to)
    elif isinstance(one, list) and isinstance(other, list) and _names(one) == _names(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from operations(left, right, f"{path}/{index}")
    elif isinstance(one, list) and isinstance(other, list) and all(item in other for item in one):
        yield from ({"op": "add", "path": f"{path}/-", "value": item} for item in other if item not in one)
    elif one != other:
        yield {"op": "replace", "path": path, "value": other}


def _names(items: list[Any]) -> list[Any]:
    return [item.get("name", index) if isinstance(item, dict) else item for index, item in enumerate(items)]


def _patch(manifest: Manifest, changes: list[Manifest]) -> Manifest:
    kind, name = identity(manifest)
    return {"target": {"kind": kind, "name": name}, "patch": yaml_text.dump(changes)}


def _folder(
    folder: Path, kind: str, objects: list[Manifest], patches: list[Manifest] | None = None
) -> Iterator[tuple[Path, str]]:
    by_kind: dict[str, list[Manifest]] = {}
    for manifest in objects:
        by_kind.setdefault(f"{manifest['kind'].lower()}.yaml", []).append(manifest)
    version = "v1alpha1" if kind == "Component" else "v1beta1"
    kustomization: Manifest = {"apiVersion": f"kustomize.config.k8s.io/{version}", "kind": kind}
    parts = {"resources": sorted(by_kind), "patches": patches}
    yield (
        folder / "kustomization.yaml",
        HEADER + yaml_text.dump(kustomization | {name: has for name, has in parts.items() if has}),
    )
    for name, found in by_kind.items():
        yield folder / name, HEADER + yaml_text.dump(*found)


def adopted(objects: list[Manifest]) -> list[Manifest]:
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


def generated() -> dict[Path, str]:
    """What each generated file must hold."""
    return dict([*examples(), *kustomize()])


def existing() -> set[Path]:
    """The generated files that there are."""
    folders = (KUSTOMIZE / "base", KUSTOMIZE / "components")
    return {*EXAMPLES.glob("*/rendered.yaml"), *(path for folder in folders for path in folder.rglob("*.yaml"))}
