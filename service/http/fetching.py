"""Fetches images from the hosts that the settings allow: no others, and none of our own networks.

A host's address is looked up once, and the address that was checked is the one that is connected
to. So a name that points elsewhere a moment later leads nowhere.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import cache
from weakref import WeakValueDictionary

import anyio
import httpx

from service.engine.exceptions import RequestTooLargeError, ServiceError
from service.http import addresses
from service.origins import Origin
from similarity.answering import AS_IT_IS, compression_of

# Redirects within one host that are followed.
_REDIRECTS = 3
# Files that are fetched at once over all requests, and from one host.
FETCHES = 32
FETCHES_OF_HOST = 8
_SHOWN = 80


class ImageHostError(ServiceError):
    """An image is to be fetched from a host that the service may not call."""

    text: str | None = None


class ImageSourceError(ServiceError):
    """The place that has an image does not give it."""

    text: str | None = None


class ImageSourceTimeoutError(ImageSourceError):
    """The place that has an image does not give it in time."""


def network() -> httpx.AsyncBaseTransport:
    """Return what connects to addresses; no proxy of the environment stands between."""
    return httpx.AsyncHTTPTransport(verify=_certificates(), trust_env=False)


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()


class CheckedTransport(httpx.AsyncBaseTransport):
    """Connects to the addresses that it has checked."""

    def __init__(self) -> None:
        self._inner = network()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the first of its host's addresses that answers.

        Raises
        ------
        ImageHostError
            If one of its addresses is special.
        httpx.ConnectError
            If the host has no address, or none can be connected to.
        """
        origin = Origin.of(request.url)
        # TLS still uses the name, and the certificate is checked against it.
        request.extensions["sni_hostname"] = origin.host
        name = request.url
        failure: httpx.TransportError | None = None
        for address in await _checked_addresses(origin):
            request.url = name.copy_with(host=address)
            try:
                return await self._inner.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or httpx.ConnectError("it has no address")

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()


async def _checked_addresses(origin: Origin) -> list[str]:
    try:
        found = await addresses.addresses_of(origin.host, origin.port)
    except (OSError, UnicodeError) as error:
        raise httpx.ConnectError("it has no address") from error
    if not all(map(addresses.is_public, found)):
        raise ImageHostError(
            f"{origin.host} has an address that is not of the internet; the service fetches "
            "nothing from private networks"
        )
    return found


class FetchPlaces:
    """The files that are fetched at once, over all requests; one host has some of them at most.

    Else a host that does not answer would keep all others waiting.
    """

    def __init__(self) -> None:
        self._all = anyio.CapacityLimiter(FETCHES)
        # A host's are kept as long as it is waited for.
        self._of_hosts: WeakValueDictionary[Origin, anyio.CapacityLimiter] = WeakValueDictionary()

    @asynccontextmanager
    async def one(self, origin: Origin) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        of_host = self._of_hosts.setdefault(origin, anyio.CapacityLimiter(FETCHES_OF_HOST))
        async with of_host, self._all:
            yield


class ImageFetcher:
    """Fetches files from some hosts.

    Parameters
    ----------
    hosts
        As `Origin.parse` reads them.
    max_bytes
        Of a file.
    max_total
        Of all files.
    seconds
        For a file, from looking up its host to its last byte. It begins with its place.
    hold
        Called with each number of bytes that have come; it may refuse them.
    places
        Of all requests.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        max_bytes: int,
        max_total: int,
        seconds: float,
        hold: Callable[[int], None],
        places: FetchPlaces,
    ) -> None:
        self._origins = frozenset(map(Origin.parse, hosts))
        self._max_bytes = max_bytes
        self._max_total = self._left = max_total
        self._seconds = seconds
        self._hold = hold
        self._places = places

    async def fetch(self, given: str) -> bytes:
        """Return a file, or one byte more than is allowed of it.

        Raises
        ------
        ImageHostError
            If its host is not allowed.
        ImageSourceError
            If its host does not give it, or not in time.
        RequestTooLargeError
            If all files have too many bytes together.
        BusyError
            If `hold` refuses them.
        """
        url = self._allowed(given)
        async with self._places.one(Origin.of(url)):
            return await self._fetched(url)

    async def _fetched(self, url: httpx.URL) -> bytes:
        # One client for a file: nothing of one request, such as a cookie, goes into another.
        async with httpx.AsyncClient(
            transport=CheckedTransport(), timeout=self._seconds, trust_env=False
        ) as client:
            try:
                with anyio.fail_after(self._seconds):
                    return await self._read(client, url)
            except (TimeoutError, httpx.TimeoutException) as error:
                raise ImageSourceTimeoutError(
                    f"{url.host} did not give the image within {self._seconds:g} s"
                ) from error
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                line = " ".join(str(error).split())[:200] or type(error).__name__
                raise ImageSourceError(f"{url.host} did not give the image: {line}") from error

    async def _read(self, client: httpx.AsyncClient, url: httpx.URL) -> bytes:
        for _ in range(_REDIRECTS + 1):
            request = client.build_request("GET", url, headers=_HEADERS)
            response = await client.send(request, stream=True)
            try:
                if response.has_redirect_location:
                    url = self._next(url, response)
                    continue
                return await self._body(response, url)
            finally:
                await response.aclose()
        raise ImageSourceError(f"{url.host} redirects more than {_REDIRECTS} times")

    async def _body(self, response: httpx.Response, url: httpx.URL) -> bytes:
        if response.status_code != httpx.codes.OK:
            raise ImageSourceError(
                f"{url.host} did not give the image: it answered HTTP {response.status_code}"
            )
        if compression_of(response) is not None:
            raise ImageSourceError(
                f"{url.host} compressed the image, though only uncompressed answers are accepted"
            )
        body = bytearray()
        async for part in response.aiter_raw():
            self._hold(len(part))
            body += part
            self._left -= len(part)
            if self._left < 0:
                raise RequestTooLargeError(
                    f"the images that the request has fetched have more than {self._max_total} "
                    "bytes, which is the most that is allowed here, so send fewer"
                )
            if len(body) > self._max_bytes:
                break
        return bytes(body[: self._max_bytes + 1])

    def _next(self, url: httpx.URL, response: httpx.Response) -> httpx.URL:
        target = url.join(response.headers["location"])
        if not self._is_at(target, Origin.of(url)) or target.userinfo:
            raise ImageHostError(
                f"{url.host} redirects to another place, which is not followed; give the URL of "
                "the image itself"
            )
        return target

    @staticmethod
    def _is_at(url: httpx.URL, origin: Origin) -> bool:
        try:
            return Origin.of(url) == origin
        except ValueError:  # such a host cannot be asked
            return False

    def _allowed(self, given: str) -> httpx.URL:
        try:
            url = httpx.URL(given)
            origin = Origin.of(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise ImageHostError(f"{given[:_SHOWN]!r} is not a URL: {error}") from error
        if url.userinfo:
            raise ImageHostError("a URL with a user or a password is not fetched; leave them out")
        if origin not in self._origins:
            raise ImageHostError(
                f"images are not fetched from {str(origin)[:_SHOWN]}; give the image as a data "
                "URL, or have the service's image_hosts allow it"
            )
        return url


_HEADERS = {
    "accept": "image/png, image/jpeg, image/webp, image/gif, image/bmp",
    **AS_IT_IS,
    "user-agent": "trajsim",
}
