"""The frame and the scans of a JPEG (ITU-T T.81, B.2.2, B.2.3): size, components, and what is coded of them. Pure."""

import struct
from dataclasses import dataclass

from inventory_api.attachments.inspection.pixels import check_pixels
from inventory_api.errors import ContentMismatch

BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
PRECISIONS = {BASELINE: {8}, EXTENDED: {8, 12}, PROGRESSIVE: {8, 12}}
FIELDS = struct.Struct(">BHHB")
COMPONENT_BYTES = 3
MAX_COMPONENTS = 4
MAX_SAMPLING = 4
MAX_TABLE = 3
BLOCK = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """What decides about the scans."""

    components: frozenset[int]
    least_coded_bits: int

    def check_scan(self, data: bytes) -> None:
        """Whether one begins so (B.2.3).

        Raises:
            ContentMismatch: it is not of this frame's components.
        """
        count = data[0] if data else 0
        selected = data[1 : 1 + 2 * count : 2]
        if not 0 < count <= MAX_COMPONENTS or len(data) != 4 + 2 * count or not self.components.issuperset(selected):
            raise ContentMismatch("The JPEG has a scan that is not of its components.")


def parse_frame(kind: int, data: bytes) -> Frame:
    """From the data of a segment, of the kind that its marker says.

    Raises:
        ContentMismatch: it is not one, or of more pixels than are accepted.
    """
    if len(data) < FIELDS.size:
        raise _illegal()
    precision, height, width, count = FIELDS.unpack_from(data)
    components = data[FIELDS.size :]
    if not 0 < count <= MAX_COMPONENTS or len(components) != count * COMPONENT_BYTES:
        raise _illegal()
    horizontal = [sampling >> 4 for sampling in components[1::COMPONENT_BYTES]]
    vertical = [sampling & 0x0F for sampling in components[1::COMPONENT_BYTES]]
    samplings_are_legal = all(1 <= sampling <= MAX_SAMPLING for sampling in horizontal + vertical)
    if precision not in PRECISIONS[kind] or not samplings_are_legal or max(components[2::COMPONENT_BYTES]) > MAX_TABLE:
        raise _illegal()
    check_pixels(width, height)
    # Of each block that is whole in the least frequent component: the shortest code of Huffman's is a bit (F.1.2).
    blocks = (width // (BLOCK * max(horizontal))) * (height // (BLOCK * max(vertical)))
    return Frame(frozenset(components[::COMPONENT_BYTES]), max(blocks, 1))


def _illegal() -> ContentMismatch:
    return ContentMismatch("The JPEG's frame is not as it must be.")
