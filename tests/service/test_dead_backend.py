"""A backend that is away, in every way that it can be: 503 within seconds, and then back again."""

import asyncio
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from service.http.problems import problem_of
from similarity.errors import (
    BackendKeyError,
    BackendRefusedError,
    BackendTimeoutError,
    BackendUnavailableError,
    ModelChangedError,
    ModelError,
    WrongAnswerError,
)
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.loader import load_server
from tests.service.servers import eventually, running
from tests.similarity.models.fake_server import FakeServer, transport

pytestmark = pytest.mark.longer

SMALL = {"n_trajectories": 2, "max_tokens": 3}
CHANGED = "the model's server has another model than when the service was started"
# Of the deadline: a request that nobody ended before gets 504.
PATIENCE = 20.0
# Left to itself the pool would ask the backend for ever.
STUBBORN = ServerConfig(patience=1_000, attempts=1_000, read_timeout=1_000)


class Backend(FakeServer):
    """A server that can be killed, stopped, refuse all work, or break off its answers."""

    mode = "well"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bytes] = []

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/completions":
            self.asked.append(request.content)
        if self.mode == "stopped":
            await asyncio.sleep(1_000)
        if self.mode == "slow":
            await asyncio.sleep(1.2)
        if self.mode == "killed":
            raise httpx.ConnectError("All connection attempts failed", request=request)
        if request.url.path not in ("/health", "/v1/models"):
            completes = request.url.path == "/v1/completions"
            samples = completes and b"prompt_logprobs" not in request.content
            hangs = self.mode == "hanging" or (self.mode == "hanging in completions" and completes)
            if hangs or (self.mode == "sampling slowly" and samples):
                # As httpx does, which a transport of a test is without.
                await asyncio.sleep(request.extensions["timeout"]["read"])
                raise httpx.ReadTimeout("", request=request)
            if self.mode == "computing slowly" and completes:
                await asyncio.sleep(1.2)
            if self.mode == "overloaded":
                return httpx.Response(503, headers={"Retry-After": "1"})
            if self.mode == "wishing":
                return httpx.Response(503, headers={"Retry-After": "9999"})
            if self.mode == "broken" and completes:
                return httpx.Response(500, text="it broke")
            if self.mode == "truncated":
                raise httpx.RemoteProtocolError("peer closed connection", request=request)
        return await super().handle(request)


@pytest.mark.parametrize("mode", ["killed", "stopped", "overloaded", "truncated"])
def test_requests_for_new_texts_get_503_soon_and_an_answer_when_it_is_back(mode, monkeypatch):
    # Without vectors, which would be made of many more requests at the start.
    monkeypatch.setattr("service.http.app.served_vectors", lambda _settings, _model: None)
    backend = Backend()
    model = load_server("http://one:8000", STUBBORN, transport=transport(one=backend))
    with running(model, probe_seconds=1, deadline_seconds=PATIENCE) as url:

        def ask(text):
            body = {"pairs": [[text, "b"]], **SMALL}
            return httpx.post(f"{url}/v1/similarity", json=body, timeout=2 * PATIENCE)

        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        assert ask("first").status_code == 200
        backend.mode = mode
        answer = ask("second")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
        backend.mode = "well"
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200, 30)
        assert ask("third").status_code == 200


@pytest.mark.parametrize("leaves", [False, True])
def test_calls_that_were_given_up_keep_no_place_at_a_server_that_is_back(monkeypatch, leaves):
    """As many as a server takes at once kept the next probe out until their own time was over."""
    monkeypatch.setattr("service.http.app.served_vectors", lambda _settings, _model: None)
    backend = Backend()
    config = replace(STUBBORN, in_flight=4)
    model = load_server("http://one:8000", config, transport=transport(one=backend))
    with running(model, probe_seconds=1, deadline_seconds=PATIENCE) as url:

        def ask(text):
            body = {"pairs": [[f"text {text}", "b"]], **SMALL}
            try:
                patience = 1.0 if leaves and text != "last" else 2 * PATIENCE
                return httpx.post(f"{url}/v1/similarity", json=body, timeout=patience).status_code
            except httpx.ReadTimeout:
                return None

        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        assert ask("first") == 200
        backend.mode = "stopped"
        with ThreadPoolExecutor(12) as pool:
            assert set(pool.map(ask, range(12))) <= {503, None}
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 503)
        backend.mode = "well"
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200, 30)
        assert ask("last") == 200


def served_backend(monkeypatch, backend, **settings):
    monkeypatch.setattr("service.http.app.served_vectors", lambda _settings, _model: None)
    model = load_server("http://one:8000", STUBBORN, transport=transport(one=backend))
    return running(model, **{"probe_seconds": 0.1, "deadline_seconds": PATIENCE, **settings})


def test_readiness_turns_while_the_backend_has_another_model_and_comes_back(monkeypatch):
    backend = Backend()
    with served_backend(monkeypatch, backend) as url:

        def ready():
            answer = httpx.get(f"{url}/health/ready")
            return answer.status_code, answer.json()["reason"]

        assert eventually(lambda: ready()[0] == 200)
        backend.model = ToyModel(prior=0.5)
        # Nobody asks for anything: the service finds it by itself.
        assert eventually(lambda: ready()[0] == 503, 30)
        assert ready()[1] == CHANGED
        body = {"pairs": [["new", "b"]], **SMALL}
        answer = httpx.post(f"{url}/v1/similarity", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
        assert CHANGED in answer.json()["error"]["message"]
        backend.model = ToyModel()
        assert eventually(lambda: ready()[0] == 200, 30)
        assert httpx.post(f"{url}/v1/similarity", json=body).status_code == 200


def ready_of(url):
    return httpx.get(f"{url}/health/ready").status_code == 200


def test_one_request_that_runs_out_of_a_servers_time_leaves_it_ready(monkeypatch):
    """It was taken out of routing for seconds, and others' requests got 503."""
    monkeypatch.setattr(f"{__name__}.STUBBORN", ServerConfig(read_timeout=1, attempts=1))
    backend = Backend()
    with served_backend(monkeypatch, backend) as url:
        assert eventually(lambda: ready_of(url))
        backend.mode = "sampling slowly"
        seen, over = [], threading.Event()

        def look():
            while not over.wait(0.02):
                seen.append(ready_of(url))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            body = {"pairs": [["new", "b"]], **SMALL}
            late = httpx.post(f"{url}/v1/similarity", json=body, timeout=2 * PATIENCE)
            score = {"texts": ["other"], "continuations": [" one"]}
            other = httpx.post(f"{url}/v1/likelihoods", json=score, timeout=2 * PATIENCE)
        finally:
            over.set()
            looking.join()
        assert (late.status_code, late.json()["error"]["code"]) == (504, "model_timeout")
        assert other.status_code == 200
        assert seen
        assert all(seen)


def test_a_server_that_hangs_while_a_probe_waits_for_it_is_not_ready(monkeypatch):
    """The probe counted as a call that goes on, for as long as the pool waits for its server."""
    backend = Backend()
    with served_backend(monkeypatch, backend) as url:
        assert eventually(lambda: ready_of(url))

        def leave(_request):
            backend.mode = "hanging"
            return httpx.Response(503, headers={"Retry-After": "0"})

        # The next probe's own request: it is left out by it, and hangs when it is looked at.
        backend.faults.append(leave)
        assert eventually(lambda: backend.mode == "hanging")
        assert eventually(lambda: not ready_of(url), 20)
        backend.mode = "well"
        assert eventually(lambda: ready_of(url), 30)


def test_a_server_that_hangs_in_completions_alone_is_not_thought_well_by_its_health(monkeypatch):
    monkeypatch.setattr(f"{__name__}.STUBBORN", ServerConfig(read_timeout=1, attempts=1))
    backend = Backend()
    with served_backend(monkeypatch, backend) as url:
        assert eventually(lambda: ready_of(url))
        backend.mode = "hanging in completions"
        assert eventually(lambda: not ready_of(url), 20)
        # It is let back in by its health and tokenizer, more than once in this time.
        assert not eventually(lambda: ready_of(url), 5)
        backend.mode = "well"
        assert eventually(lambda: ready_of(url), 30)


def test_a_server_that_hangs_is_not_ready_soon_after_a_request_ran_out_of_its_time(monkeypatch):
    monkeypatch.setattr(f"{__name__}.STUBBORN", ServerConfig(read_timeout=1, attempts=1))
    backend = Backend()
    with served_backend(monkeypatch, backend) as url:
        assert eventually(lambda: ready_of(url))
        backend.mode = "hanging"

        def ask(text):
            body = {"pairs": [[text, "b"]], **SMALL}
            answer = httpx.post(f"{url}/v1/similarity", json=body, timeout=2 * PATIENCE)
            error = answer.json()["error"]
            return answer.status_code, error["code"], error["message"].partition(";")[0]

        away = (503, "model_unavailable", "at the moment the model does not answer")
        late = (504, "model_timeout", "the model did not answer in time")
        # A look of the service itself may have found it first.
        assert ask("first") in (late, away)
        assert eventually(lambda: not ready_of(url), 10)
        # Where a probe's own call runs out of time, one more request may be let in.
        assert ask("second") in (late, away)
        backend.mode = "well"
        assert eventually(lambda: ready_of(url), 30)


def test_one_long_wish_of_the_only_backend_keeps_it_away_for_the_patience_at_most(monkeypatch):
    """Though well again it was asked nothing for five minutes, and clients were to try at once."""
    monkeypatch.setattr(f"{__name__}.STUBBORN", ServerConfig(patience=4))
    backend = Backend()
    with served_backend(monkeypatch, backend) as url:

        def ask(text):
            body = {"pairs": [[text, "b"]], **SMALL}
            return httpx.post(f"{url}/v1/similarity", json=body, timeout=2 * PATIENCE)

        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        backend.mode = "wishing"
        answer = ask("second")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
        assert 2 <= int(answer.headers["Retry-After"]) <= 4
        backend.mode = "well"
        # What it is asked before the wished time is over is refused, or waits.
        assert eventually(lambda: ask("third").status_code == 200, PATIENCE)
        assert ready_of(url)


def test_a_look_that_is_refused_tells_how_long_the_server_wishes():
    """It was told of as away, without its wish, where the look came before a request."""
    backend = Backend()
    config = ServerConfig(patience=4)
    model = load_server("http://one:8000", config, transport=transport(one=backend))
    backend.mode = "wishing"
    with pytest.raises(BackendUnavailableError) as caught:
        model.check_alive()
    model.close()
    assert caught.value.retry_after == 4


def seen_under_requests(url, seconds):
    """Ask for something new all the while; return the answers, and when it was not ready."""
    began = time.monotonic()
    passed = lambda: time.monotonic() - began  # noqa: E731
    answers, unready = [], []
    with ThreadPoolExecutor(20) as pool:
        number = 0
        while passed() < seconds:
            if passed() >= 0.5 * number:
                answers.append(pool.submit(asked, url, f"text {number} {began}"))
                number += 1
            if not ready_of(url):
                unready.append(passed())
            time.sleep(0.05)
    return [answer.result().status_code for answer in answers], unready


# A call is made between two steps of another after so long.
NESTING = {"call_seconds": 0.05, "stall_seconds": 3}


def test_a_server_that_hangs_is_found_in_time_however_many_requests_come(monkeypatch):
    """Each that was let in between two steps of a call that hung began its time anew."""
    backend = Backend()
    with served_backend(monkeypatch, backend, **NESTING) as url:
        assert eventually(lambda: ready_of(url))
        for number in range(3):
            assert asked(url, f"before {number}").status_code == 200
        backend.mode = "hanging in completions"
        answers, unready = seen_under_requests(url, 5)
        assert set(answers) == {503}
        assert 2.5 < unready[0] < 4.5
        backend.mode = "well"
        assert eventually(lambda: ready_of(url), 30)
        assert asked(url, "after").status_code == 200


def test_a_server_that_answers_late_and_many_at_once_does_not_hang(monkeypatch):
    backend = Backend()
    with served_backend(monkeypatch, backend, **NESTING) as url:
        assert eventually(lambda: ready_of(url))
        for number in range(3):
            assert asked(url, f"before {number}").status_code == 200
        backend.mode = "computing slowly"
        answers, unready = seen_under_requests(url, 8)
        assert unready == []
        assert set(answers) <= {200, 504}


@pytest.mark.parametrize("mode", ["hanging", "hanging in completions"])
def test_a_server_that_never_answers_is_not_put_down_to_the_texts(monkeypatch, mode):
    """They were told to send fewer or shorter texts, or that others kept the model busy."""
    backend, settings = Backend(), {"deadline_seconds": 2, "probe_seconds": 60}
    with served_backend(monkeypatch, backend, **settings) as url, ThreadPoolExecutor(2) as pool:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        backend.mode = mode

        def ask(text):
            body = {"pairs": [[text, "b"]], **SMALL}
            return httpx.post(f"{url}/v1/similarity", json=body, timeout=30)

        answers = list(pool.map(ask, ("first", "second")))
    for answer in answers:
        assert answer.status_code == 504, answer.text
        assert answer.json()["error"]["message"].startswith(
            "the model did not answer within the time limit of 2 s; send it again later"
        )


def test_a_server_that_hangs_is_found_when_one_request_ran_out_of_its_deadline(monkeypatch, caplog):
    """Each request waited for its whole deadline, until one had waited for the read time-out."""
    monkeypatch.setattr("similarity.models.vllm_server.roster.LOOK_SECONDS", 1.0)
    backend, settings = Backend(), {"deadline_seconds": 2, "probe_seconds": 5}
    with served_backend(monkeypatch, backend, **settings) as url:
        assert eventually(lambda: ready_of(url))
        assert asked(url, "first").status_code == 200
        backend.mode = "hanging in completions"
        late = asked(url, "second")
        assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")
        waited = len(samples_of(backend))
        assert eventually(lambda: asked(url, "third").status_code == 503, 30)
        assert len(samples_of(backend)) == waited
        assert not ready_of(url)
        assert "http://one:8000 gave no answer for" in caplog.text
        backend.mode = "well"
        assert eventually(lambda: ready_of(url), 60)
        assert asked(url, "third").status_code == 200


def test_a_server_that_is_merely_slow_stays_ready_after_a_deadline(monkeypatch):
    backend, settings = Backend(), {"deadline_seconds": 2, "probe_seconds": 0.1}
    with served_backend(monkeypatch, backend, **settings) as url:
        assert eventually(lambda: ready_of(url))
        backend.mode = "sampling slowly"
        assert asked(url, "first").status_code == 504
        backend.mode = "well"
        for number in range(5):
            assert asked(url, f"text {number}").status_code == 200
            assert ready_of(url)


def test_a_server_of_which_every_answer_is_slow_stays_ready(monkeypatch):
    """A look took its three answers one after another, and had two seconds for all."""
    backend = Backend()
    with served_backend(monkeypatch, backend, probe_seconds=1) as url:
        assert eventually(lambda: ready_of(url))
        backend.mode = "slow"
        assert not eventually(lambda: not ready_of(url), 8)


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/tokenize"])
def test_one_lost_connection_leaves_the_service_ready(monkeypatch, path):
    """Requests got 503 until the next look, a second later."""
    backend = Backend()
    lost, handle = [], backend.handle

    async def loses_one(request):
        if backend.mode == "well" and request.url.path == path and not lost:
            lost.append(request)
            raise httpx.RemoteProtocolError("Server disconnected", request=request)
        return await handle(request)

    with served_backend(monkeypatch, backend, probe_seconds=1) as url:
        assert eventually(lambda: ready_of(url))
        backend.handle = loses_one
        assert not eventually(lambda: not ready_of(url), 4)
        assert lost


def asked(url, text):
    body = {"pairs": [[text, "b"]], **SMALL}
    return httpx.post(f"{url}/v1/similarity", json=body, timeout=2 * PATIENCE)


def test_clients_see_neither_the_backends_address_nor_its_words(monkeypatch, caplog):
    backend = Backend()
    with served_backend(monkeypatch, backend) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        said = {"error": {"message": "inside /etc/secret"}}
        backend.faults.extend([lambda _: httpx.Response(400, json=said)] * 9)
        answer = httpx.post(f"{url}/v1/similarity", json={"pairs": [["a new", "b"]], **SMALL})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (502, "model_failed")
    assert error["message"].startswith("the model failed this request; whoever runs the service")
    (line,) = [line for line in caplog.records if "failed a request" in line.getMessage()]
    assert line.request_id == error["request_id"]
    assert "http://one:8000" in line.getMessage()
    assert "secret" in line.getMessage()


def test_a_server_that_takes_fewer_tokens_is_told_by_their_number(monkeypatch):
    """It was said to have another model."""
    backend = Backend()
    with served_backend(monkeypatch, backend) as url:
        assert eventually(lambda: ready_of(url))
        backend.max_model_len = 128
        reason = "the model's server takes texts of 128 tokens, fewer than when the service was"
        assert eventually(
            lambda: httpx.get(f"{url}/health/ready").json()["reason"].startswith(reason), 30
        )
        body = {"pairs": [["new", "b"]], **SMALL}
        message = httpx.post(f"{url}/v1/similarity", json=body).json()["error"]["message"]
        assert message.startswith(f"at the moment {reason} started; try again")


@pytest.mark.parametrize(
    "kind",
    [
        WrongAnswerError,
        ModelChangedError,
        BackendUnavailableError,
        BackendTimeoutError,
        BackendKeyError,
        BackendRefusedError,
        ModelError,
    ],
)
def test_no_error_of_a_model_is_told_in_its_own_words(kind):
    problem = problem_of(kind("http://one:8000 said secret"))
    assert problem.status in (502, 503, 504)
    assert "one:8000" not in problem.message
    assert "by the request id" in problem.message


def test_readiness_turns_while_the_backend_has_another_tokenizer(monkeypatch):
    """Texts were read in other tokens, and scored under the old fingerprint, without a word."""
    backend = Backend()
    with served_backend(monkeypatch, backend) as url:

        def ask(text):
            body = {"pairs": [[text, "b"]], **SMALL}
            return httpx.post(f"{url}/v1/similarity", json=body, timeout=2 * PATIENCE)

        assert eventually(lambda: ready_of(url))
        backend.mode = "killed"
        assert eventually(lambda: not ready_of(url), 30)
        backend.mode, backend.reads = "well", str.swapcase
        assert eventually(lambda: httpx.get(f"{url}/health/ready").json()["reason"] == CHANGED, 30)
        answer = ask("a new one")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
        backend.reads = str
        assert eventually(lambda: ready_of(url), 30)
        assert ask("a new one").status_code == 200


def wrong_key(backend):
    backend.key = "another"


def wrong_name(backend):
    backend.names = ["other"]


def broken(backend):
    backend.mode = "broken"


@pytest.mark.parametrize("spoil", [wrong_key, wrong_name])
def test_one_cause_has_one_code_at_first_and_later(monkeypatch, caplog, spoil):
    """The first request got 502, and all others 503."""
    backend = Backend()
    with served_backend(monkeypatch, backend, probe_seconds=1) as url:
        assert eventually(lambda: ready_of(url))
        spoil(backend)
        for number in range(5):
            answer = asked(url, f"text {number}")
            found = answer.status_code, answer.json()["error"]["code"]
            assert found == (503, "model_unavailable"), answer.text
        assert eventually(lambda: not ready_of(url))
        cause = "TRAJSIM_VLLM_API_KEY" if spoil is wrong_key else "'toy' no longer"
        assert cause in caplog.text
        assert "no answer from" not in caplog.text
        backend.key, backend.names = None, ["toy"]
        assert eventually(lambda: ready_of(url), 30)
        assert asked(url, "another").status_code == 200


@pytest.mark.parametrize("spoil", [wrong_key, wrong_name, broken])
def test_one_bad_backend_of_two_fails_no_request_and_leaves_the_service_ready(monkeypatch, spoil):
    """It looked idle, so that it drew the requests, and each was 502."""
    monkeypatch.setattr("service.http.app.served_vectors", lambda _settings, _model: None)
    backends = {"one": Backend(), "two": Backend()}
    network = transport(**backends)
    model = load_server("http://one:8000,http://two:8000", ServerConfig(), transport=network)
    with running(model, probe_seconds=0.1, deadline_seconds=PATIENCE) as url:
        assert eventually(lambda: ready_of(url))
        spoil(backends["one"])
        for number in range(30):
            body = {"pairs": [[f"text {number}", "b"]], **SMALL}
            answer = httpx.post(f"{url}/v1/similarity", json=body, timeout=2 * PATIENCE)
            assert answer.status_code == 200, answer.text
            assert ready_of(url)


def test_one_of_two_that_hangs_holds_few_requests_and_leaves_the_service_ready(monkeypatch):
    """Its health let it back in each time, so that most requests got 503 or 504."""
    monkeypatch.setattr("service.http.app.served_vectors", lambda _settings, _model: None)
    backends = {"one": Backend(), "two": Backend()}
    config = ServerConfig(read_timeout=1, backoff=0.05)
    model = load_server("http://one:8000,http://two:8000", config, transport=transport(**backends))
    with running(model, probe_seconds=0.1, deadline_seconds=PATIENCE) as url:
        assert eventually(lambda: ready_of(url))
        hung, _ = model._pool.replicas
        backends["one"].mode = "hanging in completions"
        ready = []

        def ask(text):
            body = {"pairs": [[text, "b"]], **SMALL}
            answer = httpx.post(f"{url}/v1/similarity", json=body, timeout=2 * PATIENCE)
            ready.append(ready_of(url))
            return answer.status_code

        with ThreadPoolExecutor(4) as threads:
            assert set(threads.map(ask, (f"text {number}" for number in range(12)))) == {200}
            assert hung.stuck
            samples = len(samples_of(backends["one"]))
            assert set(threads.map(ask, (f"text {number}" for number in range(12, 60)))) == {200}
        assert all(ready)
        assert len(samples_of(backends["one"])) == samples
        backends["one"].mode = "well"
        numbers = itertools.count(60)
        back = lambda: ask(f"text {next(numbers)}") == 200 and not hung.stuck  # noqa: E731
        assert eventually(back, 30)


def samples_of(backend):
    return [body for body in backend.asked if b"prompt_logprobs" not in body]


def test_looks_at_readiness_ask_nothing_of_the_backend(monkeypatch):
    backend = Backend()
    with served_backend(monkeypatch, backend) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        backend.bodies.clear()
        with httpx.Client() as client:
            for _ in range(200):
                assert client.get(f"{url}/health/ready").status_code == 200
        assert len(backend.bodies) < 20


def test_what_another_model_sampled_is_not_kept(monkeypatch):
    """It was in the cache when the right model was back, and its scores were wrong in silence."""
    backend, untouched = Backend(), Backend()
    body = {"pairs": [["a red car", "a blue boat"]], **SMALL}
    with served_backend(monkeypatch, untouched) as url:
        wanted = httpx.post(f"{url}/v1/similarity", json=body).json()["results"]
    with served_backend(monkeypatch, backend) as url:
        backend.model = ToyModel(prior=0.5)
        sampled = httpx.post(f"{url}/v1/trajectories", json={"texts": ["a red car"], **SMALL})
        assert sampled.status_code in (502, 503)
        backend.model = ToyModel()
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200, 30)
        assert httpx.post(f"{url}/v1/similarity", json=body).json()["results"] == wanted
