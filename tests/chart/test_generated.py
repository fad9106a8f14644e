"""What is generated from the chart is what the chart renders: examples, and the generated parts of k8s/."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from helm import render
from helm.command import CHART

from .pod_security import hardened, restricted
from .rendering import Helm, Rendering, values_of

REPOSITORY = CHART.parents[1]
SKAFFOLD: dict[str, Any] = yaml.safe_load((REPOSITORY / "skaffold.yaml").read_text())
EXAMPLES = sorted(path.name for path in render.EXAMPLES.iterdir())


def test_nobody_has_forgotten_make_chart(helm: Helm) -> None:
    """Everything is what values.yaml says and what this Helm renders, and nothing is left over."""
    command = [sys.executable, "-m", "helm.generate", "--check"]
    environment = {**os.environ, "HELM": helm.binary}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_value_whose_kind_cannot_be_told_stops_the_generator(tmp_path: Path) -> None:
    """An empty map says nothing of what may be in it: the schema would be open, or refuse everything."""
    package, chart = tmp_path / "helm", tmp_path / "helm" / "inventory-api"
    chart.mkdir(parents=True)
    for path in (*CHART.parent.glob("*.py"), CHART.parent / "definitions.yaml"):
        shutil.copy(path, package)
    (chart / "values.yaml").write_text("# More.\nmore: {}\n")
    (chart / "README.md").write_text("")
    command = [sys.executable, "-m", "helm.generate"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "values.yaml: more: what may be in it?" in done.stderr


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_pod_of_an_example_is_restricted_and_hardened(example: str) -> None:
    """People copy them."""
    rendering = Rendering((render.EXAMPLES / example / "rendered.yaml").read_text())
    pods = dict(rendering.pods())
    assert pods
    assert {name: restricted(pod) + hardened(pod) for name, pod in pods.items()} == {name: [] for name in pods}


def test_the_key_of_the_trial_is_the_one_that_its_keys_file_admits() -> None:
    """`only-for-trials`, as docs/install.md says."""
    (key,) = json.loads((render.KUSTOMIZE / "overlays" / "dev" / "keys.json").read_text())["keys"]
    assert key["sha256"] == hashlib.sha256(b"only-for-trials").hexdigest()


def test_skaffold_names_files_that_are_there() -> None:
    """A path that has moved is found here, and not by whoever tries it."""
    paths = [path for key in ("chartPath", "dockerfile") for path in values_of(key, SKAFFOLD)]
    paths += [path for key in ("valuesFiles", "paths") for found in values_of(key, SKAFFOLD) for path in found]
    assert paths
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


def test_skaffold_is_what_its_schema_says() -> None:
    """Skaffold's own, where SKAFFOLD_SCHEMA names the file."""
    schema = os.environ.get("SKAFFOLD_SCHEMA")
    if schema is None:
        pytest.skip("SKAFFOLD_SCHEMA does not name skaffold's JSON Schema")
    validator = jsonschema_rs.validator_for(json.loads(Path(schema).read_text()))
    assert [error.message for error in validator.iter_errors(SKAFFOLD)] == []
