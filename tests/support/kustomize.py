"""What kubectl makes of a folder with a kustomization."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

NEEDS_KUBECTL = pytest.mark.skipif(shutil.which("kubectl") is None, reason="NOT RUN, as not on PATH: kubectl")


def built(folder: Path) -> list[dict[str, Any]]:
    """Its objects."""
    command = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))
