"""What is kept of an answer is short, can be shown, and holds no secret."""

import pytest

from inventory_api.webhooks.signing import new_secret
from inventory_api.webhooks.snippet import MAX_CHARACTERS, MAX_READ_BYTES, snippet


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("order unknown", "order unknown"),
        ('{"error": "no such order", "code": 17}', '{"error": "no such order", "code": 17}'),
        ("bad signature v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=", "bad signature [redacted]"),
        ("Authorization: Bearer abc.DEF-123", "Authorization: [redacted]"),
        ('{"api_key": "k-123", "ok": true}', '{"api_key": [redacted], "ok": true}'),
        ('{"api_key": "with \\" in it", "ok": true}', '{"api_key": [redacted], "ok": true}'),
        ("token=abc&next=1", "token=[redacted]&next=1"),
        ("Set-Cookie: session=1; path=/", "Set-Cookie: [redacted]; path=/"),
        ("key AKIAABCDEFGHIJKLMNOP.", "key [redacted]."),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[redacted]"),
        ("Authorization: Digest abc def", "Authorization: [redacted]"),
        ("Cookie: a=1; session=S-1; b=2", "Cookie: [redacted]; session=[redacted]; b=2"),
        ('{"client_secret": ["abc", "def"], "n": 1}', '{"client_secret": [redacted], "n": 1}'),
        ('{"data": "{\\"password\\": \\"hunter2\\"}"}', '{"data": "{\\"password\\": [redacted]}'),
        ("<password>hunter3</password>", "<password>[redacted]</password>"),
        ("pwd=hunter4", "pwd=[redacted]"),
        ("secret='hunter 6' x", "secret=[redacted] x"),
        ("key ASIAABCDEFGHIJKLMNOP.", "key [redacted]."),
        ("use Basic dXNlcjpwYXNz now", "use [redacted] now"),
        ("v1a,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN", "[redacted]"),
        ("a\u200bb\u202ec", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"),
        ("https://user:hunter5@host.example/x", "https://[redacted]@host.example/x"),
        ("a\x00b\x1b[31mc", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31mc"),
        ("", None),
        ("  \n ", None),
    ],
)
def test_what_may_be_a_secret_is_left_out_and_the_rest_is_kept(body: str, kept: str | None) -> None:
    assert snippet(body.encode()) == kept


def test_the_secret_that_it_is_signed_with_is_left_out_wherever_it_stands() -> None:
    secret = new_secret()
    for text in (secret, f"<p>{secret}</p>", f'["{secret}"]', f"x{secret}"):
        assert secret.removeprefix("whsec_") not in (snippet(text.encode()) or "")


def test_it_is_short_whatever_came_and_no_secret_is_cut_in_half() -> None:
    assert len(snippet(b"a" * MAX_READ_BYTES) or "") == MAX_CHARACTERS
    near_the_end = b"a" * (MAX_CHARACTERS - 20) + b" Bearer " + b"s" * 60
    assert "sss" not in (snippet(near_the_end) or "")
    half_read = (b"v1," + b"A" * 985 + b" AKIAABCDEFGHIJKLMNOPQRSTUVWXYZ012345")[:MAX_READ_BYTES]
    assert "AKIA" not in (snippet(half_read) or "")
    assert snippet(b"\xff\xfe") == "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
