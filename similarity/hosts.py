"""Hosts of URLs, as clients of HTTP read them."""

import re

import httpx

# Of a name that a name server may have, or of an address. httpx writes others, as a blank, by
# their numbers after a percent sign.
_HOST = re.compile(r"[a-z0-9_.:-]*")


def host_of(url: str | httpx.URL) -> str:
    """Return the host of a URL as a name server is asked for it.

    Raises
    ------
    ValueError
        If no client of HTTP could ask it: 999.1.1.1, names of other signs than IDNA allows, as a
        blank, and names with a part that is empty or has more than 63 signs.
    """
    try:
        read = httpx.URL(url)
        # Some names are read on their way in alone, and others on their way back.
        host = read.host and read.raw_host.decode()
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from error
    name = host.partition("%")[0] if ":" in host else host  # an interface may follow
    if not _HOST.fullmatch(name.lower()):
        raise ValueError(f"no host is called {host[:40]!r}")
    # What opens a connection encodes the name so.
    host.encode("idna")
    return host
