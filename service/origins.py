"""Hosts as they are named: alone, or with a scheme and a port as what may be fetched from."""

import re
from dataclasses import dataclass
from typing import Self

import httpx

from similarity.hosts import host_of

SCHEMES = ("https://", "http://")
PORTS = {"https": 443, "http": 80}
# An address of IPv6, or a name, and a port.
_NAMED = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d*)?")
_HOST = re.compile(r"[a-z0-9_.:-]+")


def host_in(netloc: str) -> str:
    """Return the host of what a header Host has, in lower case without its port; or ""."""
    named = _NAMED.fullmatch(netloc.lower())
    return (named[1] or named[2]).rstrip(".") if named else ""


def checked_endpoint(value: str | None) -> str | None:
    """Return the address of a collector as it was given; raises ValueError."""
    if value is not None and not re.match(r"https?://[^/]", value):
        raise ValueError(f"an address begins with http:// or https://, not {value!r}")
    if value is not None:
        try:
            host_of(value)
        except ValueError as error:
            raise ValueError(
                f"{value!r} is not the address of a collector; give http://host:4318"
            ) from error
    return value


@dataclass(frozen=True)
class Origin:
    """A scheme, a host in lower case as it is looked up, and a port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx.URL) -> Self:
        """Return the origin of a URL, its port 0 without a known scheme; raises ValueError."""
        host = host_of(url).lower().rstrip(".")
        return cls(url.scheme, host, url.port or PORTS.get(url.scheme, 0))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read example.org, example.org:8443 or http://example.org; raises ValueError."""
        try:
            url = httpx.URL(text if "://" in text else f"https://{text}")
            origin = cls.of(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise ValueError(f"{text!r} is not the name of a host: {error}") from error
        rest = url.path.strip("/") or url.query or url.fragment or url.userinfo
        if rest or url.scheme not in PORTS or not _HOST.fullmatch(origin.host):
            raise ValueError(
                f"{text!r} is not the name of a host; give example.org, or http://example.org "
                "where it has no https"
            )
        return origin

    def __str__(self) -> str:
        """Return it as a browser writes it in the header Origin."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"
