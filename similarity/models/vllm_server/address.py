"""Addresses of model servers."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from similarity.connections import shown_address
from similarity.errors import ConfigError
from similarity.hosts import host_of
from similarity.models.vllm_server.config import ENVIRONMENT_PREFIX

SCHEMES = ("http", "https")
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
            If a URL is missing or not one, carries credentials or a query, or two names differ.
        """
        parts = [part.strip().partition("#") for part in text.split(",")]
        if not all(url for url, _, _ in parts):
            raise ConfigError(
                f"{shown_address(text)!r} has a comma too many, or lacks an address beside one; "
                "give http://a:8000,http://b:8000"
            )
        models = {fragment for _, _, fragment in parts if fragment}
        if len(models) > 1:
            raise ConfigError(
                f"the servers of one model serve one name, got {', '.join(sorted(models))}; "
                "give it once: http://a:8000,http://b:8000#served-name"
            )
        name, _, revision = (models.pop() if models else "").partition("@")
        urls = tuple(dict.fromkeys(_checked_url(url) for url, _, _ in parts))
        return cls(urls=urls, name=name or None, revision=revision or None)


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
