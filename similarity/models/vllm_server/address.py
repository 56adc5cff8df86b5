"""Addresses of model servers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from similarity.connections import shown_address
from similarity.errors import ConfigError
from similarity.hosts import host_of
from similarity.models.vllm_server.config import ENVIRONMENT_PREFIX

_PORTS = {"http": 80, "https": 443}
SCHEMES = tuple(_PORTS)
# What is often copied with an address: the API's own path, and its routes.
_OF_THE_API = re.compile(r"/v1(/(models|completions|chat/completions|embeddings))?$")


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """Servers that serve one model.

    Parameters
    ----------
    urls
        Of each server, without the API's own path.
    name
        Served name of the model; None takes the only one that is served.
    revision
        What `ModelInfo.revision` must be; None takes any.
    """

    urls: tuple[str, ...]
    name: str | None = None
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "http://a:8000,http://b:8000#served-name@revision"; only the first URL must be.

        Raises
        ------
        ConfigError
            If a URL is missing, not one or there twice, carries credentials or a query, two names
            differ, or a name or a revision is missing behind its sign.
        """
        parts = [part.strip().partition("#") for part in text.split(",")]
        if not all(url for url, _, _ in parts):
            raise ConfigError(
                f"{shown_address(text)!r} has a comma too many, or lacks an address beside one; "
                "give http://a:8000,http://b:8000"
            )
        models = {_model_of(fragment) for _, sign, fragment in parts if sign}
        if len(models) > 1:
            written = ", ".join(sorted("@".join(filter(None, model)) for model in models))
            raise ConfigError(
                f"the servers of one model serve one name, got {written}; "
                "give it once: http://a:8000,http://b:8000#served-name"
            )
        name, revision = models.pop() if models else (None, None)
        urls = tuple(_checked_url(url) for url, _, _ in parts)
        _check_apart(urls)
        return cls(urls=urls, name=name, revision=revision)


def _model_of(fragment: str) -> tuple[str, str | None]:
    """Return the name behind a #, and the revision behind an @ after it, if there is one."""
    name, at, revision = fragment.partition("@")
    if not name or (at and not revision):
        lacks = "revision after @" if name else "name after #"
        raise ConfigError(
            f"{f'#{fragment}'!r} lacks the {lacks}; give http://host:8000#NAME@REVISION, "
            "#NAME for any weights under that name, or the address alone"
        )
    return name, revision or None


def _check_apart(urls: Sequence[str]) -> None:
    """Refuse a server that is given twice, also where only letter case or a usual port differs."""
    known: dict[tuple[str | None, int | None, str], str] = {}
    for url in urls:
        split = urlsplit(url)
        place = (split.hostname, split.port or _PORTS[split.scheme], split.path)
        if place in known:
            same = "" if url == known[place] else f", also as {known[place]}"
            raise ConfigError(f"{url} is given twice{same}; give each server once")
        known[place] = url


def _checked_url(url: str) -> str:
    shown = shown_address(url)
    try:
        split, host = urlsplit(url), host_of(url)
        port = split.port
    except ValueError as error:
        raise ConfigError(
            f"{shown!r} is not the address of a server; give http://host:port"
        ) from error
    if split.scheme not in SCHEMES or not host or port == 0 or split.query:
        raise ConfigError(f"{shown!r} is not the address of a server; give http://host:port")
    if split.username or split.password:
        raise ConfigError(
            f"give no user or password in the address of {split.hostname}; an API key goes into "
            f"{ENVIRONMENT_PREFIX}API_KEY"
        )
    written = split.scheme + url[len(split.scheme) :]
    return _OF_THE_API.sub("", written.rstrip("/"))
