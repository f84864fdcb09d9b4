"""Which addresses of the internet protocol a webhook may go to: public ones, and no others. Pure.

A name that somebody chose may stand for this machine, for the network it is in, or for the service that hands out
credentials. So every address that a name stands for is judged, and never the name: "127.1" and "0x7f000001" are
addresses to whoever resolves them. The tables are written out, because `ipaddress.is_global` answers otherwise in other
versions of Python, and calls public what leads back inside (NAT64, addresses of IPv4 in those of IPv6). Sources: IANA
special-purpose address registries (RFC 6890); RFC 6052, RFC 8215 (NAT64); RFC 3056 (6to4); RFC 4380 (Teredo).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_NOT_PUBLIC_4: Final = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4"),
        ),
    )
)
# Of IPv6, one eighth is given out as global unicast; in it lie some that are none.
_PUBLIC_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"))
)
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Return whether `address`, in digits, is one of the public internet; what is no address is not."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inner = _unwrap(found)
        if inner is None:
            return (
                found.scope_id is None and found in _PUBLIC_6 and not any(found in network for network in _NOT_PUBLIC_6)
            )
        found = inner
    return not any(found in network for network in _NOT_PUBLIC_4)


def _unwrap(address: IPv6Address) -> IPv4Address | None:
    """The address of IPv4 that one of IPv6 stands for: written as one, or reached through a translator."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def is_loopback(address: str) -> bool:
    """Return whether `address`, in digits, is this machine: all that a developer's stack may send to."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
