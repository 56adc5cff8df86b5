"""What networks and servers do: each failure is survived, or reported as what it is."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from similarity import Law
from similarity.errors import (
    BackendRefusedError,
    BackendTimeoutError,
    BackendUnavailableError,
    InputError,
    RequestRefusedError,
    TrajsimError,
    WrongAnswerError,
)
from similarity.models.base import SampleRequest
from similarity.models.toy import ToyModel
from similarity.models.vllm_server import refusals, replica
from similarity.models.vllm_server.model import ServerModel
from tests.similarity.models.fake_server import (
    QUICK,
    FakeServer,
    Fault,
    Load,
    answers,
    raises,
    scoring,
)

NOT_FINITE = '{"error": {"message": "Out of range float values are not JSON compliant"}}'


def packed(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"content-encoding": "gzip"}, content=gzip.compress(b"{}"))


def scores_are_right(model: ServerModel) -> None:
    found = model.score(scoring(), Law())
    truth = ToyModel().score(scoring(), Law())
    assert [[list(row) for row in rows] for rows in found] == [
        [pytest.approx(list(row)) for row in rows] for rows in truth
    ]


@pytest.mark.longer
@pytest.mark.parametrize(
    "fault",
    [
        answers(429),
        answers(429, Retry_After="0"),
        answers(503, Retry_After=format_datetime(datetime.now(UTC) - timedelta(1))),
        answers(503, Retry_After="soon"),
        answers(502, "<html>bad gateway</html>"),
        raises(httpx.ReadError),
        raises(httpx.RemoteProtocolError, "peer closed connection without sending complete body"),
        raises(httpx.ConnectTimeout),
    ],
)
def test_what_passes_is_tried_again(load: Load, fault: Fault) -> None:
    server = FakeServer()
    model = load(server=server)
    server.faults.extend([fault, fault])
    scores_are_right(model)
    assert len(server.bodies) == 3


@pytest.mark.longer
@pytest.mark.parametrize(
    ("fault", "error", "match"),
    [
        (answers(404, '{"detail": "Not Found"}'), BackendRefusedError, "HTTP 404"),
        (answers(301, Location="http://elsewhere"), BackendRefusedError, "HTTP 301"),
        (answers(400, "Token id 999 is out of vocabulary"), InputError, "^token id 999 is out of"),
        (answers(400, "At 10.1.2.3: it is out of vocabulary"), InputError, "^a token id is out of"),
        (answers(401), BackendRefusedError, "TRAJSIM_VLLM_API_KEY"),
        (answers(400, NOT_FINITE), WrongAnswerError, "not finite"),
        (answers(200, '{"choices": [{"ind'), WrongAnswerError, "not JSON"),
        (answers(200, ""), WrongAnswerError, "not JSON"),
        (answers(200, "[" * 300_000), WrongAnswerError, "not JSON"),
        (answers(200, "[1, 2]"), WrongAnswerError, "another shape"),
        (raises(httpx.ReadTimeout), BackendTimeoutError, "READ_TIMEOUT"),
        (packed, WrongAnswerError, "answered HTTP 200 compressed by 'gzip', though it was asked"),
        (raises(httpx.TooManyRedirects), WrongAnswerError, "gave no HTTP"),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_pass_is_asked_once(
    load: Load, fault: Fault, error: type[TrajsimError], match: str
) -> None:
    server = FakeServer()
    model = load(server=server)
    server.faults.append(fault)
    with pytest.raises(error, match=match):
        model.score(scoring(), Law())
    assert len(server.bodies) == 1
    scores_are_right(model)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_not_sent_again(load: Load, status: int) -> None:
    server = FakeServer()
    model = load(server=server)
    server.faults.append(answers(status, '{"error": {"message": "too long"}}'))
    with pytest.raises(RequestRefusedError, match=f"HTTP {status}: too long"):
        model.score(scoring(), Law())
    # The other is of a short text, by which it is seen that not all are refused.
    sent, short = (body["prompt"] for body in server.bodies)
    assert len(short) == 1
    assert short[0] in sent
    scores_are_right(model)


def test_a_storm_ends_in_an_error(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    server.faults.extend([answers(429)] * 50)
    with pytest.raises(BackendUnavailableError, match="HTTP 429"):
        model.score(scoring(), Law())
    assert len(server.bodies) == QUICK.attempts
    server.faults.clear()
    scores_are_right(model)


def test_a_long_wish_to_be_left_alone_is_an_error_at_once(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    server.faults.append(answers(503, Retry_After="3600"))
    with pytest.raises(BackendUnavailableError, match="HTTP 503") as told:
        model.score(scoring(), Law())
    assert len(server.bodies) == 1
    # It was left alone for five minutes, though well again, and told for one second.
    assert told.value.retry_after == QUICK.patience
    scores_are_right(model)


@pytest.mark.parametrize("wish", ["99999999999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_absurd_wish_does_not_end_the_use_of_a_server(wish: str) -> None:
    response = httpx.Response(503, headers={"retry-after": wish})
    assert refusals.retry_after(response) == refusals.LONGEST_PAUSE


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("https://other:8443/v1/models", "https://other:8443"),
        ("https://user:secret@other/v1/models", "https://…@other"),
        ("/base/v1/models", "http://server:8000/base"),
        ("https://sign-in/?then=secret", "https://sign-in/?…"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_server_that_sends_requests_on_is_named(
    load: Load, status: int, location: str, named: str
) -> None:
    """The message had the status alone."""

    class Moved(FakeServer):
        async def handle(self, _request: httpx.Request) -> httpx.Response:
            return httpx.Response(status, headers={"location": location})

    with pytest.raises(BackendRefusedError) as raised:
        load(server=Moved())
    said = str(raised.value)
    assert f"HTTP {status}" in said
    assert f"sends requests on to {named}" in said
    assert said.endswith("; give that address")
    assert said.isprintable()
    assert "secret" not in said


def test_an_answer_without_end_is_not_held(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    model = load(server=server)
    monkeypatch.setattr(replica, "MOST_BYTES", 2000)
    server.faults.append(answers(200, "x" * 3000))
    with pytest.raises(WrongAnswerError, match="answered more than .* MiB; is it a vLLM server"):
        model.score(scoring(), Law())


def test_of_an_endless_answer_no_more_is_held_than_was_asked_for(load: Load) -> None:
    server, part, held = FakeServer(), b"x" * 2**20, 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal held
        while True:
            held += len(part)
            yield part

    model = load(server=server)
    server.faults.append(lambda _: httpx.Response(200, content=parts()))
    with pytest.raises(WrongAnswerError, match="answered more than 4 MiB"):
        model.score(scoring(), Law())
    assert held <= 8 * 2**20


def trickle(_: httpx.Request) -> httpx.Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    return httpx.Response(200, content=parts())


@pytest.mark.longer
def test_an_answer_that_trickles_in_is_late(load: Load) -> None:
    """The time between two parts is always short, and the answer never whole."""
    server = FakeServer()
    model = load(replace(QUICK, read_timeout=0.3), server=server)
    server.faults += [trickle] * 20
    with pytest.raises(BackendTimeoutError, match=r"gave no answer within 0\.3 s"):
        model.score(scoring(), Law())


@pytest.mark.longer
def test_a_refusal_that_is_nested_too_deeply_is_no_crash(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    server.faults.append(answers(418, "[" * 200_000))
    with pytest.raises(BackendRefusedError, match="HTTP 418"):
        model.score(scoring(), Law())


@pytest.mark.longer
def test_a_dead_server_and_its_return(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    server.down = True
    with pytest.raises(BackendUnavailableError, match="does not answer"):
        model.score(scoring(), Law())
    with pytest.raises(BackendUnavailableError, match="does not answer"):
        model.encode("a")
    server.down = False
    scores_are_right(model)


@pytest.mark.longer
def test_whether_a_server_is_alive(load: Load) -> None:
    servers = {name: FakeServer() for name in "ab"}
    model = load(**servers)
    model.check_alive()
    servers["a"].down = True
    model.check_alive()
    servers["b"].down = True
    with pytest.raises(BackendUnavailableError, match="http://a:8000, http://b:8000"):
        model.check_alive()


def test_no_server_at_the_start(load: Load) -> None:
    server = FakeServer()
    server.down = True
    with pytest.raises(BackendUnavailableError, match="start it, or give another address"):
        load(server=server)


@pytest.mark.longer
def test_a_call_has_its_time(load: Load) -> None:
    server = FakeServer()
    model = load(replace(QUICK, call_timeout=2.0), server=server)
    server.waits = asyncio.Event()
    with pytest.raises(BackendTimeoutError, match="CALL_TIMEOUT"):
        model.score(scoring(), Law())
    # What waits now is a look at whether the server computes at all.
    assert server.cancelled == 1


@pytest.mark.longer
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_call_ends_its_requests(load: Load, interrupt: type[Exception]) -> None:
    server = FakeServer()
    model = load(server=server)
    server.waits = asyncio.Event()
    requests = [SampleRequest(prefix=(65,), n=2, max_tokens=3, key=key) for key in range(7)]

    def stop(_finished: int) -> None:
        if server.waiting == 7:
            raise interrupt

    with pytest.raises(interrupt):
        model.sample(requests, Law(), stop)
    model.close()
    assert (server.cancelled, server.waiting) == (7, 0)


class TestReplicas:
    @pytest.mark.longer
    def test_share_the_work(self, load: Load) -> None:
        servers = {name: FakeServer() for name in "abc"}
        model = load(replace(QUICK, request_tokens=20), **servers)
        scores_are_right(model)
        assert all(server.bodies for server in servers.values())

    @pytest.mark.longer
    def test_one_dies_and_nothing_is_lost_or_done_twice(self, load: Load) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(replace(QUICK, request_tokens=20), **servers)
        servers["a"].faults.append(raises(httpx.ReadError))
        servers["a"].down = True
        scores_are_right(model)
        probe = [*model.identity.probe.prefix, *model.identity.probe.continuation]
        scored = [tuple(prompt) for prompt in servers["b"].scored if prompt != probe]
        wanted = {request.prefix + ids for request in scoring() for ids in request.continuations}
        assert len(scored) == len(set(scored))
        assert set(scored) == wanted

    @pytest.mark.longer
    def test_one_comes_back(self, load: Load) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(replace(QUICK, request_tokens=20), **servers)
        servers["a"].down = True
        scores_are_right(model)
        servers["a"].down = False
        servers["b"].down = True
        scores_are_right(model)
        assert servers["a"].scored

    @pytest.mark.longer
    def test_one_that_is_down_at_the_start_may_come_later(self, load: Load) -> None:
        servers = {name: FakeServer() for name in "ab"}
        servers["a"].down = True
        model = load(**servers)
        scores_are_right(model)
        servers["a"].down, servers["b"].down = False, True
        scores_are_right(model)

    @pytest.mark.longer
    def test_one_that_serves_something_else_stays_out(self, load: Load) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(**servers)
        servers["a"].down = True
        scores_are_right(model)
        servers["a"].down, servers["a"].names = False, ["other"]
        servers["a"].bodies.clear()
        scores_are_right(model)
        assert servers["a"].bodies == []

    @pytest.mark.longer
    def test_a_slow_one_is_relieved(self, load: Load) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(**servers)
        servers["a"].faults.append(raises(httpx.ReadTimeout))
        servers["b"].faults.append(raises(httpx.ConnectError))
        scores_are_right(model)


def test_one_request_that_failed_at_a_server_that_is_well_is_sent_once_more(load: Load) -> None:
    """One such failure of hundreds ended the reading of the general texts."""
    server = FakeServer()
    model = load(server=server)
    server.faults.append(answers(500, "it broke"))
    scores_are_right(model)
    assert len(server.bodies) == 2
    server.faults.extend([answers(500, "it broke")] * 2)
    with pytest.raises(BackendRefusedError, match="HTTP 500: it broke"):
        model.score(scoring(), Law())
    assert len(server.bodies) == 4
    assert not server.faults
    scores_are_right(model)


def test_an_api_key_is_sent(load: Load) -> None:
    server = FakeServer()
    server.key = "secret"
    scores_are_right(load(replace(QUICK, api_key="secret"), server=server))
    with pytest.raises(BackendRefusedError, match="TRAJSIM_VLLM_API_KEY"):
        load(server=server)
    assert "secret" not in repr(replace(QUICK, api_key="secret"))


def test_an_engine_that_dies_under_its_server(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)

    def dies(request: httpx.Request) -> httpx.Response:
        server.down = True
        return httpx.Response(500, text="EngineCore encountered an issue", request=request)

    server.faults.append(dies)
    with pytest.raises(BackendUnavailableError, match="EngineCore"):
        model.score(scoring(), Law())
