"""Servers that change or fail while their health is good: they are left out, not believed."""

from collections.abc import Callable
from dataclasses import replace

import anyio
import httpx
import pytest

from similarity import Law
from similarity.errors import (
    BackendError,
    BackendRefusedError,
    BackendUnavailableError,
    ModelChangedError,
    WrongAnswerError,
)
from similarity.models.base import SampleRequest
from similarity.models.toy import ToyModel
from similarity.models.vllm_server import pool, roster
from tests.similarity.models.fake_pooling_server import FakePoolingServer
from tests.similarity.models.fake_server import (
    QUICK,
    FakeServer,
    Fault,
    Load,
    answers,
    scoring,
)
from tests.similarity.models.test_vllm_failures import scores_are_right

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
        assert sorted(len(server.bodies) for server in servers.values()) == [0, 1]
        assert len(model._pool.roster.serving()) == 2

    def test_one_that_takes_fewer_tokens_has_changed(self, load: Load) -> None:
        server = FakeServer()
        model = load(server=server)
        server.max_model_len = 256
        with pytest.raises(ModelChangedError, match="takes 256 tokens as 'toy', and took 257"):
            model.check_alive()
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
