"""Helm as a process, on this chart."""

import subprocess
from pathlib import Path

CHART = Path(__file__).parent / "inventory-api"
# The oldest that the chart is for.
KUBERNETES = "1.30.0"


class HelmError(Exception):
    """Helm refused; the message is what it said."""


def run(binary: str, *arguments: str, values: str) -> str:
    """What Helm prints for a command that takes values (YAML).

    Raises:
        HelmError: as it says.
    """
    command = [binary, *arguments, "--kube-version", KUBERNETES, "--values", "-"]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HelmError(done.stderr)
    return done.stdout
