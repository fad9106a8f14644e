"""docs/add-a-resource.md, followed to the letter in a copy of the project."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "add-a-resource.md"
COPIED = ("service", "tests", "bench", "pyproject.toml", "README.md")
BLOCK = re.compile(r"^### ([^\n]+)\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([^`]+)`")
# Where something is to be added, by what the page calls it.
PLACES = {"document": "async def document(service: Service) -> dict[str, Any]:\n", "CASES": "CASES = {\n"}
TESTS = ("suppliers", "http/test_patch_routes.py", "http/test_auth.py")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the resource of the page."""
    copy = tmp_path_factory.mktemp("project")
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) == 10
    for title, content in blocks:
        _write(copy, title, content)
    return copy


def _write(project: Path, title: str, content: str) -> None:
    if not title.startswith("first in "):
        (named,) = FILE.findall(title)
        (project / named).parent.mkdir(parents=True, exist_ok=True)
        (project / named).write_text(content)
        return
    place, named = FILE.findall(title)
    before = (project / named).read_text()
    line = PLACES[place]
    assert before.count(line) == 1
    (project / named).write_text(before.replace(line, line + content))


CHECKS: dict[str, Sequence[str]] = {
    "style": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    "types": ("mypy", "service/inventory_api/suppliers", "tests/integration/suppliers"),
    "imports": ("lint-imports",),
    "tests": ("pytest", "-q", "-p", "no:cacheprovider", *(f"tests/integration/{name}" for name in TESTS)),
    "contract": ("pytest", "-q", "-p", "no:cacheprovider", "tests/contract", "-k", "suppliers"),
}


@pytest.fixture(scope="module")
def running(project: Path) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Every check, all at once: together they take little longer than the longest."""
    environment = {**os.environ, "PYTHONPATH": str(project / "service")}
    tools = Path(sys.executable).parent
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(
                subprocess.Popen(
                    [str(tools / tool), *arguments],
                    cwd=project,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            for name, (tool, *arguments) in CHECKS.items()
        }
        yield started
        for process in started.values():
            process.send_signal(signal.SIGINT)  # so that one which was not waited for ends what it has started


@pytest.mark.timeout(300)
@pytest.mark.parametrize("check", CHECKS)
def test_the_page_leads_to_a_resource_that_passes_every_check(
    running: dict[str, subprocess.Popen[str]], check: str
) -> None:
    told, _ = running[check].communicate()
    assert running[check].returncode == 0, told
