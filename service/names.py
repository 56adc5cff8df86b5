"""Settings that are names between commas: of hosts, of origins."""

from contextlib import suppress

from service.origins import Origin, host_in


def split(value: str) -> list[str]:
    """Return the parts of a setting that are separated by commas."""
    return [part for piece in value.split(",") if (part := piece.strip())]


def _names(value: str) -> list[str]:
    """Return the parts of a setting; commas alone are a mistake that would pass for none."""
    parts = split(value)
    if value.strip() and not parts:
        raise ValueError(f"there is no name in {value[:40]!r}; give one, or leave it empty")
    return parts


def clean_origins(value: str) -> str:
    """Return origins as browsers write them, which are compared letter by letter.

    Raises
    ------
    ValueError
        If one has a path, or neither of the two schemes.
    """
    return ",".join(origin if origin == "*" else _clean_origin(origin) for origin in _names(value))


def _clean_origin(text: str) -> str:
    if "://" in text:
        with suppress(ValueError):
            return str(Origin.parse(text))
    raise ValueError(
        "an origin is * or begins with http:// or https://, has a name and no path, as "
        f"https://example.org or http://example.org:8080, not {text!r}"
    )


def checked_origins(value: str) -> str:
    """Return origins as they were given.

    Raises
    ------
    ValueError
        If one is none.
    """
    for host in _names(value):
        Origin.parse(host)
    return value


def checked_names(value: str) -> str:
    """Return names of hosts as they were given.

    Raises
    ------
    ValueError
        If one has a scheme or a port, or is no name of a host.
    """
    for name in _names(value):
        if name != "*" and (not host_in(name) or host_in(name) != name.lower().strip("[]")):
            raise ValueError(f"a host is * or a name without scheme and port, not {name!r}")
    return value
