"""Renders the chart to objects."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "inventory-api"
RELEASE = "shop"
FULLNAME = "shop-inventory-api"
OLDEST_KUBERNETES = "1.30.0"

Manifest = dict[str, Any]
Values = dict[str, Any]

EXTERNAL: Values = {
    "database": {"existingSecret": "my-database", "bundled": {"enabled": False}},
    "redis": {"existingSecret": "my-redis", "bundled": {"enabled": False}},
    "apiKeys": {"existingSecret": "my-keys"},
    "credentials": {"generate": False},
}

# Together they turn on every branch of every template.
CASES: dict[str, Values] = {
    "no values": {},
    "external services": EXTERNAL,
    "a pooler before the database": {"database": {"existingSecret": "my-database", "directUrl": True}},
    "bundled servers with own secrets": {
        "database": {"existingSecret": "my-database"},
        "redis": {"existingSecret": "my-redis"},
        "apiKeys": {"existingSecret": "my-keys"},
        "credentials": {"generate": False},
    },
    "data that end with the pod": {"database": {"bundled": {"persistence": {"enabled": False}}}},
    "data that end with the release": {
        "database": {
            "bundled": {"persistence": {"storageClassName": "fast", "retentionPolicy": {"whenDeleted": "Delete"}}}
        }
    },
    "migrations by someone else": {"migrations": {"mode": "external"}},
    "everything else": {
        "replicaCount": 2,
        "preStopSleepSeconds": 5,
        "terminationGracePeriodSeconds": 60,
        "image": {"digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "podAnnotations": {"team": "stock"},
        "extraEnv": [{"name": "INVENTORY_REQUIRED_CHECKS", "value": "database"}],
        "otlp": {
            "endpoint": "http://collector:4318",
            "samplingRatio": 0.25,
            "resourceAttributes": {"deployment.environment.name": "test"},
        },
        "global": {"anything": "goes"},
    },
}


class HelmError(Exception):
    """Helm refused; the message is what it said."""


@dataclass(frozen=True)
class Rendering:
    """The objects of one rendering."""

    text: str

    @cached_property
    def objects(self) -> list[Manifest]:
        """All of them, hooks too."""
        return [document for document in yaml.safe_load_all(self.text) if document]

    def of(self, kind: str) -> list[Manifest]:
        """All objects of a kind."""
        return [manifest for manifest in self.objects if manifest["kind"] == kind]

    def one(self, kind: str, name: str) -> Manifest:
        """The object of that kind and name; there must be one."""
        (found,) = [manifest for manifest in self.of(kind) if manifest["metadata"]["name"] == name]
        return found

    def api(self) -> Manifest:
        """The Deployment of the API."""
        return self.one("Deployment", FULLNAME)

    def container(self) -> Manifest:
        """The only container of an API pod."""
        (container,) = self.api()["spec"]["template"]["spec"]["containers"]
        assert isinstance(container, dict)
        return container

    def migration(self) -> Manifest:
        """The migration Job; there must be one."""
        (job,) = self.of("Job")
        return job

    def pods(self) -> Iterator[tuple[str, Manifest]]:
        """Name and spec of every pod that this rendering leads to."""
        for manifest in self.objects:
            label = f"{manifest['kind']}/{manifest['metadata']['name']}"
            if manifest["kind"] == "Pod":
                yield label, manifest["spec"]
            elif "template" in manifest.get("spec", {}):
                yield label, manifest["spec"]["template"]["spec"]


@dataclass(frozen=True)
class Helm:
    """One Helm binary."""

    binary: str

    def template(self, values: Values | None = None, *arguments: str, release: str = RELEASE) -> Rendering:
        """Render the chart.

        Raises:
            HelmError: Helm refused.
        """
        return Rendering(
            self.run("template", release, str(CHART), *arguments, *self._common(), stdin=yaml.safe_dump(values or {}))
        )

    def lint(self, values: Values | None = None) -> str:
        """Lint the chart, warnings being errors."""
        return self.run("lint", str(CHART), "--strict", *self._common(), stdin=yaml.safe_dump(values or {}))

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run Helm and answer what it printed."""
        done = subprocess.run([self.binary, *arguments], input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise HelmError(done.stderr)
        return done.stdout

    @staticmethod
    def _common() -> list[str]:
        return ["--kube-version", OLDEST_KUBERNETES, "--values", "-"]
