"""The pages' commands of kubectl name objects, labels and containers that the chart makes."""

import os
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.chart.rendering import CASES, Helm, Manifest

from .test_runbooks import found

COMMAND = re.compile(r"^kubectl .*|(?<=`)kubectl [^`\n]*", re.MULTILINE)
VERBS = {"get", "describe", "logs", "exec", "top", "port-forward", "rollout", "scale", "delete", "drain"}
WITH_A_WORD = {"--namespace", "--selector", "--output", "--sort-by", "--tail", "--replicas", "--timeout", "--container"}
ALONE = {"--stdin", "--tty", "--containers", "--previous"}
# What Kubernetes itself makes of the chart's objects, and those who have a Service's label.
MADE_OF_THEM = {"pod", "event", "endpointslice"}
SERVICE_NAME = "kubernetes.io/service-name"
# What a Deployment and a StatefulSet add to their names.
OF_A_POD = re.compile(r"-[0-9a-f]{10}-\w{5}$|-\d$")
RENDERED = ("no values", "scaled and observed", "reached from outside", "queue workers by KEDA")


@pytest.fixture(scope="module")
def objects() -> list[Manifest]:
    """What the release of the pages may consist of."""
    helm = Helm(os.environ.get("HELM", "helm"))
    return [made for case in RENDERED for made in helm.template(CASES[case], release="inventory").objects]


@pytest.mark.parametrize("command", found(COMMAND))
def test_a_command_names_what_the_chart_makes(objects: list[Manifest], command: str) -> None:
    options, (verb, *words) = _parsed(command)
    assert verb in VERBS
    if verb == "rollout":
        assert words.pop(0) in {"status", "restart", "undo", "history"}
    names = {made["metadata"]["name"] for made in objects}
    kinds = {made["kind"].lower() for made in objects} | MADE_OF_THEM
    for word in words:
        for part in re.split(r"[/,]", word):
            assert part.isdigit() or ":" in part or OF_A_POD.sub("", part) in names or _singular(part, kinds) in kinds
    for label in options.get("--selector", "").split(","):
        assert not label or tuple(label.split("=")) in set(_labels(objects))
    if "--container" in options:
        assert options["--container"] in {one["name"] for pod in _pods(objects) for one in pod["spec"]["containers"]}


def _parsed(command: str) -> tuple[dict[str, str], list[str]]:
    """Options and words, the first of which is the verb; without what another program is told."""
    words = shlex.split(re.split(r" -- | [|&]", command)[0])[1:]
    options: dict[str, str] = {}
    others: list[str] = []
    while words:
        word = words.pop(0)
        assert not word.startswith("-") or word in WITH_A_WORD | ALONE, f"no option of kubectl: {word}"
        if word in WITH_A_WORD:
            options[word] = words.pop(0)
        elif word not in ALONE:
            others.append(word)
    return options, others


def _singular(word: str, kinds: set[str]) -> str:
    return next((kind for kind in kinds if word in {kind, f"{kind}s"}), word)


def _pods(objects: list[Manifest]) -> Iterator[Manifest]:
    yield from (made["spec"]["template"] for made in objects if "template" in made.get("spec", {}))


def _labels(objects: list[Manifest]) -> Iterator[tuple[str, str]]:
    for made in [*objects, *_pods(objects)]:
        yield from made["metadata"].get("labels", {}).items()
        if made.get("kind") == "Service":
            yield SERVICE_NAME, made["metadata"]["name"]
