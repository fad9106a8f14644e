"""What is kept of a partner's answer, for people: its beginning, without what may be a secret. Pure."""

import re

# Of a body that is read, how much of that is kept, and how long a secret may be that is known by its form.
MAX_READ_BYTES = 1024
MAX_CHARACTERS = 500
CUT_CHARACTERS = 100
REDACTED = "[redacted]"
# Of this service: what it signs with, and signatures, which a partner may send back. Of partners: what looks like one.
SECRETS = re.compile(
    r"whsec_[A-Za-z0-9+/=_-]*"
    r"|\bv1a?,[A-Za-z0-9+/=]{16,}"
    r"|(?<=authorization: )[^\r\n\"]+"
    r"|\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]+"
    r"|\beyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9._-]+"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|(?<=://)[^/\s@]{1,200}(?=@)",
    re.IGNORECASE,
)
# How a name ends, and what it names: text, in quotes or not, escaped or not, an array, or an element.
NAMED = re.compile(
    r"""((?:passw|pwd|secret|token|api[_-]?key|authorization|cookie|credential|session|signature)[\w.-]{0,40}"""
    r"""\\{0,3}["']?\s{0,9}[:=>]\s{0,9})"""
    r"""(\[[^\]]*\]?|\\{0,3}"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;&<>}]+)""",
    re.IGNORECASE,
)
# Control characters, which a terminal obeys, and what PostgreSQL does not take.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def snippet(body: bytes) -> str | None:
    """At most so many characters of it; None where there is nothing.

    Where it is only the beginning of a body, a secret may be cut at its end: the last characters are left out.
    """
    text = CONTROL.sub("\N{REPLACEMENT CHARACTER}", body.decode("utf-8", "replace")).strip()
    if len(body) >= MAX_READ_BYTES:
        text = text[:-CUT_CHARACTERS]
    redacted = NAMED.sub(rf"\1{REDACTED}", SECRETS.sub(REDACTED, text))
    return redacted[:MAX_CHARACTERS] or None
