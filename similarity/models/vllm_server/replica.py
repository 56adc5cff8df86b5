"""One server: requests sent to it, and an error for every way that it can fail."""

import asyncio
import json
import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import httpx

from similarity.answering import answered_within, awaited_trace_of
from similarity.connections import shown_address
from similarity.errors import (
    BackendKeyError,
    BackendRefusedError,
    BackendTimeoutError,
    BackendUnavailableError,
    InputError,
    ModelChangedError,
    ModelError,
    RequestRefusedError,
    WrongAnswerError,
)
from similarity.models.vllm_server.config import ENVIRONMENT_PREFIX
from similarity.models.vllm_server.passing import PassingError
from similarity.models.vllm_server.refusals import message, own_words, retry_after, sent_on
from similarity.models.vllm_server.sizes import most_bytes
from similarity.models.vllm_server.unreached import first_line, unreached
from similarity.models.vllm_server.whole import read_whole

T = TypeVar("T")

# A server that is alive answers this within a moment, whatever it is computing.
HEALTH = "/health"
HEALTH_TIMEOUT = 5.0
FORBIDDEN = 403
NOT_FOUND = 404
# No server gives it, but a proxy before one.
PROXY_KEY = 407
# Of an answer, however much was requested. Most have some tens of MiB at most.
MOST_BYTES = 2**28
OVERLOADED = frozenset({429, 502, 503, 504})
FAILED = OVERLOADED | {500}
# What was sent is too long or wrong; all other failures may be this server's alone.
OF_THE_REQUEST = frozenset({400, 413, 422})
# What vLLM's JSON encoder says of a log-probability that is NaN.
NOT_FINITE = "not JSON compliant"
# And of a prompt's token id, which a caller may give as one.
OUT_OF_VOCABULARY = "is out of vocabulary"
_TOKEN_ID = re.compile(rf"[Tt]oken id (\d{{1,20}}) {OUT_OF_VOCABULARY}")
# And of a list of more tokens than its --max-logprobs allows, 20 by default.
TOO_MANY_LISTED = "greater than max allowed"
# And where it was started without the route that takes token ids with images.
NO_SCALE_OUT = "Scale-out endpoints are disabled"


class Replica:
    """A server's address, and how it is doing; `Pool` and `Roster` keep the count.

    `busy` are the requests under way and `load` their tokens. After `failures` in a row it is
    out of service, and gets no request before `retry_at` (monotonic seconds). `relapses` counts how
    often it failed soon after it was let back in with good health. While it is `stuck`, only an
    answer to a probe that computes lets it back in; `timeouts` counts how often it became so since
    it answered a request that computes. The last such answer came at `computed_at`, after `took`
    seconds. `failing_since` is when the first request failed since one was answered. `read_at` is
    when it was last seen to read a text as at loading, and `reading` is held by whoever looks.
    """

    def __init__(self, url: str, client: httpx.AsyncClient, proxy: str | None = None) -> None:
        self.url = url
        # With the proxy between, if there is one: either may be what does not answer.
        self._way, self._no_proxy = url, ""
        if proxy is not None:
            self._way = f"{url}, asked through the proxy {shown_address(proxy)} of the environment,"
            self._no_proxy = "; NO_PROXY names the hosts that are reached without it"
        self.busy = 0
        self.load = 0
        self.failures = 0
        self.relapses = 0
        self.stuck = False
        self.timeouts = 0
        self.computed_at = -math.inf
        self.took = 0.0
        self.failing_since: float | None = None
        self.retry_at = 0.0
        self.read_at = -math.inf
        self.reading = anyio.Lock()
        self.probing = False
        # The look at a stuck server, kept here lest it be collected.
        self.look: asyncio.Task[None] | None = None
        self.last_error: ModelError | None = None
        self._client = client
        # Under which name it answered first, by the requested one: that may be an alias.
        self._names: dict[str, str] = {}

    async def request(
        self,
        path: str,
        read: Callable[[Any], T],
        body: dict[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> T:
        """Return what `read` makes of a JSON answer; a body is sent by POST, none by GET.

        Raises
        ------
        PassingError
            If the same may succeed later.
        BackendRefusedError
            If it will not; RequestRefusedError where no other server would answer it either.
        WrongAnswerError
            If the answer is not of the requested form.
        ModelChangedError
            If it names another model than the answers before.
        """
        response = await self._send(path, body, timeout)
        if not response.is_success:
            raise await self._failure(response)
        try:
            answer = json.loads(response.content)
        except (ValueError, RecursionError) as error:
            raise WrongAnswerError(
                f"{self.url} gave an answer that is not JSON ({first_line(error)}); is it a "
                "vLLM server?"
            ) from error
        self._check_name(body or {}, answer)
        try:
            return read(answer)
        except WrongAnswerError as error:
            said = own_words(response)
            # A gateway may answer so where the server behind it failed.
            what = error if said is None else f"answered {path} with an error and HTTP 200: {said}"
            error.args = (f"{self.url} {what}",)
            raise

    def _check_name(self, body: dict[str, Any], answer: Any) -> None:
        """Raise ModelChangedError if an answer names another model than those before it."""
        said = answer.get("model") if isinstance(answer, dict) else None
        if not isinstance(said, str) or "model" not in body:
            return
        first = self._names.setdefault(body["model"], said)
        if said != first:
            raise ModelChangedError(
                f"{self.url} answers as model {said!r:.80}, and answered as {first!r:.80} before; "
                "serve one model there, or load this one anew"
            )

    async def metrics(self) -> str:
        """Return the server's page of metrics, empty where it has none or gives it not in time."""
        try:
            response = await self._looked_at("/metrics")
        except PassingError:
            return ""  # nothing else needs it: what follows tells whether the server is well
        return response.text if response.is_success else ""

    async def offers(self, path: str) -> bool:
        """Return whether it has a route of this path: one that takes POST alone gives no 404."""
        return (await self._looked_at(path)).status_code != NOT_FOUND

    async def _looked_at(self, path: str) -> httpx.Response:
        """Return what it answers to GET, which may be a refusal but no failure of its own."""
        response = await self._send(path, timeout=HEALTH_TIMEOUT)
        if response.status_code in FAILED:
            raise await self._failure(response)
        return response

    async def check_healthy(self) -> None:
        """Raise PassingError, or WrongAnswerError, unless it answers and says that it is well."""
        if not (await self._send(HEALTH, timeout=HEALTH_TIMEOUT)).is_success:
            raise PassingError(BackendUnavailableError(f"{self.url} is not well; see its log"))

    async def _healthy(self) -> bool:
        try:
            await self.check_healthy()
        except (PassingError, ModelError):
            return False
        return True

    async def _send(
        self, path: str, body: dict[str, Any] | None = None, timeout: float | None = None
    ) -> httpx.Response:
        method = "GET" if body is None else "POST"
        limit = httpx.USE_CLIENT_DEFAULT if timeout is None else httpx.Timeout(timeout)
        try:
            with answered_within(timeout or self._client.timeout.read or math.inf) as begin:
                traced = {"trace": awaited_trace_of(begin)}
                sent = self._client.stream(
                    method, self.url + path, json=body, timeout=limit, extensions=traced
                )
                async with sent as response:
                    begin()
                    return await read_whole(response, self.url, min(MOST_BYTES, most_bytes(body)))
        except TimeoutError as error:
            trickled = httpx.ReadTimeout("the answer trickled in")
            raise self._timed_out(trickled, path, timeout) from error
        except httpx.TimeoutException as error:
            raise self._timed_out(error, path, timeout) from error
        except httpx.TransportError as error:
            # Of a server of TLS a proxy's refusal comes as this, with its status and words.
            if isinstance(error, httpx.ProxyError) and str(error).startswith(f"{PROXY_KEY} "):
                raise self._refused_by_proxy(str(error)) from error
            raise PassingError(
                BackendUnavailableError(unreached(self._way, self.url, error) + self._no_proxy),
                lost=True,
            ) from error
        except (httpx.HTTPError, UnicodeError) as error:  # the latter of a Location that is no URL
            raise WrongAnswerError(f"{self.url} gave no HTTP ({first_line(error)})") from error

    def _timed_out(
        self, error: httpx.TimeoutException, path: str, timeout: float | None
    ) -> PassingError:
        timeouts = self._client.timeout
        if isinstance(error, httpx.ConnectTimeout):
            what = f"{self._way} cannot be reached within {timeouts.connect:g} s"
            plain = " (http:// if it has no TLS)" if self.url.startswith("https://") else ""
            remedy = f"is the address right{plain}?{self._no_proxy}"
            return PassingError(BackendTimeoutError(f"{what}; {remedy}"))
        return PassingError(
            BackendTimeoutError(
                f"{self.url} gave no answer within {timeouts.read:g} s; raise "
                f"{ENVIRONMENT_PREFIX}READ_TIMEOUT, or see what the server is doing"
                if timeout is None
                else f"{self.url} gave no answer to {path} within {timeout:g} s; see its log"
            ),
            slow=True,
        )

    async def _failure(self, response: httpx.Response) -> Exception:
        """Return the error that an answer with a failing status stands for."""
        status, said = response.status_code, message(response)
        if (known := self._known_error(said)) is not None:
            return known
        if status in (401, 403):
            return self._refused_access(response, said)
        if status == PROXY_KEY:
            return self._refused_by_proxy(f"{status} {response.reason_phrase}")
        if status in OVERLOADED:
            what = f"{self._way} is overloaded or not ready (HTTP {status}); try again later"
            what += self._no_proxy
            return PassingError(BackendUnavailableError(what), retry_after(response))
        if status >= 500 and not await self._healthy():
            # Requests fail so while the engine behind the server dies.
            what = f"{self.url} failed (HTTP {status}: {said}); start it again"
            return PassingError(BackendUnavailableError(what), fatal=True)
        hint = "; is it a vLLM server, reached directly?" if status == NOT_FOUND else ""
        if (address := sent_on(response, self.url)) is not None:
            hint = f" and sends requests on to {address}; give that address"
        refused = RequestRefusedError if status in OF_THE_REQUEST else BackendRefusedError
        error = refused(f"{response.url} answered HTTP {status}: {said}{hint}")
        return PassingError(error, once=True) if status >= 500 else error

    def _refused_access(self, response: httpx.Response, said: str) -> BackendKeyError:
        """Return the error of a refusal that another key may end: a 403 may have other causes."""
        status = response.status_code
        key = "another API key" if "authorization" in self._client.headers else "an API key"
        answer = f"{response.url} answered HTTP {status}: {said}"
        if status == FORBIDDEN:
            advice = f"{answer}; if it wants {key}, set {ENVIRONMENT_PREFIX}API_KEY"
            return BackendKeyError(advice, answer)
        wants = f"{self.url} wants {key} (HTTP {status}); set {ENVIRONMENT_PREFIX}API_KEY"
        return BackendKeyError(wants)

    def _refused_by_proxy(self, said: str) -> BackendRefusedError:
        """Return the error of a proxy that wants a user: no waiting ends it."""
        return BackendRefusedError(
            f"{self._way} was not reached: the proxy wants a user and a password, or others (HTTP "
            f"{said}); give them in its address, as http://USER:PASSWORD@host:port{self._no_proxy}"
        )

    def _known_error(self, said: str) -> Exception | None:
        """Return the error for a message of vLLM's own; None if the message is not known."""
        if NOT_FINITE in said:
            return WrongAnswerError(
                f"{self.url} gave log-probabilities that are not finite; serve the model in "
                "another dtype"
            )
        if OUT_OF_VOCABULARY in said:
            # What else a server said is not for whoever sent the text.
            number = _TOKEN_ID.search(said)
            token = f"token id {number[1]}" if number else "a token id"
            return InputError(f"{token} {OUT_OF_VOCABULARY}; give ids of this model's vocabulary")
        if NO_SCALE_OUT in said:
            return BackendRefusedError(
                f"{self.url} does not take token ids with images; start it with --enable-scale-out"
            )
        if TOO_MANY_LISTED in said:
            return BackendRefusedError(
                f"{self.url} lists fewer of the most probable tokens ({said}); start it with so "
                "many as --max-logprobs, or ask for fewer"
            )
        return None
