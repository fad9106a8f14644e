"""What is refused of files by their structure, what is not, and what it costs."""

import re

import pytest
from tests.support.files import PDF, good_files
from tests.support.hostile_files import (
    LARGE,
    Bytes,
    by_hand,
    hostile_files,
    is_accepted,
    is_inspected,
)

from inventory_api.attachments.content import WINDOW_BYTES
from inventory_api.attachments.inspection import archive, inspect
from inventory_api.errors import ContentMismatch

GOOD = {**good_files(), **by_hand()}
# What is read of a file is hardly more than all of it, once: beside it, the tail, and some places in it.
MAX_SMALL_READS = 2 * archive.MAX_END_RECORDS + 1


@pytest.mark.parametrize("name", GOOD)
def test_what_programs_make_is_accepted(name: str) -> None:
    media_type, data = GOOD[name]
    inspect(media_type, Bytes(data, []))
    assert is_accepted(media_type, data)


@pytest.mark.parametrize("name", hostile_files())
def test_what_is_hostile_is_refused_by_its_structure_alone_and_at_a_bounded_cost(name: str) -> None:
    file = hostile_files()[name]
    content = Bytes(file.build(), [])
    with pytest.raises(ContentMismatch) as refused:
        inspect(file.media_type, content)
    assert re.fullmatch(r"The [ -~]{10,100}\.", refused.value.message)
    windows = content.size // WINDOW_BYTES + 1
    assert len(content.reads) <= windows + MAX_SMALL_READS
    assert max((length for _, length in content.reads), default=0) <= 8 * WINDOW_BYTES
    assert sum(length for _, length in content.reads) <= content.size + 9 * WINDOW_BYTES


def test_the_corpus_is_large() -> None:
    assert len(hostile_files()) >= 120
    assert len(GOOD) >= 60


def test_a_pdf_of_any_size_costs_four_reads_of_a_few_places() -> None:
    content = Sparse(5 * 1024**3)
    inspect(PDF, content)
    assert len(content.reads) == 4
    assert sum(length for _, length in content.reads) < 200_000


def test_an_image_that_fits_into_a_window_costs_two_reads() -> None:
    for media_type, data in good_files().values():
        if media_type != PDF and len(data) < WINDOW_BYTES:
            content = Bytes(data, [])
            inspect(media_type, content)
            assert len(content.reads) == 2


@pytest.mark.parametrize(
    "name",
    [
        "png: a million chunks",
        "png: a million chunks of pixels",
        "jpg: a million segments",
        "jpg: thousands of scans",
        "png: text that inflates far",
    ],
)
def test_what_is_bounded_is_not_read_to_its_end(name: str) -> None:
    file = hostile_files()[name]
    content = Bytes(file.build() + bytes(4 * LARGE), [])
    assert not is_inspected(file.media_type, content)
    assert sum(length for _, length in content.reads) < 3 * LARGE


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("png: one byte behind", "The PNG has data behind its end."),
        ("jpg: one byte behind", "The JPEG has data behind its end."),
        ("pdf: one byte behind", "The PDF's end is not as it must be, or has data behind it."),
        ("png: a zip within", "The content can be opened as a ZIP archive as well."),
        ("png: of 100,000 by 100,000", "The image has more than 100000000 pixels."),
        ("png: pixels too few", "The PNG's pixels are not as many as its header says."),
        ("html as jpg", "The content does not begin as a JPEG."),
        ("nothing as pdf", "The content is empty."),
    ],
)
def test_messages_say_why(name: str, message: str) -> None:
    file = hostile_files()[name]
    with pytest.raises(ContentMismatch, match=f"^{re.escape(message)}$"):
        inspect(file.media_type, Bytes(file.build(), []))


class Sparse:
    """A PDF, in the midst of which there is nothing."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.reads: list[tuple[int, int]] = []
        place = size - 100_000
        tail = b"xref\n0 1\n0000000000 65535 f \n".ljust(100_000 - 40) + b"startxref\n%d\n%%%%EOF\n" % place
        self._parts = {0: b"%PDF-1.7\n", place: tail.ljust(100_000, b"\n")}
        self.size = place + len(tail)

    def read(self, start: int, length: int) -> bytes:
        self.reads.append((start, length))
        return (
            b"".join(
                data[max(start - at, 0) : max(start + length - at, 0)]
                for at, data in self._parts.items()
                if at <= start
            )[:length]
            if start >= min(self._parts)
            else b""
        )
