"""`make chart`: writes the chart's schema and the table in its README from values.yaml, and then what it renders.

values.yaml is the one source: a value's name, default, description (the comment above it) and, where its default does
not say enough, its constraints (`# @schema {...}` behind it, JSON Schema; `$ref` names one of definitions.yaml).
"""

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import render
from .command import CHART, HelmError

DEFINITIONS = Path(__file__).parent / "definitions.yaml"
VALUE = re.compile(r"(?P<indent> *)(?P<name>\w+):(?P<default>.*?)(?:# @schema (?P<schema>.*))?")
TABLE = re.compile(r"(?<=<!-- values -->\n).*?(?=<!-- end of values -->)", re.DOTALL)
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
Schema = dict[str, Any]


class SourceError(Exception):
    """values.yaml says too little of a value; the message names it."""


@dataclass(frozen=True)
class Value:
    """What the lines of values.yaml say of one value, beside its default."""

    description: str
    schema: Schema | None


def read(text: str) -> dict[tuple[str, ...], Value]:
    """Every value by its path, in order."""
    found: dict[tuple[str, ...], Value] = {}
    path: tuple[str, ...] = ()
    comment: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("# "):
            comment.append(line.lstrip()[2:])
        elif match := VALUE.fullmatch(line):
            path = (*path[: len(match["indent"]) // 2], match["name"])
            found[path] = Value(" ".join(comment), yaml.safe_load(match["schema"]) if match["schema"] else None)
            comment = []
        else:
            comment = []
    return found


def schema(values: Schema, sources: dict[tuple[str, ...], Value], definitions: Schema) -> Schema:
    """JSON Schema, closed at every level but where Kubernetes or the user has the say."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the inventory-api chart",
        **_with_references(_schema_of((), values, sources)),
        "definitions": _with_references(definitions),
    }


def _schema_of(path: tuple[str, ...], default: Any, sources: dict[tuple[str, ...], Value]) -> Schema:
    own = (sources[path].schema if path else None) or {}
    if "$ref" in own or "enum" in own:
        return own
    if isinstance(default, dict) and default:
        properties = {name: _schema_of((*path, name), value, sources) for name, value in default.items()}
        # Helm gives the first to every chart of a release, and a chart of which this is a part may ask the second.
        shared = {} if path else {"global": {"$ref": "open"}, "enabled": {"type": "boolean"}}
        return {
            "type": "object",
            "additionalProperties": False,
            # All have a default: one that is missing was taken away, by null, and with it what is counted by.
            "required": list(properties),
            "properties": {**shared, **properties},
        }
    if isinstance(default, (dict, list)) and not own:
        raise SourceError(f"values.yaml: {'.'.join(path)}: what may be in it? Say so behind it: # @schema {{...}}")
    return {"type": TYPES[type(default)], **own}


def _with_references(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_references(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: f"#/definitions/{value}" if name == "$ref" else _with_references(value) for name, value in node.items()
    }


def table(values: Schema, sources: dict[tuple[str, ...], Value]) -> str:
    """Markdown: each value with its default, each group with its description."""
    rows = ["| value | default | |", "|---|---|---|"]
    for path, source in sources.items():
        if any(sources[path[:depth]].schema for depth in range(1, len(path))):
            continue  # A part of a default.
        default: Any = values
        for name in path:
            default = default[name]
        is_group = isinstance(default, dict) and source.schema is None
        shown = "" if is_group else f"`{json.dumps(default)}`"
        rows.append(f"| `{'.'.join(path)}` | {shown} | {source.description.replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"


def described() -> dict[Path, str]:
    """What the files that describe the values must hold.

    Raises:
        SourceError: see there.
    """
    text, readme = (CHART / "values.yaml").read_text(), CHART / "README.md"
    values, sources = yaml.safe_load(text), read(text)
    closed = schema(values, sources, yaml.safe_load(DEFINITIONS.read_text()))
    return {
        CHART / "values.schema.json": json.dumps(closed, indent=2) + "\n",
        readme: TABLE.sub(lambda _: table(values, sources), readme.read_text()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chart")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 where something would change"
    )
    options = parser.parse_args()
    try:
        # In this order: Helm reads the schema.
        stale = _changes(described(), options.check)
        renderings = render.generated()
    except (SourceError, HelmError) as error:
        print(error, file=sys.stderr)
        return 1
    stale += _changes(renderings, options.check)
    for left_over in render.existing() - renderings.keys():
        stale.append(left_over)
        if not options.check:
            left_over.unlink()
    for path in stale:
        name = path.relative_to(CHART.parents[1])
        print(f"{name}: {'is not what the chart says: run `make chart`' if options.check else 'changed'}")
    return 1 if stale and options.check else 0


def _changes(files: dict[Path, str], check: bool) -> list[Path]:
    """The files that do not hold what they must; written, unless it is only checked."""
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in () if check else stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path])
    return stale


if __name__ == "__main__":
    sys.exit(main())
