"""The commands that print, as a shell runs them."""

import json
import subprocess
from pathlib import Path

from openapi_spec_validator import validate
from tests.support.process import MODULE, clean_environment

OPENAPI = [*MODULE, "openapi"]


def test_openapi_prints_the_document_without_any_setting() -> None:
    printed = subprocess.run(OPENAPI, env=clean_environment({}), capture_output=True, text=True, check=True)
    document = json.loads(printed.stdout)
    validate(document)
    assert "/inventory/{sku}" in document["paths"]
    assert printed.stderr == ""


def test_openapi_ends_quietly_when_its_reader_has_enough() -> None:
    with subprocess.Popen(
        OPENAPI, env=clean_environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "{\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 1


def test_openapi_says_why_it_could_not_write() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            OPENAPI, env=clean_environment({}), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        1, "inventory-api: the document cannot be written: No space left on device\n",
    )  # fmt: skip


def test_a_time_that_is_none_is_told_in_words() -> None:
    command = [*MODULE, "migrate", "--timeout", "soon"]
    done = subprocess.run(command, env=clean_environment({}), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "argument --timeout: 'soon' is no number of seconds" in done.stderr
