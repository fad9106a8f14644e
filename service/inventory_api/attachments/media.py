"""Which types of files are taken, and how large they may be. Nothing else is."""

from collections.abc import Mapping

from inventory_api.errors import PayloadTooLarge, UnsupportedMediaType

MEBIBYTE = 1_048_576
# In bytes, of a direct upload. All of an image is read before it is believed, within one request; of a PDF a few parts,
# so that what bounds it is what S3 takes in one request.
LARGEST: Mapping[str, int] = {
    "image/png": 64 * MEBIBYTE,
    "image/jpeg": 64 * MEBIBYTE,
    "application/pdf": 5 * 1024 * MEBIBYTE,
}


def check_type(content_type: str) -> None:
    """
    Raises:
        UnsupportedMediaType: files of this type are not taken.
    """
    if content_type not in LARGEST:
        raise UnsupportedMediaType(f"A file must be {', '.join(LARGEST)}.")


def check_size(content_type: str, size: int) -> None:
    """
    Raises:
        PayloadTooLarge: no file of this type may be so large.
    """
    if size > LARGEST[content_type]:
        raise PayloadTooLarge(f"A file of the type {content_type} may be at most {LARGEST[content_type]} bytes.")
