"""Which addresses are the internet's. Pure.

`ipaddress.is_global` is not asked: Python 3.11 takes multicast, and IPv6 addresses that lead to IPv4 ones, for global.
"""

from ipaddress import IPv4Address, IPv6Address, ip_network

# The special-purpose registries of IANA (RFC 6890), multicast, and where a cloud answers its own machines.
REFUSED_IPV4 = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
# What is given to hosts is within this (RFC 4291): no mapped, translated, local or multicast address is.
GLOBAL_IPV6 = ip_network("2000::/3")
# Within it: protocols' own with Teredo, documentation, 6to4, and a sink for reverse look-ups.
REFUSED_IPV6 = tuple(
    ip_network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it may be anybody's on the internet, and cannot be this machine, its network, or a cloud's metadata."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in REFUSED_IPV4)
    if address.scope_id is not None or address not in GLOBAL_IPV6:
        return False
    return not any(address in network for network in REFUSED_IPV6)


def is_loopback(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is this machine, spelt as itself."""
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None
