"""The Python client, in both kinds, and public clients of the dialects."""

import asyncio
import copy
import inspect
import itertools
import json
import pickle
import ssl
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cohere
import httpx
import numpy as np
import pytest
from huggingface_hub import InferenceClient

from service.client import (
    ApiError,
    AsyncClient,
    Client,
    NotReachedError,
    UnexpectedAnswerError,
    calls,
)
from similarity import ComparisonConfig, compare
from similarity.errors import ConfigError, InputError
from similarity.models.toy import ToyModel
from tests.service.servers import running
from tests.similarity.models.test_vllm_tls import CERTIFICATES, serving, trust
from tests.trickling import TRICKLES, trickling

SMALL = {"n_trajectories": 3, "max_tokens": 5}


@pytest.fixture(scope="module")
def url():
    with running(ToyModel()) as address:
        yield address


def test_every_method(ask, url):
    expected = compare(ToyModel(), "a b", "c d", ComparisonConfig.build(**SMALL))
    score = ask("similarity", [("a b", "c d")], url=url, explain=2, **SMALL)[0]
    assert (score.similarity, score.distance) == (expected.similarity, expected.distance)
    assert (score.scale, len(score.continuations)) == ("none", 2)
    assert score.continuations[0].tokens >= 1
    scores = ask("one_to_many", "a b", ["c d", "a b"], url=url, **SMALL)
    assert [s.distance for s in scores] == [expected.distance, 0.0]
    assert "море" in ask("similarity", [("a b", "море")], url=url)[0].warnings[0]
    matrix = ask("matrix", ["a b"], ["c d"], url=url, **SMALL)
    assert matrix.scale == "none"
    assert matrix.distances == [[pytest.approx(expected.distance)]]
    ranked = ask("rerank", "a b", ["c d", "a b"], top_n=1, url=url)
    assert [r.index for r in ranked] == [1]
    sampled = ask("trajectories", ["a b"], url=url, **SMALL)
    assert sampled[0][0].text == expected.trajectories[0].text
    rows = ask("likelihoods", ["a b"], [" c", sampled[0][0].token_ids], url=url)
    assert rows[0][1] == pytest.approx(sampled[0][0].log_likelihood)


def test_errors_carry_status_code_and_request_id(ask, url):
    with pytest.raises(ApiError, match="only white space") as caught:
        ask("similarity", [("a", " ")], url=url)
    assert (caught.value.status, caught.value.code) == (422, "invalid_request")
    assert caught.value.request_id


class Scripted:
    """A transport that gives answers in order and counts requests."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def transport(self):
        return httpx.MockTransport(self)


RANKED = {"index": 0, "relevance_score": 1.0}
ABOUT = {"model": "toy", "usage": {}}
OK = {**ABOUT, "results": [RANKED]}


@pytest.fixture
def waits(monkeypatch):
    """Record the waits of both kinds, without waiting."""
    recorded = []

    async def sleep(seconds):
        recorded.append(seconds)

    monkeypatch.setattr("httpx_retries.retry.time", SimpleNamespace(sleep=recorded.append))
    monkeypatch.setattr("httpx_retries.retry.asyncio", SimpleNamespace(sleep=sleep))
    return recorded


def test_it_waits_as_long_as_the_answer_says(ask, waits):
    scripted = Scripted(
        httpx.Response(429, headers={"retry-after": "7"}),
        httpx.Response(503, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        httpx.Response(200, json=OK),
    )
    assert ask("rerank", "a", ["b"], transport=scripted.transport)
    assert 7 <= waits[0] < 8
    assert 0 <= waits[1] < 2


def test_it_waits_longer_than_by_itself_where_the_answer_says_so(ask, waits):
    """It came after 60 seconds."""
    busy = httpx.Response(503, headers={"retry-after": "200"})
    scripted = Scripted(busy, *[httpx.Response(503) for _ in range(20)])
    with pytest.raises(ApiError):
        ask("rerank", "a", ["b"], transport=scripted.transport, retries=20)
    assert 200 <= waits[0] < 201
    assert max(waits[1:]) <= 60


def test_it_gives_up_after_its_retries(ask, waits):
    scripted = Scripted(*[httpx.Response(429) for _ in range(3)])
    with pytest.raises(ApiError) as caught:
        ask("rerank", "a", ["b"], transport=scripted.transport)
    assert caught.value.status == 429
    assert len(scripted.requests) == 3
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1


def test_it_tries_again_after_broken_connections_and_says_so_in_the_end(ask, waits):
    scripted = Scripted(httpx.ConnectError("refused"), httpx.Response(200, json=OK))
    assert ask("rerank", "a", ["b"], transport=scripted.transport)
    scripted = Scripted(*[httpx.ReadError("broken") for _ in range(3)])
    with pytest.raises(NotReachedError, match="3 attempts"):
        ask("rerank", "a", ["b"], transport=scripted.transport)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:8501",
        "ftp://127.0.0.1",
        "test",
        "",
        "http://",
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://127.0.0.1/?a=1",
        "http://127.0.0.1/#a",
        None,
    ],
)
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_an_address_that_is_none_is_refused_at_once(client, address):
    with pytest.raises(ConfigError, match="is not the address of a service; give one such as"):
        client(address)


def test_an_address_may_have_a_path(ask):
    scripted = Scripted(httpx.Response(200, json=OK))
    ask("rerank", "a", ["b"], url="https://test/below/it/", transport=scripted.transport)
    assert str(scripted.requests[0].url) == "https://test/below/it/v2/rerank"


@pytest.mark.parametrize(
    ("method", "args", "said"),
    [
        ("similarity", (["ab"],), "a pair must be two texts, got 'ab'"),
        ("similarity", ("ab",), "pairs must be a list of pairs of texts, got 'ab'"),
        ("similarity", ([None],), "a pair must be two texts, got None"),
        ("one_to_many", ("a", "A dog"), "targets must be a list of them, got 'A dog'"),
        ("matrix", ("A dog",), "rows must be a list of them, got 'A dog'"),
        ("matrix", (["a"], "A dog"), "columns must be a list of them, got 'A dog'"),
        ("rerank", ("a", "A dog"), "documents must be a list of them, got 'A dog'"),
        ("trajectories", ("A dog",), "texts must be a list of them, got 'A dog'"),
        ("likelihoods", ("A dog", ["a"]), "texts must be a list of them, got 'A dog'"),
        ("likelihoods", (["a"], "A dog"), "continuations must be a list of them, got 'A dog'"),
    ],
)
def test_one_text_is_no_list_of_its_letters(ask, method, args, said):
    scripted = Scripted()
    with pytest.raises(InputError, match=f"^{said}$"):
        ask(method, *args, transport=scripted.transport)
    assert not scripted.requests


@pytest.mark.parametrize(
    ("method", "args", "settings", "said"),
    [
        ("similarity", ([(b"A dog", "b")],), {}, "got bytes: b'A dog'; decode bytes"),
        ("similarity", ([("a", {"b"})],), {}, "got set: {'b'}"),
        ("one_to_many", (b"A dog", ["b"]), {}, "got bytes: b'A dog'"),
        ("rerank", (b"A dog", ["b"]), {}, "got bytes: b'A dog'"),
        ("matrix", (["a", b"A dog"],), {}, "got bytes: b'A dog'"),
        ("matrix", (["a"],), {"seed": np.array([3])}, r"got ndarray: .*give \.tolist\(\)"),
        ("trajectories", ([Path("a")],), {}, "got PosixPath: PosixPath"),
        ("likelihoods", (["a"], [3]), {}, "token ids of a continuation must be a list of them"),
        # Their bytes were taken for token ids, and for texts.
        ("likelihoods", (["a"], [b"ab"]), {}, "token ids of a continuation must be a list of them"),
        ("rerank", ("a", bytearray(b"ab")), {}, "documents must be a list of them, got bytearray"),
    ],
)
def test_what_cannot_be_sent_is_told_in_plain_words(ask, method, args, settings, said):
    """json's own TypeError said neither what it was nor what to give."""
    scripted = Scripted()
    with pytest.raises(InputError, match=said):
        ask(method, *args, transport=scripted.transport, **settings)
    assert not scripted.requests


@pytest.mark.parametrize(
    ("method", "args", "settings", "body"),
    [
        (
            "matrix",
            (["a"],),
            {"seed": np.int64(3), "temperature": np.float32(0.5)},
            {"rows": ["a"], "seed": 3, "temperature": 0.5},
        ),
        (
            "similarity",
            ([("a", "b")],),
            {"explain": np.uint8(2), "interval": Fraction(1, 2)},
            {"pairs": [["a", "b"]], "explain": True, "top": 2, "interval": 0.5},
        ),
        (
            "likelihoods",
            (["a"], [np.array([1, 2])]),
            {},
            {"texts": ["a"], "continuations": [[1, 2]]},
        ),
        (
            "rerank",
            ("a", ["b", "c"]),
            {"top_n": np.int8(1)},
            {"query": "a", "documents": ["b", "c"], "top_n": 1},
        ),
    ],
)
def test_a_number_of_any_kind_is_sent(ask, method, args, settings, body):
    """Those of NumPy were refused."""
    scripted = Scripted(httpx.Response(418))
    with pytest.raises(ApiError):
        ask(method, *args, transport=scripted.transport, **settings)
    (request,) = scripted.requests
    assert json.loads(request.content) == body


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"api_key": b"secret"}, "^api_key must be a string, got bytes$"),
        ({"api_key": 5}, "^api_key must be a string, got int$"),
        ({"timeout": "5"}, "^timeout must be a finite number, got '5'$"),
        ({"timeout": None}, "^timeout must be a finite number, got None$"),
        ({"timeout": 0}, "^timeout must be between 0.001 and 1e"),
        ({"retries": "5"}, "^retries must be a whole number, got '5'$"),
        ({"retries": -1}, "^retries must be between 0 and 1000, got -1$"),
    ],
)
def test_a_client_is_not_made_with_what_fails_at_its_first_call(client, options, said):
    with pytest.raises(ConfigError, match=said):
        client(**options)


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("http://test/v1", "http://test/v2/rerank"),
        ("http://test/v1/", "http://test/v2/rerank"),
        ("http://test//", "http://test/v2/rerank"),
        ("http://test//v1//", "http://test/v2/rerank"),
        ("http://test/below//", "http://test/below/v2/rerank"),
        ("https://test/below/v1/", "https://test/below/v2/rerank"),
        ("https://test/a%2Fb/v1", "https://test/a%2Fb/v2/rerank"),
        ("http://test/v1/below", "http://test/v1/below/v2/rerank"),
        ("http://test/av1", "http://test/av1/v2/rerank"),
    ],
)
def test_an_address_may_end_as_that_of_openais_clients(ask, given, called):
    """Each call was answered 404: of /v1/v2/rerank."""
    scripted = Scripted(httpx.Response(200, json=OK))
    ask("rerank", "a", ["b"], url=given, transport=scripted.transport)
    assert str(scripted.requests[0].url) == called


def test_texts_may_come_one_by_one(ask, url):
    assert len(ask("matrix", iter(["a", "b"]), iter(["c"]), url=url, **SMALL).distances) == 2


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_client_is_of_one_process(client):
    made = client()
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="make one in each process"):
            copied(made)


def test_a_client_that_was_closed_says_so(url):
    closed = Client(url)
    closed.close()
    with pytest.raises(RuntimeError, match="^this client was closed; make another one$"):
        closed.rerank("a", ["b"])

    async def run():
        async with AsyncClient(url) as client:
            pass
        await client.rerank("a", ["b"])

    with pytest.raises(RuntimeError, match="^this client was closed; make another one$"):
        asyncio.run(run())


def test_an_async_client_is_of_one_event_loop():
    # So a kept connection fails whose loop has ended.
    scripted = Scripted(RuntimeError("Event loop is closed"))
    client = AsyncClient(transport=scripted.transport)
    with pytest.raises(RuntimeError, match="sends in one event loop alone; make one in each"):
        asyncio.run(client.rerank("a", ["b"]))


def test_a_certificate_that_is_not_accepted_is_tried_once(ask, waits, monkeypatch):
    trust(monkeypatch, None)
    with (
        serving("well") as place,
        pytest.raises(NotReachedError, match="certificate of https://.*PEM file in SSL_CERT_FILE"),
    ):
        ask("rerank", "a", ["b"], url=f"https://{place}")
    assert not waits


def test_half_a_character_is_refused_by_the_service_which_says_where(ask, url):
    with pytest.raises(ApiError, match=r"pairs\[0\]\[1\]") as caught:
        ask("similarity", [("море 🙂", "b \ud83d")], url=url)
    assert caught.value.status == 422


@pytest.mark.parametrize("status", [400, 401, 413, 422, 500, 504])
def test_it_does_not_try_again_what_cannot_get_better(ask, status):
    scripted = Scripted(httpx.Response(status, text="<html>"))
    with pytest.raises(ApiError) as caught:
        ask("rerank", "a", ["b"], transport=scripted.transport)
    assert (caught.value.status, caught.value.code) == (status, "http_error")


class Parts(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in parts; an exception among them breaks it off."""

    def __init__(self, *parts):
        self.parts = parts

    def __iter__(self):
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part

    async def __aiter__(self):
        for part in self:
            yield part


def test_an_answer_that_breaks_off_is_asked_for_again(ask, waits):
    broken = httpx.Response(200, stream=Parts(b'{"resu', httpx.ReadError("broken")))
    scripted = Scripted(broken, httpx.Response(200, json=OK))
    assert ask("rerank", "a", ["b"], transport=scripted.transport)
    assert len(scripted.requests) == 2


@pytest.mark.parametrize(
    "said", ["1000000000", "Fri, 31 Dec 2999 23:59:59 GMT"], ids=["seconds", "date"]
)
def test_it_does_not_wait_for_years(ask, waits, said):
    busy = httpx.Response(503, headers={"retry-after": said})
    scripted = Scripted(busy, httpx.Response(200, json=OK))
    assert ask("rerank", "a", ["b"], transport=scripted.transport)
    assert 0 < waits[0] < 301


# Some are dates without a zone, as in the oldest form that HTTP has, or of years beyond all.
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0.5", None),
        ("-5", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
        ("Sun Nov  6 08:49:37 1994", 0),
        (" 7 ", 7),
    ],
)
def test_a_time_to_come_again_that_is_none_is_not_spoken_of(
    ask, waits, said, seconds, capfd, caplog
):
    """It was printed on the caller's terminal, and a year beyond all ended the call."""
    busy = [httpx.Response(503, headers={"retry-after": said}) for _ in range(3)]
    with caplog.at_level("WARNING"), pytest.raises(ApiError) as caught:
        ask("rerank", "a", ["b"], transport=Scripted(*busy).transport)
    assert caught.value.retry_after == seconds
    assert len(waits) == 2
    assert all((seconds or 0) <= wait < 60 for wait in waits)
    assert (caplog.records, *capfd.readouterr()) == ([], "", "")


SCORE = '{"similarity": 0.5, "distance": 1.0}'
OF_ALL = '"model": "toy", "usage": {}, "scale": "none"'


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        b"\xff\xfe{",
        "null",
        "[]",
        "[" * 100_000,
        '{"a": 1}',
        f'{{"results": [], {OF_ALL}}}',
        f'{{"results": [{SCORE}, {SCORE}], {OF_ALL}}}',
        f'{{"results": [{{"similarity": "0.5", "distance": 1}}], {OF_ALL}}}',
        f'{{"results": [{{"similarity": null, "distance": 1}}], {OF_ALL}}}',
        f'{{"results": [{{"similarity": true, "distance": 1}}], {OF_ALL}}}',
        f'{{"results": [{{"similarity": NaN, "distance": 1}}], {OF_ALL}}}',
        f'{{"results": [{{"similarity": 1e999, "distance": 1}}], {OF_ALL}}}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_cannot_be_an_answer_of_the_service_is_said_to_be_none(ask, body):
    scripted = Scripted(httpx.Response(200, content=body))
    with pytest.raises(UnexpectedAnswerError, match="see whether its URL is right"):
        ask("similarity", [("a", "b")], transport=scripted.transport)


@pytest.mark.parametrize(
    ("method", "args", "answer"),
    [
        ("matrix", (["a", "b"],), {"similarities": [[1]], "distances": [[0]], "scale": "none"}),
        ("likelihoods", (["a"], ["b", "c"]), {"log_likelihoods": [[-1.0]]}),
        ("trajectories", (["a", "b"],), {"trajectories": [[]]}),
        ("rerank", ("q", ["a", "b"]), {"results": []}),
        ("rerank", ("q", ["a", "b"]), {"results": [RANKED, RANKED]}),
        ("rerank", ("q", ["a", "b"]), {"results": [RANKED, {**RANKED, "index": 2}]}),
        ("rerank", ("q", ["a", "b"]), {"results": [RANKED, {**RANKED, "index": "1"}]}),
        ("rerank", ("q", ["a", "b"], 1), {"results": [RANKED, {**RANKED, "index": 1}]}),
    ],
)
def test_an_answer_to_other_texts_is_none(ask, method, args, answer):
    scripted = Scripted(httpx.Response(200, json={**ABOUT, **answer}))
    with pytest.raises(UnexpectedAnswerError, match="list of . items|documents|twice|whole number"):
        ask(method, *args, transport=scripted.transport)


def test_an_answer_without_end_is_given_up(ask, monkeypatch):
    monkeypatch.setattr("service.client.reading.MAX_BYTES", 100_000)
    read = []

    def endless():
        while len(read) < 1000:
            read.append(1)
            yield b" " * 1_000

    answer = httpx.Response(200, stream=Parts())
    answer.stream.parts = endless()
    with pytest.raises(UnexpectedAnswerError, match="more than 100000 bytes"):
        ask("rerank", "a", ["b"], transport=Scripted(answer).transport)
    assert len(read) == 101


class Unread(httpx.SyncByteStream, httpx.AsyncByteStream):
    """What would take much memory if it were read."""

    def __iter__(self):
        raise AssertionError("it was read")

    def __aiter__(self):
        raise AssertionError("it was read")


@pytest.mark.parametrize("status", [200, 404, 503])
@pytest.mark.parametrize("kind", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, deflate"])
def test_a_compressed_answer_is_refused_unread(ask, status, kind):
    """A zstd answer of 60 KB took gigabytes before its size was looked at."""
    answer = httpx.Response(status, headers={"content-encoding": kind}, stream=Unread())
    scripted = Scripted(answer)
    with pytest.raises(UnexpectedAnswerError, match=f"it is compressed by '{kind}', though"):
        ask("rerank", "a", ["b"], transport=Unconsumed(scripted))
    assert scripted.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("value", ["München".encode(), b"\xb2"])
@pytest.mark.parametrize("name", [b"x-served-by", b"Retry-After"])
def test_a_header_may_have_any_bytes(ask, name, value, url):
    """A proxy's own header of a right answer ended in a UnicodeEncodeError."""

    def pass_on(request):
        answer = httpx.post(request.url, content=request.content, headers=request.headers)
        return httpx.Response(200, headers=[(name, value)], content=answer.content)

    expected = compare(ToyModel(), "a b", "c d", ComparisonConfig.build(**SMALL))
    transport = httpx.MockTransport(pass_on)
    (score,) = ask("similarity", [("a b", "c d")], url=url, transport=transport, **SMALL)
    assert score.similarity == expected.similarity


class Unconsumed(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Gives answers as a network does: not read to their ends, as `MockTransport` does."""

    def __init__(self, scripted):
        self.handle_request = scripted

    async def handle_async_request(self, request):
        return self.handle_request(request)


@pytest.mark.parametrize("way", ["direct", "proxied", "tunnelled"])
@pytest.mark.parametrize("what", TRICKLES)
def test_an_answer_that_trickles_in_from_its_head_on_is_late(way, what):
    """The limit of httpx is between two reads, and the head had no other."""
    with trickling(what) as address:
        here = f"http://{address}"
        url = {"direct": here, "proxied": "http://a.test", "tunnelled": "https://a.test"}[way]
        proxy = None if way == "direct" else here
        began = time.monotonic()
        with (
            Client(
                url, timeout=0.3, retries=0, transport=httpx.HTTPTransport(proxy=proxy)
            ) as client,
            pytest.raises(NotReachedError),
        ):
            client.rerank("a", ["b"])
        transport = httpx.AsyncHTTPTransport(proxy=proxy)

        async def awaited():
            async with AsyncClient(url, timeout=0.3, retries=0, transport=transport) as client:
                await client.rerank("a", ["b"])

        with pytest.raises(NotReachedError):
            asyncio.run(awaited())
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("what", TRICKLES)
def test_an_answer_under_tls_that_trickles_in_is_late(what, monkeypatch):
    trust(monkeypatch, "well")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "well.pem")
    with trickling(what, context) as address:
        began = time.monotonic()
        with (
            Client(f"https://{address}", timeout=0.5, retries=0) as client,
            pytest.raises(NotReachedError, match=r"more than 0\.5 s|timed out|trickled in"),
        ):
            client.rerank("a", ["b"])
        assert time.monotonic() - began < 3


def test_reads_of_others_on_a_transport_of_ones_own_are_not_cut_off():
    with trickling("body") as address:
        transport = httpx.HTTPTransport()
        with Client(f"http://{address}", timeout=0.3, retries=0, transport=transport) as client:
            with pytest.raises(NotReachedError):
                client.rerank("a", ["b"])
            other = httpx.Client(transport=transport, timeout=5)
            with other.stream("GET", f"http://{address}") as response:
                parts = response.iter_raw(1)
                assert b"".join(next(parts) for _ in range(40)) == b" " * 40


def test_an_answer_that_trickles_in_is_late(ask, waits, monkeypatch):
    ticks = itertools.count(0, 100)
    monkeypatch.setattr(
        "service.client.reading.time", SimpleNamespace(monotonic=lambda: next(ticks))
    )
    answers = [httpx.Response(200, stream=Parts(*[b" "] * 10)) for _ in range(3)]
    with pytest.raises(NotReachedError, match="3 attempts: ReadTimeout.*more than 330 seconds"):
        ask("rerank", "a", ["b"], transport=Scripted(*answers).transport)


def test_it_sends_its_key():
    scripted = Scripted(httpx.Response(200, json=OK))
    with Client("http://test", api_key="secret", transport=scripted.transport) as client:
        client.rerank("a", ["b"])
    assert scripted.requests[0].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_key_is_sent_as_a_header_carries_it_or_refused(client):
    made = client(api_key="secret\n")
    assert made._http.headers["authorization"] == "Bearer secret"
    assert "authorization" not in client(api_key="\n")._http.headers
    for key in ("“secret”", "sec\nret"):
        with pytest.raises(ConfigError, match="^api_key has the character") as caught:
            client(api_key=key)
        assert "sec" not in str(caught.value)


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize(
    "name",
    ["similarity", "one_to_many", "matrix", "rerank", "trajectories", "likelihoods"],
)
def test_help_shows_what_a_method_takes(client, name):
    method, builder = getattr(client, name), getattr(calls, name)
    parameters = inspect.signature(method).parameters
    assert list(parameters) == ["self", *inspect.signature(builder).parameters]
    assert method.__doc__ == builder.__doc__
    assert (method.__name__, method.__qualname__) == (name, f"{client.__name__}.{name}")


def test_it_needs_neither_a_web_framework_nor_torch():
    program = (
        "import sys, service.client; "
        "print(sorted({'fastapi', 'torch', 'starlette', 'uvicorn', 'pydantic'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_hugging_faces_client_of_sentence_similarity(url):
    client = InferenceClient(f"{url}/similarity")
    scores = client.sentence_similarity("a b", other_sentences=["c d", "a b"])
    assert scores == [compare(ToyModel(), "a b", "c d").similarity, 1.0]


@pytest.mark.parametrize("make", [cohere.Client, cohere.ClientV2])
def test_coheres_client(url, make):
    with httpx.Client() as connections:
        client = make(api_key="any", base_url=url, httpx_client=connections)
        answer = client.rerank(model="any", query="a b", documents=["c d", "a b"], top_n=2)
    assert [(r.index, r.relevance_score) for r in answer.results] == [
        (1, 1.0),
        (0, compare(ToyModel(), "a b", "c d").similarity),
    ]


def test_hugging_faces_client_by_the_address_alone(url):
    client = InferenceClient(url)
    scores = client.sentence_similarity("a b", other_sentences=["c d", "a b"])
    assert scores == [compare(ToyModel(), "a b", "c d").similarity, 1.0]
