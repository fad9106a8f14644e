"""Directories in a folder that everybody can write to."""

import os
from pathlib import Path

import pytest

from inventory_api.dev.embedded import EmbeddedError, account, make_private


def test_a_private_directory_is_made_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "sockets"
    make_private(path)
    make_private(path)
    assert path.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_uid == (account() or os.geteuid())


@pytest.mark.parametrize("trap", ["symlink", "open", "file"])
def test_a_trap_that_lies_there_already_is_refused_and_left_alone(tmp_path: Path, trap: str) -> None:
    path, elsewhere = tmp_path / "sockets", tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    before = elsewhere.stat().st_uid
    if trap == "symlink":
        path.symlink_to(elsewhere)
    elif trap == "open":
        path.mkdir()
        path.chmod(0o777)
    else:
        path.touch()
    with pytest.raises(EmbeddedError, match="not a directory that is private"):
        make_private(path)
    assert elsewhere.stat().st_uid == before
