"""Names that clients give to files, and what is made of them."""

import unicodedata
from email.message import EmailMessage
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory_api.attachments.filenames import EXTENSIONS, MAX_BYTES, content_disposition, safe_filename

PNG, JPEG, PDF = "image/png", "image/jpeg", "application/pdf"
TYPES = st.sampled_from(sorted(EXTENSIONS))
# Beside any text, much of what is of a meaning somewhere.
NAMES = st.one_of(
    st.text(max_size=400),
    st.lists(
        st.sampled_from(
            [
                "..",
                "/",
                "\\",
                ".",
                " ",
                "a",
                "con",
                "NUL",
                "com\u00b9",
                ".png",
                ".PDF",
                ".jpeg",
                "\r\n",
                "\0",
                "\u202e",
                "\u200b",
                "\ufeff",
                "\u0338",
                "<",
                "=",
                ":",
                "\u037e",
                "\u2028",
                "\ud800",
                "\ue000",
                "e",
                "\u0301",
                "\U0001f4e6",
                "\u68da" * 90,
                "_",
            ]
        ),
        max_size=12,
    ).map("".join),
)


@pytest.mark.parametrize(
    ("name", "media_type", "safe"),
    [
        ("shelf.png", PNG, "shelf.png"),
        ("Shelf 7 (new).PNG", PNG, "Shelf 7 (new).PNG"),
        ("a.jpeg", JPEG, "a.jpeg"),
        ("a.JPG", JPEG, "a.JPG"),
        ("bill.2026.pdf", PDF, "bill.2026.pdf"),
        ("r\u00e9sum\u00e9.pdf", PDF, "r\u00e9sum\u00e9.pdf"),
        ("re\u0301sume\u0301.pdf", PDF, "r\u00e9sum\u00e9.pdf"),
        ("\u68da.png", PNG, "\u68da.png"),
        ("evil.html", PNG, "evil.html.png"),
        ("evil.png.exe", PNG, "evil.png.exe.png"),
        ("evil.png", JPEG, "evil.png.jpg"),
        ("a.jpg", PDF, "a.jpg.pdf"),
        ("a", PNG, "a.png"),
        ("png", PNG, "png.png"),
        (".png", PNG, "png.png"),
        ("", PNG, "attachment.png"),
        ("", JPEG, "attachment.jpg"),
        ("...", PDF, "attachment.pdf"),
        (" . .. ", PNG, "attachment.png"),
        ("/", PNG, "attachment.png"),
        ("\u202e\u200b", PNG, "attachment.png"),
        ("../../etc/passwd", PNG, "passwd.png"),
        ("..\\..\\windows\\system32\\a.png", PNG, "a.png"),
        ("C:\\fakepath\\a.png", PNG, "a.png"),
        ("/absolute/a.png", PNG, "a.png"),
        ("a/b\\c/d.png", PNG, "d.png"),
        ("a.png/", PNG, "attachment.png"),
        ("..%2f..%2fa.png", PNG, "%2f..%2fa.png"),
        ("a.png\x00.exe", PNG, "a.png.exe.png"),
        ("a\x00.png", PNG, "a.png"),
        ("a\r\nSet-Cookie: b=c\r\n.png", PNG, "a Set-Cookie_ b=c.png"),
        ("a\u2028b\u2029c\x85d\te.png", PNG, "a b c d e.png"),
        ("a\u00a0 \u3000b.png", PNG, "a b.png"),
        ("\u202egnp.exe", PNG, "gnp.exe.png"),
        ("a\u202e\u2066gnp.png", PNG, "agnp.png"),
        ("a\u200b\u200d\ufeffb.png", PNG, "ab.png"),
        ("e\u200b\u0301.png", PNG, "\u00e9.png"),
        ("a\ud800b.png", PNG, "ab.png"),
        ("a\ue000b.png", PNG, "ab.png"),
        ("a.png:b.exe", PNG, "a.png_b.exe.png"),
        ('<a>:"b"|?*.png', PNG, "_a___b____.png"),
        ("<\u0338.png", PNG, "\u226e.png"),
        (".htaccess", PNG, "htaccess.png"),
        ("a.png. . ", PNG, "a.png"),
        ("a . .png", PNG, "a.png"),
        ("CON", PNG, "_CON.png"),
        ("nul.png", PNG, "_nul.png"),
        ("NUL.tar.png", PNG, "_NUL.tar.png"),
        ("aux .png", PNG, "_aux.png"),
        ("com1 .a.png", PNG, "_com1 .a.png"),
        ("LPT\u00b9.pdf", PDF, "_LPT\u00b9.pdf"),
        ("conin$.png", PNG, "_conin$.png"),
        ("console.png", PNG, "console.png"),
        ("com10.png", PNG, "com10.png"),
        ("a" * 300 + ".png", PNG, "a" * 251 + ".png"),
        ("\u68da" * 300 + ".jpeg", JPEG, "\u68da" * 83 + ".jpeg"),
        ("a" * 250 + " b.png", PNG, "a" * 250 + ".png"),
    ],
)
def test_a_name_becomes_one_that_any_system_takes(name: str, media_type: str, safe: str) -> None:
    assert safe_filename(name, media_type) == safe


@given(NAMES, TYPES)
def test_whatever_it_is_it_becomes_safe(name: str, media_type: str) -> None:
    safe = safe_filename(name, media_type)
    stem, _, extension = safe.rpartition(".")
    assert extension.lower() in EXTENSIONS[media_type]
    assert stem
    assert stem == stem.strip(" .")
    assert len(safe.encode()) <= MAX_BYTES
    assert unicodedata.is_normalized("NFC", safe)
    assert not set(safe) & set('/\\<>:"|?*')
    assert not any(unicodedata.category(found) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for found in safe)
    assert " ".join(safe.split()) == safe
    assert stem.split(".")[0].strip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "COM\u00b9", "LPT9"}


@given(NAMES, TYPES)
def test_what_is_safe_stays_as_it_is(name: str, media_type: str) -> None:
    safe = safe_filename(name, media_type)
    assert safe_filename(safe, media_type) == safe


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("a.png", "attachment; filename=\"a.png\"; filename*=UTF-8''a.png"),
        ("a b.png", "attachment; filename=\"a b.png\"; filename*=UTF-8''a%20b.png"),
        ("\u20ac.pdf", "attachment; filename=\"_.pdf\"; filename*=UTF-8''%E2%82%AC.pdf"),
        ("100%'s(1).pdf", "attachment; filename=\"100_'s(1).pdf\"; filename*=UTF-8''100%25%27s%281%29.pdf"),
        ('a"; b=c\r\n\\.png', "attachment; filename=\"a_; b=c___.png\"; filename*=UTF-8''a%22%3B%20b%3Dc%0D%0A%5C.png"),
    ],
)
def test_a_download_says_its_name_for_old_clients_and_exactly(filename: str, header: str) -> None:
    assert content_disposition(filename) == header


@given(NAMES, TYPES)
def test_a_name_is_read_from_the_header_as_it_was(name: str, media_type: str) -> None:
    safe = safe_filename(name, media_type)
    header = content_disposition(safe)
    assert header.isascii()
    assert header.isprintable()
    assert unquote(header.rpartition("''")[2], errors="strict") == safe
    message = EmailMessage()
    message["Content-Disposition"] = header.replace(header[header.index('filename="') : header.index("filename*")], "")
    assert message.get_filename() == safe


@given(st.text())
def test_no_name_ends_the_header_or_its_quotes(name: str) -> None:
    header = content_disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert "\\" not in header
