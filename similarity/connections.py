"""Connections to other programs: keys, what may be shown of an address, and how long to wait."""

import ipaddress
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from similarity.errors import ConfigError

# A user and a password, and a query.
_SECRET_PARTS = re.compile(r"//[^#,]*@|\?[^#,]*")


def header_key(name: str, text: object) -> str:
    """Return a key without white space around it, as a header carries it.

    Parameters
    ----------
    name
        What a message calls it: the variable or the argument that has it.

    Raises
    ------
    ConfigError
        If it is no string, or a header cannot carry it. The message never has the key.
    """
    if not isinstance(text, str):
        raise ConfigError(f"{name} must be a string, got {type(text).__name__}")
    key = text.strip()
    if wrong := next((sign for sign in key if not "!" <= sign <= "~"), None):
        raise ConfigError(
            f"{name} has the character U+{ord(wrong):04X}, which a header cannot carry; give "
            "letters, digits and signs of ASCII without spaces"
        )
    return key


def is_loopback(host: str) -> bool:
    """Return whether an address is of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shown_address(url: str) -> str:
    """Return an address for a message, without a user, a password or a query."""
    return _SECRET_PARTS.sub(lambda part: "//…@" if part[0].endswith("@") else "?…", url)


def proxy_for(url: str) -> str | None:
    """Return the address of the proxy that the environment names for a URL; None for no proxy.

    A host of this machine needs none, whatever the environment says.
    """
    split = urlsplit(url)
    if is_loopback(split.hostname or "") or proxy_bypass(split.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(split.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def seconds_to_wait(retry_after: str) -> float | None:
    """Return the seconds that a header Retry-After names, from 0 up; None where it names none.

    It is a whole number of seconds, or a date, which is in UTC where it has no zone.
    """
    said = retry_after.strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        date = parsedate_to_datetime(said)
        zoned = date.replace(tzinfo=date.tzinfo or UTC)
        return max(0.0, (zoned - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
