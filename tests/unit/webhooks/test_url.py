"""What is refused of a URL by its text, and what is dialled of the rest."""

import pytest

from inventory_api.webhooks.url import Url, UrlRefused, parse

REFUSED = {
    "scheme": ["http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
               "//example.com/", "example.com", "javascript:alert(1)", "https:example.com", "https:///path", "https://"],
    "userinfo": ["https://a@example.com/", "https://a:b@example.com/", "https://@example.com/",
                 "https://example.com@127.0.0.1/", "https://example.com:443@127.0.0.1/"],
    "port": ["https://example.com:80/", "https://example.com:22/", "https://example.com:1023/", "https://example.com:0/",
             "https://example.com:65536/", "https://example.com:-1/", "https://example.com:x/", "https://example.com:/"],
    "IPv4, as it is": ["https://127.0.0.1/", "https://10.1.2.3/", "https://172.31.0.1/", "https://192.168.1.1/",
                       "https://169.254.169.254/latest/meta-data/", "https://100.100.100.200/", "https://168.63.129.16/",
                       "https://192.0.0.192/", "https://0.0.0.0/", "https://224.0.0.1/", "https://255.255.255.255/",
                       "https://192.88.99.1/", "https://198.18.0.1/"],
    "IPv4, otherwise": ["https://2130706433/", "https://0x7f000001/", "https://017700000001/", "https://0177.0.0.1/",
                        "https://0x7f.0.0.1/", "https://127.1/", "https://127.0.1/", "https://0x7f.1/", "https://1.1.1.1./",
                        "https://127.0.0.1./", "https://1.1.1/", "https://01.1.1.1/", "https://1.1.1.0x1/", "https://0/"],
    "IPv6": ["https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
             "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b:1::7f00:1]/",
             "https://[2002:7f00:1::]/", "https://[2001:0:7f00:1::]/", "https://[fe80::1]/", "https://[fc00::1]/",
             "https://[fd00:ec2::254]/", "https://[ff02::1]/", "https://[2001:db8::1]/", "https://[3fff::1]/",
             "https://[5f00::1]/", "https://[fe80::1%25eth0]/", "https://[2606:4700::1%25eth0]/", "https://[::1",
             "https://[1.1.1.1]/", "https://[v1.a]/", "https://::1/"],
    "names": ["https://localhost/", "https://LOCALHOST/", "https://a.localhost/", "https://printer.local/",
              "https://metadata.google.internal/", "https://kubernetes/", "https://a..b/", "https://.a.b/", "https://a.b./",
              "https://-a.b/", "https://a-.b/", "https://" + "a" * 64 + ".b/", "https://" + "a." * 127 + "b/",
              "https://a,b.c/", "https://a%2eb.c/", "https://%31%32%37.0.0.1/", "https://a.b%00.c/"],
    "characters": ["https://exa mple.com/", "https://example.com/ ", " https://example.com/", "https://example.com\\@127.0.0.1/",
                   "https://example.com/\r\nHost: x", "https://ex\u00e4mple.com/", "https://\u2460.1.1.1/", "https://a\u3002b/",
                   "https://example.com/\x00", "", "https://example.com/#a", "https://example.com#@127.0.0.1/",
                   "https://example.com/" + "a" * 2000],
}  # fmt: skip


@pytest.mark.parametrize(
    "text", [pytest.param(text, id=f"{why}-{text[:40]!a}") for why in REFUSED for text in REFUSED[why]]
)
def test_what_may_lead_elsewhere_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UrlRefused) as refused:
        parse(text)
    assert "127.0.0.1" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.com", Url("https", "example.com", 443, "/")),
        ("https://Hooks.Example.com/a/b?c=d&e=%20", Url("https", "hooks.example.com", 443, "/a/b?c=d&e=%20")),
        ("https://example.com:8443/", Url("https", "example.com", 8443, "/")),
        ("https://example.com:443/", Url("https", "example.com", 443, "/")),
        ("https://xn--exmple-cua.com/?a@b", Url("https", "xn--exmple-cua.com", 443, "/?a@b")),
        ("https://1.1.1.1/", Url("https", "1.1.1.1", 443, "/")),
        ("https://[2606:4700::1111]:1024/", Url("https", "2606:4700::1111", 1024, "/")),
        ("https://a_b.example.com/", Url("https", "a_b.example.com", 443, "/")),
        ("https://127.0.0.1.example.com/", Url("https", "127.0.0.1.example.com", 443, "/")),
    ],
)
def test_what_leads_to_the_internet_is_taken_apart(text: str, url: Url) -> None:
    assert parse(text) == url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8080/a", Url("http", "127.0.0.1", 8080, "/a")),
        ("http://localhost", Url("http", "localhost", 80, "/")),
        ("http://[::1]:81/", Url("http", "::1", 81, "/")),
        ("https://localhost:22/", Url("https", "localhost", 22, "/")),
    ],
)
def test_this_machine_is_admitted_where_that_is_asked_for(text: str, url: Url) -> None:
    assert parse(text, admit_loopback=True) == url


@pytest.mark.parametrize(
    "text",
    ["http://example.com/", "http://10.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://2130706433/", "http://127.1/",
     "http://a@127.0.0.1/", "ftp://localhost/", "https://169.254.169.254/", "http://a.localhost/"],
)  # fmt: skip
def test_and_nothing_else_by_it(text: str) -> None:
    with pytest.raises(UrlRefused):
        parse(text, admit_loopback=True)
