"""The header of a PNG (third edition, 11.2.1), and what follows from it for palette and pixels. Pure."""

import struct
from dataclasses import dataclass

from inventory_api.attachments.inspection.pixels import check_pixels
from inventory_api.errors import ContentMismatch

FIELDS = struct.Struct(">IIBBBBB")
BYTES = FIELDS.size
MAX_PALETTE_BYTES = 256 * 3
GRAY, COLOUR, INDEXED, GRAY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
# Table 11.1: which depths a colour type has, and of how many samples a pixel is.
DEPTHS = {GRAY: {1, 2, 4, 8, 16}, COLOUR: {8, 16}, INDEXED: {1, 2, 4, 8}, GRAY_ALPHA: {8, 16}, COLOUR_ALPHA: {8, 16}}
SAMPLES = {GRAY: 1, COLOUR: 3, INDEXED: 1, GRAY_ALPHA: 2, COLOUR_ALPHA: 4}
# Adam7 (8.1): of each pass, the first column and row, and how far it is to the next.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
WHOLE = ((0, 0, 1, 1),)


@dataclass(frozen=True, slots=True)
class Header:
    """What decides about the rest of the image."""

    width: int
    height: int
    depth: int
    colour: int
    is_interlaced: bool

    @property
    def needs_palette(self) -> bool:
        return self.colour == INDEXED

    @property
    def raw_bytes(self) -> int:
        """How many bytes the pixels are before they are compressed: each row has one for its filter (7.2, 9.2)."""
        return sum(
            self._rows_bytes(-(-(self.width - column) // columns), -(-(self.height - row) // rows))
            for column, row, columns, rows in (PASSES if self.is_interlaced else WHOLE)
        )

    def check_palette(self, size: int) -> None:
        """Whether one of so many bytes may be there (11.2.2).

        Raises:
            ContentMismatch: it may not.
        """
        most = 3 * 2**self.depth if self.colour == INDEXED else MAX_PALETTE_BYTES
        if self.colour in {GRAY, GRAY_ALPHA} or size % 3 or not 0 < size <= most:
            raise ContentMismatch("The PNG's palette is not one for its pixels.")

    def _rows_bytes(self, width: int, height: int) -> int:
        """Passes that have no column have no rows either."""
        row_bits = width * self.depth * SAMPLES[self.colour]
        return height * (1 + -(-row_bits // 8)) if width > 0 and height > 0 else 0


def parse(data: bytes, size: int) -> Header:
    """From the chunk's data, whose size is said.

    Raises:
        ContentMismatch: it is not one, or of more pixels than are accepted.
    """
    if size != BYTES:
        raise ContentMismatch("The PNG's header is not as long as it must be.")
    width, height, depth, colour, compression, filtering, interlacing = FIELDS.unpack(data)
    if depth not in DEPTHS.get(colour, ()):
        raise ContentMismatch("The PNG's header has a kind of pixels that there is not.")
    if compression or filtering or interlacing > 1:
        raise ContentMismatch("The PNG's header has a method that there is not.")
    check_pixels(width, height)
    return Header(width, height, depth, colour, bool(interlacing))
