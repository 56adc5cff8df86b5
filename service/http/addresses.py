"""Which addresses may be fetched from: of the internet, and of no network that is special."""

import ipaddress
import socket

from service.engine.workers import start_in_thread

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# The last 32 bits of an address in here are one of IPv4 (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


async def addresses_of(host: str, port: int) -> list[str]:
    """Return the addresses that the system finds for a host; raises OSError if there are none."""
    # Of the loop's own threads there are few: names that are not answered would hold them all.
    found = await start_in_thread(
        lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), "lookup"
    )
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


def is_public(address: str) -> bool:
    """Return whether an address is that of a single machine on the internet.

    It is not where it is private, loopback, link-local, multicast, reserved or otherwise special,
    or stands for one of IPv4 that is.
    """
    try:
        parsed: _Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    return all(map(_is_plain, (parsed, *_within(parsed))))


def _is_plain(address: _Address) -> bool:
    special = address.is_multicast or address.is_reserved or address.is_unspecified
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None or address in _NAT64:
            return True  # what it stands for is looked at
        special = special or address.is_site_local
    return address.is_global and not special


def _within(address: _Address) -> list[_Address]:
    """Return the addresses of IPv4 that one of IPv6 stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return [one for one in found if one is not None]
