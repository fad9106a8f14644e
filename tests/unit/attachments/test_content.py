"""Bytes of a file, at random and one after the other, a window at a time."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.hostile_files import Bytes

from inventory_api.attachments.content import FileContent, Reader
from inventory_api.errors import ContentMismatch

DATA = bytes(range(256)) * 4
MARKER = re.compile(rb"\xff[^\xff\x00]")


def test_a_file_is_read_at_random_and_its_position_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        content = FileContent(file, len(DATA))
        assert content.size == 1024
        assert content.read(10, 3) == bytes((10, 11, 12))
        assert content.read(0, 5000) == DATA
        assert content.read(1020, 10) == DATA[1020:]
        assert content.read(1024, 1) == content.read(5000, 1) == b""
        assert file.tell() == 0


def test_no_more_of_a_file_is_read_than_is_said(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        assert FileContent(file, 4).read(1, 100) == DATA[1:4]


def test_what_is_skipped_is_not_read() -> None:
    content = Bytes(DATA, [])
    reader = Reader(content, 8)
    reader.skip(900)
    assert reader.take(2) == DATA[900:902]
    assert content.reads == [(900, 8)]


def test_what_is_peeked_at_comes_again_and_is_read_once() -> None:
    content = Bytes(DATA, [])
    reader = Reader(content, 8)
    assert reader.peek(3) == reader.take(3) == DATA[:3]
    assert reader.left == 1021
    assert len(content.reads) == 1


def test_the_end_is_told() -> None:
    reader = Reader(Bytes(DATA, []), 8)
    reader.skip(1022)
    assert reader.peek(9) == DATA[1022:]
    for ask in (lambda: reader.take(3), lambda: reader.skip(3), lambda: list(reader.pieces(3))):
        with pytest.raises(ContentMismatch):
            ask()
    assert reader.take(2) == DATA[1022:]
    assert (reader.left, reader.peek(1), reader.take(0)) == (0, b"", b"")


def test_a_content_that_is_shorter_than_it_says_is_cut_and_no_loop() -> None:
    reader = Reader(Shorter(DATA, []), 8)
    assert not reader.seek(re.compile(b"nothing"), 7)
    with pytest.raises(ContentMismatch):
        Reader(Shorter(DATA, []), 8).take(1025)
    with pytest.raises(ContentMismatch):
        list(Reader(Shorter(DATA, []), 8).pieces(2000))


def test_what_is_long_comes_in_windows() -> None:
    reader = Reader(Bytes(DATA, []), 100)
    pieces = list(reader.pieces(1000))
    assert b"".join(pieces) == DATA[:1000]
    assert max(map(len, pieces)) == 100


@given(st.lists(st.sampled_from([b"\xff", b"\x00", b"a", b"\xff\xd9"])).map(b"".join), st.integers(1, 9))
def test_a_pattern_is_found_wherever_a_window_ends(data: bytes, window_bytes: int) -> None:
    reader = Reader(Bytes(data, []), window_bytes)
    found = MARKER.search(data)
    assert reader.seek(MARKER, 2) == bool(found)
    if found:
        assert len(data) - reader.left == found.start()
        assert reader.take(2) == found[0]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=20), st.integers(1, 200))
def test_it_is_the_same_bytes_whatever_the_windows(steps: list[tuple[bool, int]], window_bytes: int) -> None:
    reader = Reader(Bytes(DATA, []), window_bytes)
    at = 0
    for is_taken, length in steps:
        if at + length > len(DATA):
            break
        if is_taken:
            assert reader.take(length) == DATA[at : at + length]
        else:
            reader.skip(length)
        at += length
        assert reader.left == len(DATA) - at


class Shorter(Bytes):
    """Says that it is larger than it is."""

    @property
    def size(self) -> int:
        return len(self.data) * 2
