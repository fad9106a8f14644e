"""Every example of the document is what it is an example of, and nothing that is sent or answered is without one."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from inventory_api import settings as settings_module
from inventory_api.app import create_app

DOCUMENT: dict[str, Any] = create_app(settings_module.load({})).api.openapi()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
# Of the probes, whose answers are one word.
WITHOUT = {"Status", "NotReadyBody"}


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def _contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """What is sent and what is answered, by media type."""
    for name, operation in _operations():
        bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for where, body in bodies.items():
            for media_type, content in body.get("content", {}).items():
                yield f"{name} {where} {media_type}", content


def _problems(example: Any, schema: dict[str, Any]) -> list[str]:
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": {"schemas": SCHEMAS}})
    return [error.message for error in validator.iter_errors(example)]


def _has_example(schema: dict[str, Any]) -> bool:
    """Of its own, or of what it is made of."""
    if "$ref" in schema:
        return _has_example(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    parts = [schema["items"]] if "items" in schema else list(schema.get("properties", {}).values())
    return "examples" in schema or any(_has_example(part) for part in parts)


@pytest.mark.parametrize("name", [name for name, schema in SCHEMAS.items() if "examples" in schema])
def test_the_example_of_a_payload_is_one(name: str) -> None:
    assert [problem for example in SCHEMAS[name]["examples"] for problem in _problems(example, SCHEMAS[name])] == []


def test_the_examples_of_errors_are_errors_and_each_type_that_a_response_names_has_one() -> None:
    checked = 0
    for name, content in _contents():
        for kind, example in content.get("examples", {}).items():
            assert _problems(example["value"], content["schema"]) == [], (name, kind)
            checked += 1
    for name, operation in _operations():
        if "security" not in operation:  # A probe, whose errors have a state beside them.
            continue
        for response in operation["responses"].values():
            named = {word.strip("`") for word in response["description"].split(" or ") if word.startswith("`")}
            for content in response.get("content", {}).values() if named else ():
                assert content["examples"].keys() == named, name
    assert checked > 100


def test_nothing_is_sent_or_answered_without_an_example() -> None:
    without = [
        name
        for name, content in _contents()
        if content["schema"].get("$ref", "").rpartition("/")[2] not in WITHOUT
        and "examples" not in content
        and not _has_example(content["schema"])
    ]
    assert without == []
