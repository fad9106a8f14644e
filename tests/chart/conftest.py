"""Every test runs with each Helm: the one in HELM (default `helm`), and `helm3` where it is installed."""

import os
import shutil

import pytest

from .rendering import Helm


def _binaries() -> list[str]:
    first = os.environ.get("HELM", "helm")
    return [first] if first == "helm3" or shutil.which("helm3") is None else [first, "helm3"]


@pytest.fixture(scope="session", params=_binaries())
def helm(request: pytest.FixtureRequest) -> Helm:
    """One Helm; a missing one fails the test, since a skipped chart is an untested chart."""
    binary = str(request.param)
    if shutil.which(binary) is None:
        pytest.fail(f"{binary} is not on PATH: install Helm 3.14 or newer, or name one in HELM")
    return Helm(binary)
