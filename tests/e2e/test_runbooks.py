"""The commands of the runbooks, as they stand there, on a release that runs."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import await_claim

from .client import Client, PortForward
from .cluster import RELEASE, Cluster, CommandError, run

PAGES = sorted((Path(__file__).parents[2] / "docs" / "runbooks").glob("[A-Z]*.md"))
BLOCK = re.compile(r"```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
VALUES = [
    "metrics.serviceMonitor.enabled=true",
    "metrics.prometheusRule.enabled=true",
    # So that `helm get values` has what the page looks for.
    "storage.uploadDeadline=20",
    "database.bundled.persistence.enabled=false",
]
KINDS = ("prometheusrules.monitoring.coreos.com", "httproutes.gateway.networking.k8s.io")
# Another program goes on in the background, or asks whoever types: what these reach, other tests ask.
NOT_HERE = ("port-forward", "localhost", "--tty")
# What a pipe answers whose reader, such as `head`, has had enough.
BROKEN_PIPE = 141
WITH_EXITS = '{}\nprintf "exit %s\\n" "${{PIPESTATUS[@]}}" >&2'


def commands() -> list[tuple[str, str]]:
    """Each line, by its page."""
    return [
        (page.stem, line)
        for page in PAGES
        for block in BLOCK.findall(page.read_text())
        for line in block.strip().splitlines()
        if not any(other in line for other in NOT_HERE)
    ]


@pytest.fixture(scope="module", autouse=True)
def _can_run() -> None:
    if shutil.which("jq") is None:
        pytest.skip("NOT PROVEN: jq is not on PATH")
    try:
        run("kubectl", "get", "customresourcedefinition", *KINDS)
    except CommandError:
        pytest.skip("this cluster does not know all kinds of which the pages ask")


@pytest.fixture(scope="module")
def names(own_cluster: Cluster) -> Iterator[dict[str, str]]:
    """What stands for what in the pages: the release, a pod, and two requests, the second of which failed."""
    own_cluster.install(*VALUES)
    # Before anything is asked of it: its log begins anew as well.
    pod = _begun_anew(own_cluster)
    with PortForward(own_cluster, f"service/{RELEASE}", 80) as forward:
        client = Client(forward, own_cluster.key())
        item = {"name": "First", "quantity": 5, "warehouse_location": "MAIN", "is_discontinued": False}
        made = client.request("PUT", "/inventory/A-1", {**item, "low_stock_threshold": None, "attributes": {}})
        assert made.status == 201
        missing = client.request("GET", "/inventory/missing")
        assert missing.status == 404
        yield {
            "inventory-inventory-api-5d9c7b8f6d-x2x9z": pod,
            "inventory-inventory-api": RELEASE,
            "--namespace inventory": f"--namespace {own_cluster.namespace}",
            "instance=inventory": f"instance={RELEASE}",
            "helm get values inventory": f"helm get values {RELEASE}",
            "helm history inventory": f"helm history {RELEASE}",
            "0192f0c1-0000-7000-8000-000000000000": made.request_id,
            # Of one that changed nothing only the log tells.
            "0192f0c1-0000-7000-8000-000000000001": missing.request_id,
        }


def _begun_anew(cluster: Cluster) -> str:
    """A pod whose container has ended once, so that there is a previous one."""
    name = str(cluster.items("pods", "api")[0]["metadata"]["name"])
    cluster.kubectl("exec", name, "--", "python", "-c", "import os; os.kill(1, 15)")

    def is_back() -> bool:
        (pod,) = (one for one in cluster.items("pods", "api") if one["metadata"]["name"] == name)
        (container,) = pod["status"]["containerStatuses"]
        return bool(container["restartCount"] == 1 and container["ready"])

    await_claim("the container is begun anew", is_back, 120)
    return name


@pytest.mark.parametrize(("page", "command"), commands())
def test_a_command_runs(names: dict[str, str], page: str, command: str) -> None:
    for name, other in names.items():
        command = command.replace(name, other)
    said: list[str] = []

    def works() -> bool:
        done = subprocess.run(
            ["bash", "-c", WITH_EXITS.format(command)], capture_output=True, text=True, timeout=120, check=False
        )
        said[:] = [done.stdout + done.stderr]
        exits = [int(line.removeprefix("exit ")) for line in done.stderr.splitlines() if line.startswith("exit ")]
        return bool(exits) and all(code in {0, BROKEN_PIPE} for code in exits)

    try:
        # Usage of pods is measured some time after their start.
        await_claim(f"{page}: {command}", works, 120 if " top " in command else 0)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{said[0]}") from error
