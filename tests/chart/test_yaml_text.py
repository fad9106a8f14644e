"""What is written for Go's programs is what they read."""

import itertools
import json
from pathlib import Path

from helm import yaml_text
from helm.command import run

from tests.chart.rendering import Helm
from tests.support.kustomize import NEEDS_KUBECTL, built

WORDS = [
    "-951e12",
    "1e5",
    "2026-11-28",
    "12:30:45",
    "on",
    "NO",
    "y",
    "N",
    "~",
    "null",
    ".inf",
    "-.NaN",
    "a: b",
    "",
    "#",
]
# What is like a number, of each form that one has.
LIKE_NUMBERS = ["".join(chosen) for size in range(1, 5) for chosen in itertools.product("18eExXob_.+-", repeat=size)]


def test_helm_reads_text_as_text(helm: Helm, tmp_path: Path) -> None:
    told = WORDS + LIKE_NUMBERS
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(yaml_text.dump({"apiVersion": "v2", "name": "told", "version": "1.0.0"}))
    (tmp_path / "templates" / "told.yaml").write_text("told: {{ .Values.told | toJson }}")
    read = run(helm.binary, "template", "x", str(tmp_path), values=yaml_text.dump({"told": told}))
    found = json.loads(read.partition("told: ")[2])
    assert [pair for pair in zip(told, found, strict=True) if pair[0] != pair[1]] == []


@NEEDS_KUBECTL
def test_kustomize_reads_text_as_text(tmp_path: Path) -> None:
    """Which is of a parser of its own."""
    words = {f"word-{index}": word for index, word in enumerate(WORDS)}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "told"}}
    (tmp_path / "account.yaml").write_text(yaml_text.dump(account))
    kustomization = {"resources": ["account.yaml"], "nameSuffix": "-951e12", "commonAnnotations": words}
    (tmp_path / "kustomization.yaml").write_text(yaml_text.dump(kustomization))
    (found,) = built(tmp_path)
    assert (found["metadata"]["name"], found["metadata"]["annotations"]) == ("told-951e12", words)


def test_text_of_lines_is_written_as_it_is_read() -> None:
    assert yaml_text.dump({"told": "a\nb\n", "as": "it is"}) == "told: |\n  a\n  b\nas: it is\n"
