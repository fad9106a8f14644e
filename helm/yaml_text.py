"""YAML that Go's programs (Helm, kubectl, Prometheus, the collector) read as it was meant."""

import re
from typing import Any

import yaml

# To PyYAML these are text, so it does not quote them. To Go `-951e12` (part of a commit's name), `08` and `0o17` are
# numbers, whatever `_` are among them, and `y` is true.
_OTHER_TO_GO = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)(e[-+]?\d+)?|[-+]?0[box][\da-f]+|[yn]", re.ASCII | re.IGNORECASE)


class _Dumper(yaml.SafeDumper):
    """Text of several lines as it is read, and nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data else "'" if _OTHER_TO_GO.fullmatch(data.replace("_", "")) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def dump(*documents: Any, width: int = 120) -> str:
    """One text of all documents, their keys in the order that they have."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=width)  # noqa: TID251
