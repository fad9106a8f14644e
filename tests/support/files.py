"""Files as programs that people use make them: PNG, JPEG and PDF, of many kinds."""

import io
import zlib
from collections.abc import Callable, Mapping
from functools import cache

import img2pdf  # type: ignore[import-untyped]
import pikepdf
import png  # type: ignore[import-untyped]
from fpdf import FPDF
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

PNG, JPEG, PDF = "image/png", "image/jpeg", "application/pdf"
SIZE = (83, 61)


@cache
def good_files() -> Mapping[str, tuple[str, bytes]]:
    """By name, the media type and the content of each."""
    made = {name: (PNG, content) for name, content in (_pillow_pngs() | _pypng_pngs()).items()}
    made |= {name: (JPEG, content) for name, content in _jpegs().items()}
    return made | {name: (PDF, content) for name, content in _pdfs().items()}


@cache
def good_file(media_type: str) -> bytes:
    """An ordinary one."""
    return good_files()[{PNG: "png RGB", JPEG: "jpeg RGB", PDF: "pdf by reportlab"}[media_type]][1]


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Something that is not of one colour, and compresses neither to nothing nor not at all."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.ellipse((5, 5, size[0] // 2, size[1] - 5), fill=(200, 30, 90))
    return image.convert("L").convert(mode) if mode in {"I;16", "I", "1"} else image.convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def profile() -> bytes:
    """One of ICC, for sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif() -> Image.Exif:
    made = Image.Exif()
    made[0x010E], made[0x0112], made[0x0132] = "Shelf 7", 6, "2026:03:01 08:00:00"
    return made


def _pillow_pngs() -> dict[str, bytes]:
    made = {f"png {mode}": saved(picture(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")}
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "caf\u00e9 " * 50, zip=True)
    texts.add_itxt("Title", "shelf \u68da", "de", "Titel")
    texts.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>" * 100, zip=True)
    texts.add_text("Software", "a shop")
    texts.add(b"prVt", b"\x00\x01private")
    frames = [picture().rotate(angle) for angle in (90, 180, 270)]
    return made | {
        "png optimised": saved(picture(), "PNG", optimize=True),
        "png stored": saved(picture(), "PNG", compress_level=0),
        "png of 2 colours": saved(picture("P").quantize(2), "PNG", bits=1),
        "png transparent palette": saved(picture("P"), "PNG", transparency=3),
        "png transparent colour": saved(picture(), "PNG", transparency=(1, 2, 3)),
        "png with EXIF, ICC, DPI": saved(picture(), "PNG", exif=exif(), icc_profile=profile(), dpi=(300, 300)),
        "png with texts": saved(picture(), "PNG", pnginfo=texts),
        "png of one pixel": saved(picture(size=(20, 20)).crop((0, 0, 1, 1)), "PNG"),
        "png of one colour, large": saved(Image.new("L", (9000, 9000)), "PNG"),
        "png of one colour and bit, large": saved(Image.new("1", (10_000, 10_000)), "PNG"),
        "apng": saved(picture(), "PNG", save_all=True, append_images=frames, duration=50),
    }


def _pypng_pngs() -> dict[str, bytes]:
    kinds: dict[str, dict[str, object]] = {
        "gray of 2 bits": {"greyscale": True, "bitdepth": 2},
        "gray of 16 bits": {"greyscale": True, "bitdepth": 16},
        "gray with alpha": {"greyscale": True, "alpha": True, "bitdepth": 8},
        "colour of 16 bits": {"greyscale": False, "bitdepth": 16},
        "palette of 4 bits": {"palette": [(n * 16, n, 0) for n in range(16)], "bitdepth": 4},
        "many chunks": {"greyscale": False, "bitdepth": 8, "chunk_limit": 64},
    }
    made = {}
    for name, options in kinds.items():
        planes = 1 if options.get("greyscale") or "palette" in options else 3
        planes += bool(options.get("alpha"))
        for interlaced, size in ((False, SIZE), (True, SIZE), (True, (1, 1)), (True, (3, 5))):
            buffer = io.BytesIO()
            writer = png.Writer(*size, interlace=interlaced, **options)
            top = 2 ** int(str(options["bitdepth"]))
            writer.write(buffer, [[(x * y) % top for x in range(size[0] * planes)] for y in range(size[1])])
            made[f"png {name}, {size[0]}x{size[1]}{', interlaced' if interlaced else ''}"] = buffer.getvalue()
    return made


def _jpegs() -> dict[str, bytes]:
    made = {f"jpeg {mode}": saved(picture(mode), "JPEG") for mode in ("L", "RGB", "CMYK", "YCbCr")}
    rgb = picture()
    return made | {
        "jpeg progressive": saved(rgb, "JPEG", progressive=True),
        "jpeg progressive, gray": saved(picture("L"), "JPEG", progressive=True),
        "jpeg optimised": saved(rgb, "JPEG", optimize=True, quality=30),
        "jpeg not subsampled": saved(rgb, "JPEG", subsampling=0, quality=100),
        "jpeg with restarts": saved(rgb, "JPEG", restart_marker_blocks=1),
        "jpeg progressive with restarts": saved(rgb, "JPEG", restart_marker_rows=1, progressive=True),
        "jpeg with a comment": saved(rgb, "JPEG", comment=b"taken in aisle 7"),
        "jpeg with EXIF, ICC, DPI": saved(rgb, "JPEG", exif=exif(), icc_profile=profile(), dpi=(300, 300)),
        "jpeg with a profile in parts": saved(rgb, "JPEG", icc_profile=profile() * 300),
        "jpeg of one pixel": saved(picture(size=(20, 20)).crop((0, 0, 1, 1)), "JPEG"),
        "jpeg of one colour, large": saved(Image.new("RGB", (9000, 9000)), "JPEG", quality=1, optimize=True),
        "jpeg of one colour, large, progressive": saved(Image.new("L", (9000, 9000)), "JPEG", progressive=True),
        "jpeg with fill bytes": with_fill_bytes(saved(rgb, "JPEG", restart_marker_blocks=2)),
    }


def with_fill_bytes(jpeg: bytes) -> bytes:
    """FF before FF, where ITU-T T.81, B.1.1.2 admits it: here before a table, and before the end."""
    table = jpeg.index(b"\xff\xdb")
    return jpeg[:table] + b"\xff" * 9 + jpeg[table:-2] + b"\xff" * 3 + jpeg[-2:]


def _pdfs() -> dict[str, bytes]:
    plain = _by_reportlab()
    fpdf = FPDF()
    fpdf.add_page()
    fpdf.set_font("Helvetica", size=12)
    fpdf.cell(text="a label")
    fpdf.image(saved(picture(), "PNG"), w=50)
    return {
        "pdf by reportlab": plain,
        "pdf by reportlab, large": _by_reportlab(pages=60),
        "pdf by fpdf2": bytes(fpdf.output()),
        "pdf by pypdf": _by_pypdf(plain),
        "pdf by pypdf, encrypted": _by_pypdf(plain, lambda writer: writer.encrypt("secret", algorithm="RC4-128")),
        "pdf by pypdf, with a file in it": _by_pypdf(plain, lambda writer: writer.add_attachment("a.txt", b"x" * 9999)),
        "pdf by pypdf, incremental": _incremental(plain),
        "pdf by pikepdf": _by_pikepdf(plain),
        "pdf by pikepdf, linearized": _by_pikepdf(plain, linearize=True),
        "pdf by pikepdf, object streams": _by_pikepdf(plain, object_stream_mode=pikepdf.ObjectStreamMode.generate),
        "pdf by pikepdf, encrypted": _by_pikepdf(plain, encryption=pikepdf.Encryption(owner="a", user="b")),
        "pdf by pikepdf, 2.0": _by_pikepdf(plain, force_version="2.0"),
        "pdf by img2pdf, of a JPEG": img2pdf.convert(saved(picture(), "JPEG")),
        "pdf by img2pdf, of a PNG": img2pdf.convert(saved(picture(), "PNG")),
        "pdf by Pillow": saved(picture(), "PDF"),
        "pdf with CRLF behind its end": plain.rstrip() + b"\r\n",
        "pdf with nothing behind its end": plain.rstrip(),
    }


def _by_reportlab(pages: int = 1) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for page in range(pages):
        canvas.drawString(100, 700, f"page {page}")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _by_pypdf(source: bytes, change: Callable[[PdfWriter], object] = lambda _: None) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(source)))
    change(writer)
    return _written(writer)


def _incremental(source: bytes) -> bytes:
    writer = PdfWriter(io.BytesIO(source), incremental=True)
    writer.add_blank_page(100, 100)
    return _written(writer)


def _written(writer: PdfWriter) -> bytes:
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def _by_pikepdf(source: bytes, **options: object) -> bytes:
    buffer = io.BytesIO()
    with pikepdf.open(io.BytesIO(source)) as document:
        document.save(buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """One of PNG, with its length and its checksum."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def segment(kind: int, data: bytes = b"") -> bytes:
    """One of JPEG, with its length."""
    return bytes((0xFF, kind)) + (len(data) + 2).to_bytes(2, "big") + data
