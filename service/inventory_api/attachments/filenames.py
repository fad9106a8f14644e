"""Names of files as clients say them, made such that any system may store and show them. Pure."""

import re
import unicodedata
from urllib.parse import quote

EXTENSIONS = {"image/png": ("png",), "image/jpeg": ("jpg", "jpeg"), "application/pdf": ("pdf",)}
# What the file systems in use have room for.
MAX_BYTES = 255
UNNAMED = "attachment"
# Control, format (which turn the direction of text, or have no width), surrogate and private-use characters.
REMOVED = frozenset({"Cc", "Cf", "Cs", "Co"})
# What Windows gives a meaning.
RESERVED = re.compile('[<>:"|?*]')
DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)", re.IGNORECASE)
NOT_IN_QUOTES = re.compile(r'[^ !#$&-\[\]-~]|[%"]')
# RFC 8187, 3.2.1: attr-char, beside letters and digits.
ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"


def safe_filename(name: str, media_type: str) -> str:
    """The last part of a path, at most 255 bytes of UTF-8, with an extension of the media type.

    What is safe stays as it is. There is always a name.
    """
    shown = "".join(_shown(character) for character in unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1]))
    # What was removed may have been between characters that are one.
    plain = _trimmed(unicodedata.normalize("NFC", RESERVED.sub("_", " ".join(shown.split()))))
    stem, extension = _split(plain, EXTENSIONS[media_type])
    stem = f"_{stem}" if DEVICE.match(stem) else stem
    return f"{_cut(stem, MAX_BYTES - len(extension) - 1)}.{extension}"


def content_disposition(filename: str) -> str:
    """The header by which it is saved and not shown (RFC 6266), with a name in ASCII, and as it is (RFC 8187)."""
    fallback = NOT_IN_QUOTES.sub("_", filename)
    encoded = quote(filename, safe=ATTRIBUTE_CHARACTERS, errors="replace")
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{encoded}"


def _shown(character: str) -> str:
    """Whatever separates words or lines is a space."""
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in REMOVED else character


def _split(name: str, extensions: tuple[str, ...]) -> tuple[str, str]:
    """The name without its extension, and that one if it is of `extensions`, else the first of them."""
    stem, _, extension = name.rpartition(".")
    if extension.lower() in extensions and _trimmed(stem):
        return _trimmed(stem), extension
    return name or UNNAMED, extensions[0]


def _trimmed(name: str) -> str:
    """Windows leaves out dots and spaces at the end; elsewhere, what begins with a dot is hidden."""
    return name.strip(" .")


def _cut(stem: str, most_bytes: int) -> str:
    return _trimmed(stem.encode()[:most_bytes].decode(errors="ignore"))
