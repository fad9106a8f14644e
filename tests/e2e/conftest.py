"""One namespace under Pod Security `restricted`, one release with no values, and its removal, also after a failure."""

import os
import shutil
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from .client import Client, PortForward
from .cluster import HELM, RELEASE, Cluster, run, say
from .production import Platform

CLUSTER = pytest.StashKey[Cluster]()
MEASURED = pytest.StashKey[list[str]]()

ITEM = {
    "name": "First",
    "quantity": 5,
    "warehouse_location": "MAIN",
    "is_discontinued": False,
    "low_stock_threshold": None,
    "attributes": {"colour": "red"},
}


@dataclass(frozen=True)
class Installation:
    """What happened at the install."""

    seconds_to_first_patch: float


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often what is to be repeated is done."""
    parser.addoption("--upgrades", type=int, default=2, help="under load, one after the other")


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what is measured."""
    config.stash[MEASURED] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured, also without -s."""
    for line in config.stash[MEASURED]:
        terminalreporter.write_line(f"measured: {line}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what kubectl knows of the release."""
    report = yield
    cluster = item.config.stash.get(CLUSTER, None)
    if report.failed and cluster is not None:
        report.sections.append(("the release", cluster.describe()))
    return report


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A namespace for the release."""
    with namespace(pytestconfig) as made:
        yield made


@pytest.fixture(scope="module")
def own_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A namespace for the release of one module."""
    with namespace(pytestconfig) as made:
        yield made


@pytest.fixture(scope="module")
def platform(own_cluster: Cluster) -> Platform:
    """The servers of that namespace, which run, and its Secrets."""
    made = Platform(own_cluster)
    made.start()
    say("the platform's own database and Redis run")
    return made


@contextmanager
def namespace(config: pytest.Config) -> Iterator[Cluster]:
    """One of its own, under Pod Security `restricted`; a failure within tells of what is in it."""
    missing = [program for program in ("kubectl", HELM) if shutil.which(program) is None]
    if missing or not os.environ.get("KUBECONFIG"):
        pytest.fail(f"these tests need KUBECONFIG, and kubectl and helm on PATH; missing: {missing or 'KUBECONFIG'}")
    made = Cluster(f"inventory-e2e-{uuid.uuid4().hex[:6]}")
    say(f"namespace {made.namespace}")
    run("kubectl", "create", "namespace", made.namespace)
    before = config.stash.get(CLUSTER, None)
    config.stash[CLUSTER] = made
    try:
        run("kubectl", "label", "namespace", made.namespace, "pod-security.kubernetes.io/enforce=restricted")
        yield made
    finally:
        say(f"removing {made.namespace}")
        # Else the namespace's removal looks again only after the longest grace period.
        made.attempt(
            ["delete", "deployments,statefulsets,jobs,pods", "--all", "--cascade=foreground", "--timeout=120s"]
        )
        run("kubectl", "delete", "namespace", made.namespace, "--timeout=180s")
        if before is not None:
            config.stash[CLUSTER] = before


@pytest.fixture(scope="session")
def forward(cluster: Cluster) -> Iterator[PortForward]:
    """The way to the Service."""
    with PortForward(cluster, f"service/{RELEASE}", 80) as forward:
        yield forward


@pytest.fixture(scope="session")
def installation(cluster: Cluster, forward: PortForward, pytestconfig: pytest.Config) -> Installation:
    """The release, installed with no values, after its first PATCH."""
    start = time.monotonic()
    cluster.install()
    say("installed")
    client = Client(forward, cluster.key())
    created = client.request("PUT", "/inventory/first", ITEM)
    assert created.status == 201, created
    patched = client.request("PATCH", "/inventory/first", {"name": "Renamed"})
    assert patched.status == 200, patched
    seconds = time.monotonic() - start
    say(f"first PATCH {seconds:.1f} s after the start of helm install")
    pytestconfig.stash[MEASURED].append(f"helm install to first PATCH: {seconds:.1f} s")
    return Installation(seconds)


@pytest.fixture
def client(cluster: Cluster, forward: PortForward, installation: Installation) -> Client:
    """A client with the key of the release as it is now."""
    del installation
    return Client(forward, cluster.key())
