"""The pages' programs of jq read what log lines have, and look for what the service writes."""

import json
import logging
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from inventory_api.telemetry import request_context
from inventory_api.telemetry.logging import JsonFormatter

from .test_runbooks import REPOSITORY, found

LEVELS = ("debug", "info", "warning", "error", "critical")
PROGRAM = re.compile(r"\blogs [^'`\n]*\| jq (-\w) '([^']*)'")
CODE = re.compile(r"`([\w.]+)`")
# Of a program: texts that it compares with, what it reads, and what it makes an object of.
COMPARED = re.compile(r'(?:==|!=) "(\w+)"')
SEARCHED = re.compile(r'\.(logger|message) \| (?:test|startswith)\("([^"]*)"\)')
READ = re.compile(r'\."([\w.]+)"|\.(\w+)')
MADE = re.compile(r"\{([^}]*)\}")


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """One of each level, in a request, with an exception, and with all that docs/telemetry.md tells of."""
    section = (REPOSITORY / "docs" / "telemetry.md").read_text().split("## Logs\n")[1].split("\n## ")[0]
    told = {name for name in CODE.findall(section) if name not in {"refused", "none", "otel_spans_dropped_total"}}
    bare = [_line(level, {}) for level in LEVELS]
    assert bare[0].keys() <= told
    more = {name: 500 if name.endswith("status_code") else "x" for name in told - bare[0].keys()}
    return [_line(level, more) for level in LEVELS]


def _line(level: str, more: dict[str, Any]) -> dict[str, Any]:
    logger, number = logging.getLogger("inventory_api.redis"), logging.getLevelNamesMapping()[level.upper()]
    token = request_context.enter(request_context.RequestContext("r-1"))
    try:
        raise OSError("away")
    except OSError:
        record = logger.makeRecord(logger.name, number, __file__, 1, "the keys", (), sys.exc_info(), extra=more)
        line = json.loads(JsonFormatter().format(record))
    finally:
        request_context.leave(token)
    assert isinstance(line, dict)
    return line


@pytest.mark.parametrize(("option", "program"), found(PROGRAM))
def test_a_program_reads_what_lines_have(lines: list[dict[str, Any]], option: str, program: str) -> None:
    bare = re.sub(r'(==|!=) "\w+"|\("[^"]*"\)', "", program)
    made = [name.strip(' "') for fields in MADE.findall(bare) for name in fields.split(",")]
    assert {*made, *("".join(names) for names in READ.findall(MADE.sub("", bare)))} <= lines[0].keys()
    if ".level" in program:
        assert {*COMPARED.findall(program)} <= {line["level"] for line in lines}


@pytest.mark.parametrize(("option", "program"), found(PROGRAM))
def test_a_program_looks_for_what_is_written(option: str, program: str) -> None:
    source = "".join(path.read_text() for path in (REPOSITORY / "service" / "inventory_api").rglob("*.py"))
    assert [text for _, text in SEARCHED.findall(program) if text not in source] == []


@pytest.mark.parametrize(("option", "program"), found(PROGRAM))
def test_a_program_runs(lines: list[dict[str, Any]], option: str, program: str) -> None:
    if (jq := shutil.which("jq")) is None:
        pytest.skip("NOT PROVEN: jq is not on PATH")
    text = "\n".join(map(json.dumps, lines))
    run = subprocess.run([jq, option, program], input=text, capture_output=True, text=True, check=False, timeout=30)
    assert run.returncode == 0, run.stderr
