"""Which addresses are the internet's."""

from ipaddress import ip_address

import pytest

from inventory_api.webhooks.networks import is_loopback, is_public

# Neither side of a network's edges is by chance on the right one.
INSIDE = [
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
    "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1",
    "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.255.255", "192.175.48.1", "198.18.0.0", "198.19.255.255",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:1ff::1", "2001:db8::1", "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff:ffff::1", "4000::1",
    "5f00::1", "fc00::1", "fdff::1", "fe80::1", "fec0::1", "ff02::1", "2606:4700::1%eth0",
]  # fmt: skip
OUTSIDE = [
    "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
    "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7::1", "2001:db9::1", "2003::1",
    "2606:4700::1111", "3ffe::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_for_a_special_purpose_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_beside_it_is(address: str) -> None:
    assert is_public(ip_address(address))


def test_this_machine_is_itself_only_as_itself() -> None:
    assert all(is_loopback(ip_address(address)) for address in ("127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(ip_address(address)) for address in ("::ffff:127.0.0.1", "0.0.0.0", "::", "10.0.0.1"))
