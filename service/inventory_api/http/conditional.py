"""Conditional requests: RFC 9110, section 13. Entity tags are opaque text, quotes included."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inventory_api.errors import PreconditionFailed

ANY = "*"
# `*` stands alone by the RFC; in a list it still asks for what it asks for.
TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"|\*')
LIST = re.compile(rf"[\s,]*(?:(?:{TAG.pattern})(?:\s*,[\s,]*(?:{TAG.pattern}))*)?[\s,]*")


@dataclass(frozen=True, slots=True)
class Conditions:
    """The tags of If-Match and If-None-Match; None where the header is missing."""

    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None

    @property
    def has_if_match(self) -> bool:
        return self.if_match is not None

    def check(self, etag: str) -> None:
        """For a write on a resource that exists.

        Raises:
            PreconditionFailed: If-Match does not name this state (strong comparison), or If-None-Match does.
        """
        self.check_match(etag)
        if self.matches_none(etag):
            raise PreconditionFailed("The resource exists, and If-None-Match asks that it does not.")

    def check_match(self, etag: str) -> None:
        """For a read, and a part of `check` for a write.

        Raises:
            PreconditionFailed: If-Match does not name this state (strong comparison).
        """
        if self.if_match is not None and ANY not in self.if_match and etag not in self.if_match:
            raise PreconditionFailed("The resource has changed: If-Match does not name its current ETag.")

    def check_absent(self) -> None:
        """For a write that creates.

        Raises:
            PreconditionFailed: If-Match asks for a state, and there is none.
        """
        if self.if_match is not None:
            raise PreconditionFailed("The resource does not exist, and If-Match asks for a state of it.")

    def matches_none(self, etag: str) -> bool:
        """Whether If-None-Match names this state (weak comparison): a read then answers 304."""
        if self.if_none_match is None:
            return False
        return ANY in self.if_none_match or etag.removeprefix("W/") in (
            tag.removeprefix("W/") for tag in self.if_none_match
        )


def parse_tags(lines: Sequence[str]) -> tuple[str, ...] | None:
    """The tags of a header, over all of its lines, or None where there are none.

    What is no list of tags matches nothing: a condition is never dropped, nor guessed at.
    """
    if not lines:
        return None
    header = ",".join(lines)
    return tuple(TAG.findall(header)) if LIST.fullmatch(header) else ()
