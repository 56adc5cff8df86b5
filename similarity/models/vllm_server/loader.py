"""Loads a model from the address of servers, after checks."""

import logging
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from similarity.connections import proxy_for, shown_address
from similarity.errors import (
    BackendKeyError,
    BackendRefusedError,
    ConfigError,
    MissingDependencyError,
    ModelError,
)
from similarity.extras import unusable
from similarity.models.checks import Check
from similarity.models.loader import Examined, LoadOptions, PlacedCheck, failed

try:
    import httpx
except ImportError as error:
    needed = "a model on a server needs httpx"
    raise MissingDependencyError(unusable(error, needed, "httpx anyio")) from error

from similarity.answering import AS_IT_IS
from similarity.models.vllm_server.address import ServerAddress
from similarity.models.vllm_server.background import Background
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.replica import Replica
from similarity.models.vllm_server.served import ServedModel
from similarity.models.vllm_server.server_kinds import ServerKind, kind_of

logger = logging.getLogger(__name__)

# Seconds that loading waits for a server: a user who just started it sees that it is not up yet.
START_PATIENCE = 2.0
SERVES = "server"


def load(name: str, options: LoadOptions) -> ServedModel:
    """Load the model at an address, for the table of backends.

    Raises
    ------
    ConfigError
        If that is no address, a setting in the environment is out of range, or an option is the
        server's own.
    BackendError, WrongAnswerError
        As `load_server`.
    """
    return open_servers(name, options).checked_model()


def examine(name: str, options: LoadOptions) -> Examined:
    """Return every check of every server, and their model if none failed."""
    servers = open_servers(name, options)
    checks: list[PlacedCheck] = list(servers.checks())
    if failed(checks):
        servers.close()
        return checks, None
    return checks, servers.model()


def open_servers(name: str, options: LoadOptions) -> "Servers":
    """Return the servers at an address, to be checked before their model is taken."""
    if options != LoadOptions():
        raise ConfigError("device and dtype are the server's; start it with those, and leave auto")
    return Servers(name, ServerConfig.from_environment(os.environ))


def load_server(
    name: str,
    config: ServerConfig | None = None,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
) -> ServedModel:
    """Load the model that one or more vLLM servers hold.

    Parameters
    ----------
    name
        "http://a:8000,http://b:8000#served-name"; see `ServerAddress.parse`.
    transport
        In the place of the network, for tests.

    Raises
    ------
    ConfigError
        If that is no address.
    BackendError
        If no server answers, or one refuses or serves another model.
    WrongAnswerError
        If a server would give wrong scores.
    """
    return Servers(name, config, transport=transport).checked_model()


class Servers:
    """Servers under examination: iterate over `checks`, then take the `model`."""

    def __init__(
        self,
        name: str,
        config: ServerConfig | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.address = ServerAddress.parse(name)
        self._config = config or ServerConfig()
        urls = self.address.urls if transport is None else ()
        self._proxies = {url: proxy_for(url) for url in urls}
        self._client = _client(self._config, transport, self._proxies)
        self._background = Background(self._client.aclose)
        # What each server serves, and of which kind it is.
        self._identities: dict[str, tuple[ServerKind[Any], Any]] = {}
        self._failures: dict[str, ModelError] = {}

    def close(self) -> None:
        """Close all connections."""
        self._background.close()

    def checks(self) -> Iterator[tuple[str, Check]]:
        """Yield each server's URL with each of its checks, up to an error that ends them."""
        for url in self.address.urls:
            for check in self._checks_of(url):
                yield url, check

    def checked_model(self) -> ServedModel:
        """Return the model after all checks, or close all and raise the first failure.

        If no server answers, the error says why of each.
        """
        try:
            for _, check in self.checks():
                if check.error is None:
                    continue
                # What failed a check would go on to; a server that failed a request may not,
                # but for another key, which no waiting brings.
                if check.name != SERVES or isinstance(check.error, BackendKeyError):
                    raise check.error
            model = self.model()
            for url, error in self._failures.items():
                logger.warning("left out until it answers: %s (%s)", url, error)
            return model
        except BaseException:
            self.close()
            raise

    def model(self) -> ServedModel:
        """Return the model on all servers; those that did not answer may be used later.

        Raises
        ------
        BackendError
            If none answered.
        """
        if not self._identities:
            raise self._none_answers()
        found = list(self._identities.values())
        kind = found[0][0]
        identity = kind.joined([one for _, one in found])
        if lacks := kind.lacks(identity):
            logger.warning("%s", lacks)
        replicas = [self._replica(url) for url in self.address.urls]
        pool = Pool(replicas, self._config, identity.wanted)
        for replica in replicas:
            if replica.url in self._failures:
                pool.roster.leave_out(replica, self._failures[replica.url])
        return kind.model(self._background, pool, identity)

    def _none_answers(self) -> ModelError:
        """Return the error of the first server, with the causes of all."""
        first = next(iter(self._failures.values()))
        causes = dict.fromkeys(map(str, self._failures.values()))
        return first if len(causes) == 1 else type(first)("; ".join(causes))

    def _replica(self, url: str) -> Replica:
        return Replica(url, self._client, self._proxies.get(url))

    def _checks_of(self, url: str) -> Iterator[Check]:
        impatient = replace(self._config, patience=min(self._config.patience, START_PATIENCE))
        pool = Pool([self._replica(url)], impatient)
        try:
            kind = self._background.run(lambda _: kind_of(pool))
            identity, checks = self._background.run(lambda _: kind.examine(pool, self.address))
            yield from checks
            if self._identities:
                yield self._check_same(url, kind, identity)
            yield from kind.checks(kind.model(self._background, pool, identity))
        except ModelError as error:
            self._failures[url] = error
            yield Check(SERVES, "no model to be used", error)
        else:
            self._identities[url] = (kind, identity)

    def _check_same(self, url: str, kind: ServerKind[Any], identity: Any) -> Check:
        for other, (known_kind, known) in self._identities.items():
            if known_kind is not kind or not kind.same(known, identity):
                error = BackendRefusedError(
                    f"{url} serves another model than {other}, or in another way; give servers of "
                    "one model"
                )
                return Check("replicas", f"not the model of {other}", error)
        return Check("replicas", "the model of the others")


def _client(
    config: ServerConfig,
    transport: httpx.AsyncBaseTransport | None,
    proxies: Mapping[str, str | None],
) -> httpx.AsyncClient:
    key = {"Authorization": f"Bearer {config.api_key}"} if config.api_key else {}
    headers = {**AS_IT_IS, **key}
    timeout = httpx.Timeout(config.read_timeout, connect=config.connect_timeout, pool=None)
    # The pool of servers bounds what is under way.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    certificates = _certificates()
    return httpx.AsyncClient(
        headers=headers,
        timeout=timeout,
        transport=transport or httpx.AsyncHTTPTransport(certificates, limits=limits),
        mounts={
            url: _through(proxy, certificates, limits) for url, proxy in proxies.items() if proxy
        },
        trust_env=False,  # which proxy is used has been decided, and is named where it fails
    )


def _certificates() -> ssl.SSLContext:
    """Return the certificates by which servers are known: the environment's, else certifi's."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise ConfigError(
            f"SSL_CERT_FILE is {os.environ.get('SSL_CERT_FILE')!r}, which has no certificates that "
            f"can be read: {error.strerror or error}; name a PEM file, or unset it"
        ) from error


def _through(
    proxy: str, certificates: ssl.SSLContext, limits: httpx.Limits
) -> httpx.AsyncHTTPTransport:
    """Return what sends requests through a proxy."""
    try:
        address = httpx.URL(proxy)
        # httpx looks at neither, and what it calls to connect fails by other errors.
        if not address.host or not 0 < (address.port or 80) < 2**16:
            raise ValueError(proxy)
        return httpx.AsyncHTTPTransport(certificates, limits=limits, proxy=proxy)
    except ImportError as error:
        raise MissingDependencyError(
            f"the proxy {shown_address(proxy)} of the environment needs socksio: "
            "pip install socksio; or name the servers in NO_PROXY"
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"the proxy {shown_address(proxy)!r} of the environment has no address that httpx "
            "takes; give http://host:port, or name the servers in NO_PROXY"
        ) from error
