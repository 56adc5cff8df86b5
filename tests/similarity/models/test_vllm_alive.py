"""Whether servers are alive: a slow answer or a lost connection does not mean that one is not."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from similarity import Law
from similarity.errors import BackendKeyError, BackendUnavailableError, ModelChangedError
from similarity.models.vllm_server import alive, roster
from tests.similarity.models.fake_server import (
    QUICK,
    FakeServer,
    Load,
    answers,
    raises,
    scoring,
)
from tests.similarity.models.test_vllm_failures import scores_are_right
from tests.similarity.models.test_vllm_replicas import always, wrong_key, wrong_name

pytestmark = pytest.mark.longer

LOOKED_AT = ["/health", "/v1/models", "/tokenize"]


class Troubled(FakeServer):
    """A server that answers after `delay` seconds, and breaks off the next answers of a path."""

    delay = 0.0
    path = ""
    broken = 0

    async def handle(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self.delay)
        if request.url.path == self.path and self.broken:
            self.broken -= 1
            raise httpx.RemoteProtocolError("Server disconnected", request=request)
        return await super().handle(request)


@pytest.mark.parametrize("path", LOOKED_AT)
def test_one_lost_connection_of_a_look_is_no_sign_of_death(
    load: Load, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service refused everything for a second after each."""
    monkeypatch.setattr(roster, "READING_SECONDS", 0.0)
    server = Troubled()
    model = load(server=server)
    server.path, server.broken = path, 1
    model.check_alive()
    assert server.broken == 0
    server.broken = 2
    with pytest.raises(BackendUnavailableError, match="Server disconnected"):
        model.check_alive()


def test_a_server_of_slow_answers_is_alive(load: Load) -> None:
    """Its three answers, one after another, took longer than the look."""
    server = Troubled()
    model = load(server=server)
    (slow,) = model._pool.replicas
    slow.read_at = -math.inf
    server.delay = 0.4 * alive.ALIVE_SECONDS
    model.check_alive()


def test_a_late_look_is_no_sign_of_death_while_the_server_computes(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Troubled()
    model = load(server=server)
    monkeypatch.setattr(alive, "ALIVE_SECONDS", 0.2)
    server.delay = 1000.0
    with pytest.raises(BackendUnavailableError, match=r"nothing within 0\.2 s"):
        model.check_alive()
    (computing,) = model._pool.replicas
    computing.computed_at = time.monotonic() + 100
    model.check_alive()
    server.down, server.delay = True, 0.0
    with pytest.raises(BackendUnavailableError, match="does not answer"):
        model.check_alive()


@pytest.mark.parametrize("fault", [raises(httpx.ReadError), answers(503), answers(502)])
def test_a_server_that_fails_all_requests_uses_up_no_attempts_beside_a_well_one(
    load: Load, fault: Callable[[httpx.Request], httpx.Response]
) -> None:
    """As it looked idle it got each of them again, until it was given up."""
    servers = {name: FakeServer() for name in "ab"}
    model = load(replace(QUICK, attempts=2, backoff=0.0001, request_tokens=20), **servers)
    always(fault)(servers["a"])
    model._pool.replicas[1].load = 10**6
    for _ in range(10):
        scores_are_right(model)
    assert servers["b"].bodies


def refuses(server: FakeServer) -> None:
    always(answers(301, Location="http://elsewhere"))(server)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("spoil", [wrong_key, wrong_name, refuses])
def test_a_lasting_fault_of_one_does_not_win_over_a_passing_one_of_the_other(
    load: Load, spoil: Callable[[FakeServer], None], first: int
) -> None:
    """The fault ended the request, though the other was to be asked again in a second."""
    servers = {name: FakeServer() for name in "ab"}
    model = load(replace(QUICK, patience=10.0), **servers)
    spoil(servers["a"])
    servers["b"].faults.append(answers(503, Retry_After="1"))
    model._pool.replicas[1 - first].load = 10**6
    scores_are_right(model)
    assert not servers["b"].faults
    servers["b"].down = True
    with pytest.raises(Exception, match=r"a:8000|b:8000"):
        model.score(scoring(), Law())


def test_one_that_is_left_out_may_have_answered_an_earlier_request_since(load: Load) -> None:
    servers = {name: FakeServer() for name in "ab"}
    model = load(replace(QUICK, patience=10.0), **servers)
    wrong_key(servers["a"])
    _, other = model._pool.replicas
    other.failures, other.retry_at = 1, time.monotonic() + 0.5
    scores_are_right(model)


def test_one_that_was_away_at_the_start_is_not_waited_for(load: Load) -> None:
    servers = {name: FakeServer() for name in "ab"}
    servers["b"].down = True
    model = load(replace(QUICK, patience=1000.0), **servers)
    wrong_key(servers["a"])
    with pytest.raises(BackendKeyError):
        model.score(scoring(), Law())


@pytest.mark.parametrize(
    ("spoil", "error"), [(wrong_key, BackendKeyError), (wrong_name, ModelChangedError)]
)
def test_what_is_wrong_with_one_is_told_alone_only_where_it_is_so_of_all(
    load: Load, spoil: Callable[[FakeServer], None], error: type[Exception]
) -> None:
    servers = {name: FakeServer() for name in "ab"}
    model = load(**servers)
    spoil(servers["a"])
    servers["b"].down = True
    with pytest.raises(BackendUnavailableError, match="a:8000.*; .*b:8000 does not answer"):
        model.check_alive()
    servers["b"].down = False
    spoil(servers["b"])
    with pytest.raises(error):
        model.check_alive()
