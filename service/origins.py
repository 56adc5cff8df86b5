"""Hosts as they are named: alone, or with a scheme and a port as what may be fetched from."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

SCHEMES = ("https://", "http://")
PORTS = {"https": 443, "http": 80}
# An address of IPv6, or a name, and a port.
_NAMED = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d*)?")
_HOST = re.compile(r"[a-z0-9_.:-]+")


def host_in(netloc: str) -> str:
    """Return the host of what a header Host has, in lower case without its port; or ""."""
    named = _NAMED.fullmatch(netloc.lower())
    return (named[1] or named[2]).rstrip(".") if named else ""


@dataclass(frozen=True)
class Origin:
    """A scheme, a host in lower case as it is looked up, and a port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read example.org, example.org:8443 or http://example.org; raises ValueError."""
        try:
            url = urlsplit(text if text.startswith(SCHEMES) else f"https://{text}")
            host = (url.hostname or "").rstrip(".").encode("idna").decode()
            port = url.port or PORTS[url.scheme]
        except ValueError as error:
            raise ValueError(f"{text!r} is not the name of a host: {error}") from error
        rest = url.path.strip("/") or url.query or url.fragment or "@" in url.netloc
        if rest or not _HOST.fullmatch(host):
            raise ValueError(
                f"{text!r} is not the name of a host; give example.org, or http://example.org "
                "where it has no https"
            )
        return cls(url.scheme, host, port)

    def __str__(self) -> str:
        port = "" if self.port == PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"
