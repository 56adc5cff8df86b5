"""Servers that change or fail while their health is good: they are left out, not believed."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest

from similarity import Law
from similarity.errors import (
    BackendError,
    BackendRefusedError,
    BackendTimeoutError,
    BackendUnavailableError,
    ModelChangedError,
    RequestRefusedError,
    WrongAnswerError,
)
from similarity.models.base import Ability, SampleRequest
from similarity.models.tokenization import ANCHORS
from similarity.models.toy import ToyModel
from similarity.models.vllm_server import alive, pool, roster
from similarity.models.vllm_server.passing import PassingError
from tests.similarity.models.fake_pooling_server import FakePoolingServer
from tests.similarity.models.fake_server import (
    QUICK,
    Answer,
    FakeServer,
    Fault,
    Load,
    answers,
    scoring,
)
from tests.similarity.models.test_vllm_failures import scores_are_right

pytestmark = pytest.mark.longer

TEXT = "A red car"
TOKENIZER = "another model than before as 'toy': its tokenizer"
KINDS = pytest.mark.parametrize("kind", [FakeServer, FakePoolingServer])
# Many requests, so that several servers have some of each call.
SMALL = replace(QUICK, request_tokens=20)


@pytest.fixture
def always_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no look at a tokenizer be recent enough for the next request."""
    monkeypatch.setattr(roster, "READING_SECONDS", 0.0)


class Silent(FakeServer):
    """A server that at times never answers what is to be tokenized."""

    silent = False

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if self.silent and request.url.path == "/tokenize":
            await anyio.sleep_forever()
        return await super().handle(request)


def test_a_wait_for_two_servers_names_no_error_of_the_one_that_has_none(load: Load) -> None:
    """The message ended in "; None"."""
    model = load(a=FakeServer(), b=FakeServer())
    model._pool.roster.leave_out(model._pool.replicas[0], BackendUnavailableError("it is away"))
    assert str(model._pool.roster.away()) == "it is away"


class TestHanging:
    """It was let back in by its health, and every round of requests waited for it again."""

    @KINDS
    def test_no_request_waits_for_it_again_until_it_computes(
        self, load: Load, kind: Callable[[], FakeServer], caplog: pytest.LogCaptureFixture
    ) -> None:
        servers = {name: kind() for name in "ab"}
        model = load(replace(SMALL, read_timeout=0.2), **servers)
        hung, _ = model._pool.replicas
        always(never_answers)(servers["a"])
        while not hung.stuck:
            computes(model)
        (line,) = [one for one in caplog.messages if "left out" in one]
        assert "until it computes" in line
        assert "http://a:8000 gave no answer within 0.2 s" in line
        waited = len(asked(servers["a"]))
        # The pauses are over many times: it is asked no more than its probe.
        until(model, lambda: hung.failures > 5)
        assert len(asked(servers["a"])) == waited
        assert len(servers["a"].bodies) > waited
        model.check_alive()
        servers["a"].faults.clear()
        until(model, lambda: len(asked(servers["a"])) > waited)
        assert not hung.timeouts

    def test_its_pauses_grow_until_a_request_is_answered(self, load: Load) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(SMALL, **servers)
        hung, _ = model._pool.replicas
        error = BackendUnavailableError("no answer")
        for timeouts in (1, 2, 3):
            model._pool.roster.take_out_stuck(hung, error)
            assert hung.timeouts == hung.failures == timeouts
            until_encoded(model, lambda: not hung.failures)
        until(model, lambda: not hung.timeouts)

    def test_the_only_other_that_fails_is_told_of(
        self, load: Load, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(replace(SMALL, read_timeout=0.2), **servers)
        always(never_answers)(servers["a"])
        until(model, lambda: model._pool.replicas[0].stuck)
        servers["b"].down = True
        with pytest.raises(BackendUnavailableError):
            model.score(scoring(), Law())
        monkeypatch.setattr(alive, "FAILING_SECONDS", 0.0)
        with pytest.raises(BackendUnavailableError, match="a:8000 gave no answer within"):
            model.check_alive()
        servers["a"].faults.clear()
        scores_are_right(model)

    def test_one_that_fails_leaves_the_other_alive(
        self, load: Load, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The failures of one server counted as those of all."""
        monkeypatch.setattr(alive, "FAILING_SECONDS", 0.0)
        model = load(a=FakeServer(), b=FakeServer())
        failing, other = model._pool.replicas
        model._pool._ends_call(failing, PassingError(BackendTimeoutError("late"), slow=True))
        model.check_alive()
        model._pool._ends_call(other, PassingError(BackendTimeoutError("late"), slow=True))
        with pytest.raises(BackendUnavailableError, match="late"):
            model.check_alive()
        # Once: the next request shows whether one has recovered.
        model.check_alive()


class TestGivenUp:
    """A hung server was found only after the read time-out, as callers give up before."""

    @KINDS
    def test_no_request_waits_for_one_that_hung_when_another_was_given_up(
        self, load: Load, kind: Callable[[], FakeServer], caplog: pytest.LogCaptureFixture
    ) -> None:
        servers = {name: kind() for name in "ab"}
        model = load(**servers)
        hung, _ = model._pool.replicas
        servers["a"].waits = asyncio.Event()
        gives_up(model, servers["a"])
        until(model, lambda: hung.stuck)
        assert "gave no answer for" in caplog.text
        waited = len(asked(servers["a"]))
        for _ in range(3):
            computes(model)
        model.check_alive()
        assert len(asked(servers["a"])) == waited
        answers_again(servers["a"])
        until(model, lambda: len(asked(servers["a"])) > waited)
        assert not hung.stuck

    @KINDS
    def test_the_only_one_is_away_with_its_cause_once_its_probe_failed(
        self, load: Load, kind: Callable[[], FakeServer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(roster, "LOOK_SECONDS", 0.2)
        monkeypatch.setattr(alive, "FAILING_SECONDS", 0.0)
        server = kind()
        model = load(server=server)
        server.waits = asyncio.Event()
        gives_up(model, server)
        waited = len(asked(server))
        with pytest.raises(BackendUnavailableError, match="server:8000 gave no answer for"):
            computes(model)
        with pytest.raises(BackendUnavailableError, match="server:8000 gave no answer for"):
            model.check_alive()
        assert len(asked(server)) == waited
        answers_again(server)
        until(model, lambda: len(asked(server)) > waited)

    def test_a_slow_one_stays_in_use(self, load: Load) -> None:
        server = FakeServer()
        model = load(server=server)
        server.waits = asyncio.Event()
        gives_up(model, server)
        answers_again(server)
        (slow,) = model._pool.replicas
        for _ in range(3):
            computes(model)
            model.check_alive()
        assert not slow.stuck

    @pytest.mark.parametrize(("computed_at", "took"), [(-100.0, 1000.0), (100.0, 0.0)])
    def test_one_that_is_no_slower_than_before_or_answers_others_is_not_suspected(
        self, load: Load, computed_at: float, took: float
    ) -> None:
        server = FakeServer()
        model = load(server=server)
        (slow,) = model._pool.replicas
        slow.computed_at, slow.took = time.monotonic() + computed_at, took
        server.waits = asyncio.Event()
        gives_up(model, server)
        assert not slow.stuck


def gives_up(model: Any, server: FakeServer) -> None:
    """Give up a call once the server has kept a request of it for long."""
    began: list[float] = []

    class GivenUpError(Exception):
        """As a deadline does."""

    def stop(_finished: int) -> None:
        if server.waiting:
            began.append(time.monotonic())
        if began and time.monotonic() - began[0] > 2 * pool.SILENT_SECONDS:
            raise GivenUpError

    pools = Ability.NEXT_STATES in model.abilities
    with pytest.raises(GivenUpError):
        _ = model.next_states([(65,)], stop) if pools else model.score(scoring(), Law(), stop)
    limit = time.monotonic() + 30
    while not server.cancelled:  # in the thread of the loop
        assert time.monotonic() < limit
        time.sleep(0.01)


def answers_again(server: FakeServer) -> None:
    assert server.waits is not None
    server.waits.set()
    server.waits = None


class TestTokenizers:
    @KINDS
    def test_one_that_comes_back_with_another(
        self, load: Load, kind: Callable[[], FakeServer]
    ) -> None:
        server = kind()
        model = load(server=server)
        assert model.encode(TEXT) == ToyModel().encode(TEXT)
        server.down = True
        with pytest.raises(BackendUnavailableError):
            model.encode(TEXT)
        server.down, server.reads = False, str.swapcase
        for _ in range(2):
            with pytest.raises(ModelChangedError, match=TOKENIZER):
                model.encode(TEXT)
            with pytest.raises(ModelChangedError, match=TOKENIZER):
                model.check_alive()
        server.reads = str
        model.check_alive()
        assert model.encode(TEXT) == ToyModel().encode(TEXT)

    @KINDS
    @pytest.mark.usefixtures("always_looked_at")
    def test_one_that_never_seemed_away(self, load: Load, kind: Callable[[], FakeServer]) -> None:
        server = kind()
        model = load(server=server)
        server.reads = str.swapcase
        for call in (lambda: model.encode(TEXT), lambda: model.decode((65,))):
            with pytest.raises(ModelChangedError, match=TOKENIZER):
                call()

    @pytest.mark.usefixtures("always_looked_at")
    def test_texts_of_samples_are_another_tokenizers_too(self, load: Load) -> None:
        server = FakeServer()
        model = load(server=server)
        server.reads = str.swapcase
        with pytest.raises(ModelChangedError, match=TOKENIZER):
            model.sample([SampleRequest(prefix=(65,), n=2, max_tokens=3, key=1)], Law())

    def test_what_another_tokenizer_made_of_an_anchor_is_not_kept(
        self, load: Load, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = FakeServer()
        model = load(server=server)
        model.encode(TEXT)
        server.reads = str.swapcase
        monkeypatch.setattr(roster, "READING_SECONDS", 1_000.0)
        model.encode_continuation(TEXT)
        assert model.changes() == 0
        monkeypatch.setattr(roster, "READING_SECONDS", 0.0)
        with pytest.raises(ModelChangedError, match=TOKENIZER):
            model.encode(TEXT)
        assert model.changes() == 1
        server.reads = str
        server.tokenized.clear()
        assert model.encode_continuation(TEXT) == ToyModel().encode_continuation(TEXT)
        assert ANCHORS[0] in server.tokenized

    @KINDS
    @pytest.mark.usefixtures("always_looked_at")
    def test_one_of_two_is_left_out(self, load: Load, kind: Callable[[], FakeServer]) -> None:
        servers = {name: kind() for name in "ab"}
        model = load(**servers)
        servers["a"].reads = str.swapcase
        texts = [f"{TEXT} {i}" for i in range(20)]
        assert model.encode_all(texts) == [ToyModel().encode(text) for text in texts]
        assert not set(texts) & set(servers["a"].tokenized)
        model.check_alive()
        servers["a"].reads = str
        servers["b"].down = True
        assert model.encode(TEXT) == ToyModel().encode(TEXT)

    @pytest.mark.usefixtures("always_looked_at")
    def test_a_look_that_gets_no_answer_holds_requests_for_a_moment(
        self, load: Load, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(roster, "LOOK_SECONDS", 0.1)
        server = Silent()
        model = load(server=server)
        server.silent = True
        with pytest.raises(BackendError, match="tokenize a short text within 0.1 s"):
            model.encode(TEXT)
        server.silent = False
        assert model.encode(TEXT) == ToyModel().encode(TEXT)

    def test_one_that_was_away_at_the_start(self, load: Load) -> None:
        servers = {name: FakeServer() for name in "ab"}
        servers["b"].down, servers["b"].reads = True, str.swapcase
        model = load(**servers)
        servers["a"].down, servers["b"].down = True, False
        with pytest.raises((ModelChangedError, BackendUnavailableError), match=TOKENIZER):
            model.encode(TEXT)
        assert TEXT not in servers["b"].tokenized

    def test_few_requests_look(self, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(roster, "READING_SECONDS", 1000.0)
        server = FakeServer()
        model = load(server=server)
        texts = [f"{TEXT} {i}" for i in range(100)]
        model.encode_all(texts)
        scores_are_right(model)
        assert len(server.tokenized) == len(texts) + 1


def never_answers(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("", request=request)


def asked(server: FakeServer) -> list[Answer]:
    """Return the requests to compute besides those of a probe, of beginnings of one text."""

    def probes(prompts: list[list[int]]) -> bool:
        return all(prompts[-1][: len(prompt)] == prompt for prompt in prompts)

    return [body for body in server.bodies if not probes(body.get("prompt", body.get("input")))]


def computes(model: Any) -> None:
    """Have the model compute something."""
    if Ability.NEXT_STATES in model.abilities:
        model.next_states([(65, i) for i in range(40)])
    else:
        scores_are_right(model)


def until(model: Any, true: Callable[[], bool]) -> None:
    """Have the model compute until this is true."""
    limit = time.monotonic() + 30
    while not true():
        assert time.monotonic() < limit
        computes(model)


def until_encoded(model: Any, true: Callable[[], bool]) -> None:
    """Have the model's servers encode until this is true."""
    limit = time.monotonic() + 30
    while not true():
        assert time.monotonic() < limit
        model.encode(f"a text {time.monotonic()}")


def wrong_key(server: FakeServer) -> None:
    server.key = "another"


def wrong_name(server: FakeServer) -> None:
    server.names = ["other"]


def always(fault: Fault) -> Callable[[FakeServer], None]:
    return lambda server: server.faults.extend([fault] * 1000)


def short(server: FakeServer) -> None:
    server.max_model_len = 20


BAD = [
    wrong_key,
    wrong_name,
    short,
    always(answers(500, "it broke")),
    always(answers(501)),
    always(answers(301, Location="http://elsewhere")),
    always(answers(400, "greater than max allowed: 0")),
    always(answers(400, '{"error": {"message": "Out of range: not JSON compliant"}}')),
    always(answers(200, "no JSON")),
]


def mend(server: FakeServer) -> None:
    server.key, server.names, server.max_model_len = None, ["toy"], 257
    server.faults.clear()


class TestRefusals:
    @pytest.mark.parametrize("spoil", BAD)
    def test_one_of_two_that_fails_what_the_other_answers(
        self, load: Load, spoil: Callable[[FakeServer], None]
    ) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(SMALL, **servers)
        spoil(servers["a"])
        for _ in range(5):
            scores_are_right(model)
            model.check_alive()
        asked = len(servers["a"].bodies)
        assert asked < len(servers["b"].bodies)
        mend(servers["a"])
        servers["b"].down = True
        scores_are_right(model)
        assert len(servers["a"].bodies) > asked

    @pytest.mark.parametrize("spoil", BAD)
    def test_samples_are_the_other_servers(
        self, load: Load, spoil: Callable[[FakeServer], None]
    ) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(**servers)
        request = SampleRequest(prefix=tuple(range(65, 90)), n=3, max_tokens=4, key=7)
        wanted = model.sample([request], Law())
        spoil(servers["a"])
        for _ in range(3):
            found = model.sample([request], Law())
            assert [one.token_ids for one in found[0]] == [one.token_ids for one in wanted[0]]

    def test_the_pauses_grow(self, load: Load) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(replace(QUICK, patience=60.0), **servers)
        always(answers(500))(servers["a"])
        bad, _ = model._pool.replicas
        for relapses in range(1, 6):
            while bad.relapses < relapses:
                scores_are_right(model)
        assert len(servers["a"].bodies) == 5

    @pytest.mark.parametrize("fault", [answers(500, "it broke"), answers(200, "no JSON")])
    def test_what_two_servers_fail_goes_to_no_third(self, load: Load, fault: Fault) -> None:
        servers = {name: FakeServer() for name in "abc"}
        model = load(**servers)
        for server in servers.values():
            server.faults.append(fault)
        with pytest.raises((BackendRefusedError, WrongAnswerError)):
            model.score(scoring(), Law())
        assert sorted(len(server.bodies) for server in servers.values()) == [0, 1, 1]
        assert len(model._pool.roster.serving()) == 3

    def test_what_kills_servers_kills_two_at_most(self, load: Load) -> None:
        servers = {name: FakeServer() for name in "abc"}
        model = load(**servers)

        def kills(request: httpx.Request) -> httpx.Response:
            servers[request.url.host].down = True
            return httpx.Response(500, text="EngineCore encountered an issue")

        for server in servers.values():
            server.faults.append(kills)
        with pytest.raises(BackendUnavailableError, match="EngineCore"):
            model.score(scoring(), Law())
        assert sum(server.down for server in servers.values()) == pool.MOST_STRIKES + 1
        scores_are_right_after_clearing(model, servers)

    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_a_requests_own_fault_goes_to_no_other(self, load: Load, status: int) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(**servers)
        for server in servers.values():
            server.faults.append(answers(status, "too long"))
        with pytest.raises(BackendRefusedError, match=f"HTTP {status}: too long"):
            model.score(scoring(), Law())
        # The second request is a short text, which the server takes.
        assert sorted(len(server.bodies) for server in servers.values()) == [0, 2]
        assert len(model._pool.roster.serving()) == 2

    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_one_that_refuses_a_short_text_too_is_left_out(self, load: Load, status: int) -> None:
        """Its refusal was taken for the request's fault, and no other was asked."""
        servers = {name: FakeServer() for name in "ab"}
        model = load(**servers)
        ill = servers["a"]
        # So many that it is still ill when it is looked at again.
        ill.faults.extend([answers(status, "no")] * 100)
        for _ in range(2):
            scores_are_right(model)
        assert len(ill.faults) <= 98
        serving = [one.url for one in model._pool.roster.serving()]
        assert serving == ["http://b:8000"]

    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_where_all_refuse_a_short_text_too_that_is_said(self, load: Load, status: int) -> None:
        servers = {name: FakeServer() for name in "ab"}
        model = load(**servers)
        for server in servers.values():
            server.faults.extend([answers(status, "no")] * 2)
        with pytest.raises(BackendRefusedError, match=f"HTTP {status}: no; it took") as raised:
            model.score(scoring(), Law())
        assert not isinstance(raised.value, RequestRefusedError)

    def test_one_that_takes_fewer_tokens_has_changed(self, load: Load) -> None:
        server = FakeServer()
        model = load(server=server)
        server.max_model_len = 256
        with pytest.raises(
            ModelChangedError, match="takes 256 tokens as 'toy', and took 257"
        ) as caught:
            model.check_alive()
        assert caught.value.change == "takes texts of 256 tokens, fewer"
        fits = SampleRequest(prefix=(65,) * 250, n=1, max_tokens=6, key=1)
        mend(server)
        model.sample([fits], Law())
        server.max_model_len = 250
        with pytest.raises(ModelChangedError, match="raise its --max-model-len"):
            model.sample([fits], Law())


def scores_are_right_after_clearing(model: object, servers: dict[str, FakeServer]) -> None:
    for server in servers.values():
        server.faults.clear()
    scores_are_right(model)  # type: ignore[arg-type]
