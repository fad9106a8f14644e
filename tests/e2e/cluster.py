"""One namespace of the cluster and the release in it, by kubectl and helm."""

import json
import os
import subprocess
import time
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helm.command import CHART

from tests.support.waiting import await_claim

RELEASE = "inventory-api"
HELM = os.environ.get("HELM", "helm")
LABELS = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component="
STARTED = time.monotonic()

Manifest = dict[str, Any]


def say(message: str) -> None:
    """A line of progress, with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:5.0f} s] {message}", flush=True)


class CommandError(Exception):
    """A command failed; the message is what it printed."""


def run(*command: str, stdin: str = "") -> str:
    """Run a command and answer what it printed on stdout.

    Raises:
        CommandError: it failed.
    """
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=400, check=False)
    if done.returncode:
        raise CommandError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def image_values() -> list[str]:
    """The image under test, where it is not the chart's default."""
    given = {"repository": os.environ.get("E2E_IMAGE_REPOSITORY"), "tag": os.environ.get("E2E_IMAGE_TAG")}
    return [
        argument for name, value in given.items() if value for argument in ("--set-string", f"image.{name}={value}")
    ]


@dataclass(frozen=True)
class Cluster:
    """The namespace; all names in it are those of the release."""

    namespace: str

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl in the namespace."""
        return run("kubectl", "--namespace", self.namespace, *arguments, stdin=stdin)

    def items(self, kind: str, component: str = "") -> list[Manifest]:
        """The objects of a kind, or of one component of the release."""
        selector = ["--selector", LABELS + component] if component else []
        found = json.loads(self.kubectl("get", kind, *selector, "--output", "json"))["items"]
        assert isinstance(found, list)
        return found

    def helm(self, *arguments: str) -> str:
        """Run helm in the namespace."""
        return run(HELM, "--namespace", self.namespace, *arguments)

    def helm_test(self) -> str:
        """Run the chart's tests; the pod's lines come on stdout or stderr, by version."""
        said = subprocess.run(
            [HELM, "--namespace", self.namespace, "test", RELEASE, "--timeout", "2m"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        if said.returncode:
            raise CommandError(said.stdout)
        return said.stdout

    def install(self, *values: str, files: Sequence[Path] = ()) -> None:
        """Install the chart, with no values but those that are given, and wait."""
        self._deploy("install", values, files, wait=True)

    def upgrade(self, *values: str, files: Sequence[Path] = (), wait: bool = True) -> None:
        """Upgrade to those values (`name=value`), over those of the files, and wait."""
        self._deploy("upgrade", values, files, wait=wait)

    def _deploy(self, verb: str, values: Sequence[str], files: Sequence[Path], *, wait: bool) -> None:
        say(f"helm {verb} {' '.join([*(file.parent.name for file in files), *values])}")
        run(*self.deployment(verb, values, files, wait=wait))

    def deployment(self, verb: str, values: Sequence[str], files: Sequence[Path], *, wait: bool) -> list[str]:
        """The command that installs or upgrades the chart."""
        settings = [argument for file in files for argument in ("--values", str(file))]
        settings += [argument for value in values for argument in ("--set", value)]
        waiting = ["--wait", "--timeout", "3m"] if wait else []
        namespace = ["--namespace", self.namespace]
        return [HELM, *namespace, verb, RELEASE, str(CHART), *waiting, *image_values(), *settings]

    def secret(self, part: str) -> dict[str, str]:
        """What a Secret of the release holds, still encoded."""
        data: dict[str, str] = json.loads(self.kubectl("get", "secret", f"{RELEASE}-{part}", "--output", "json"))[
            "data"
        ]
        return data

    def key(self) -> str:
        """The generated API key in clear."""
        return b64decode(self.secret("api-keys")["admin"]).decode()

    def serving(self) -> set[str]:
        """Names of the pods that the Service sends requests to."""
        selector = f"kubernetes.io/service-name={RELEASE}"
        slices = json.loads(self.kubectl("get", "endpointslices", "--selector", selector, "--output", "json"))["items"]
        endpoints = [endpoint for item in slices for endpoint in item.get("endpoints") or []]
        return {endpoint["targetRef"]["name"] for endpoint in endpoints if endpoint["conditions"].get("ready")}

    def identities(self) -> set[str]:
        """Those of the API pods that there are; another pod is another one, whatever its name."""
        return {pod["metadata"]["uid"] for pod in self.items("pods", "api")}

    def settled(self, replicas: int) -> bool:
        """Whether exactly so many API pods are left, all of them ready and behind the Service."""
        pods = self.items("pods", "api")
        names = {pod["metadata"]["name"] for pod in pods}
        return len(pods) == replicas and all(map(is_ready, pods)) and self.serving() == names

    def await_job_end(self, condition: str, other_than: str = "") -> str:
        """Await that the migration Job has ended so, and answer its name."""
        return await_claim(f"the migration Job is {condition}", lambda: self._ended_job(condition, other_than))

    def _ended_job(self, condition: str, other_than: str) -> str:
        for job in self.items("jobs", "migration"):
            conditions = {item["type"] for item in job["status"].get("conditions", []) if item["status"] == "True"}
            if condition in conditions and job["metadata"]["name"] != other_than:
                return str(job["metadata"]["name"])
        return ""

    def scale_database(self, replicas: int) -> None:
        """Take the database's pod away, or give it back, and await that."""
        say(f"database to {replicas} replicas")
        self.kubectl("scale", f"statefulset/{RELEASE}-postgresql", f"--replicas={replicas}")
        if replicas:
            self.kubectl("rollout", "status", f"statefulset/{RELEASE}-postgresql", "--timeout=120s")
        else:
            await_claim("the database's pod is gone", lambda: not self.items("pods", "postgresql"))

    def describe(self) -> str:
        """What someone would look at after a failure."""
        commands = [
            ["get", "all,pvc,secrets,endpointslices", "--output", "wide"],
            ["get", "events", "--sort-by", ".lastTimestamp"],
            ["describe", "pods,jobs"],
        ]
        try:
            pods = [item["metadata"]["name"] for item in self.items("pods")]
        except CommandError as error:
            return str(error)
        commands += [["logs", pod, "--all-containers", "--prefix", "--tail=80"] for pod in pods]
        return "\n".join(f"$ kubectl {' '.join(command)}\n{self.attempt(command)}" for command in commands)

    def attempt(self, command: list[str]) -> str:
        """What kubectl prints, also where it fails."""
        try:
            return self.kubectl(*command)
        except CommandError as error:
            return str(error)


def restarts(pods: list[Manifest]) -> dict[str, int]:
    """Restarts of all containers, by pod."""
    return {
        pod["metadata"]["name"]: sum(status["restartCount"] for status in pod["status"].get("containerStatuses", []))
        for pod in pods
    }


def is_ready(pod: Manifest) -> bool:
    """Whether the pod is ready and is not being deleted."""
    conditions = {item["type"]: item["status"] for item in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
