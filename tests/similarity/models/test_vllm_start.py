"""What a server must be, checked before its model is given."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from similarity.errors import (
    BackendKeyError,
    BackendRefusedError,
    BackendTimeoutError,
    WrongAnswerError,
)
from similarity.law import Law
from similarity.models.base import ScoreRequest
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.identity import LEAST_TOKENS
from similarity.models.vllm_server.sampled_law import TOP
from tests.conftest import ROOT
from tests.similarity.models.fake_pooling_server import FakePoolingServer
from tests.similarity.models.fake_server import QUICK, Answer, FakeServer, Load

GUIDE = ROOT / "docs" / "guides" / "vllm.md"


def refused(load: Load, server: FakeServer, match: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=match):
        load(server=server)


def test_prefix_cache(load: Load) -> None:
    server = FakeServer()
    server.metrics = server.metrics.replace("False", "True")
    refused(load, server, "--no-enable-prefix-caching", BackendRefusedError)


def test_no_metrics_are_no_failure(load: Load) -> None:
    server = FakeServer()
    server.metrics = ""
    load(server=server)


class Mute(FakeServer):
    """A server whose metrics never come, or fail."""

    def __init__(self, failure: Exception | httpx.Response) -> None:
        super().__init__()
        self.failure = failure

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/metrics":
            return await super().handle(request)
        if isinstance(self.failure, Exception):
            raise self.failure
        return self.failure


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadTimeout(""),
        httpx.ReadError("broken off"),
        httpx.Response(500, text="it broke"),
        httpx.Response(503),
        httpx.Response(200, html="<html>a page</html>"),
    ],
    ids=str,
)
def test_metrics_that_do_not_come_are_no_failure(
    load: Load, failure: Exception | httpx.Response
) -> None:
    """A server whose page of metrics hung could not be loaded, for a route that nothing needs."""
    load(server=Mute(failure))


def test_a_look_that_takes_too_long_names_its_route_and_time(load: Load) -> None:
    class Slow(FakeServer):
        async def handle(self, request: httpx.Request) -> httpx.Response:
            if request.method == "GET" and request.url.path not in ("/v1/models", "/health"):
                raise httpx.ReadTimeout("")
            return await super().handle(request)

    with pytest.raises(BackendTimeoutError, match=r"gave no answer to /\S+ within 5 s; see"):
        load(server=Slow())


WORDS = "CUDA out of memory"


@pytest.mark.parametrize(
    "body",
    [{"message": WORDS}, {"error": {"message": WORDS, "code": 500}}, {"error": WORDS}],
    ids=str,
)
@pytest.mark.parametrize("path", ["/v1/models", "/tokenize", "/v1/completions", "/detokenize"])
def test_an_error_with_a_good_status_is_told_in_the_servers_words(
    load: Load, body: Answer, path: str
) -> None:
    """What was said was that 'choices' are lacking."""

    class Wrong(FakeServer):
        wrong = False

        async def handle(self, request: httpx.Request) -> httpx.Response:
            if self.wrong and request.url.path == path:
                return httpx.Response(200, json=body)
            return await super().handle(request)

    server = Wrong()
    if path == "/v1/models":
        server.wrong = True
        with pytest.raises(WrongAnswerError, match=f"{path} with an error and HTTP 200: {WORDS}"):
            load(server=server)
        return
    model = load(server=server)
    server.wrong = True
    calls: dict[str, Callable[[], object]] = {
        "/tokenize": lambda: model.encode("a text"),
        "/detokenize": lambda: model.decode((65,)),
        "/v1/completions": lambda: model.score(
            [ScoreRequest(prefix=(65,), continuations=((66,),))], Law()
        ),
    }
    with pytest.raises(WrongAnswerError, match=f"{path} with an error and HTTP 200: {WORDS}"):
        calls[path]()


def test_scores_that_depend_on_their_order(load: Load) -> None:
    server = FakeServer()

    def spoil(body: Answer, answer: Answer) -> None:
        if body.get("prompt_logprobs") is not None and len(body["prompt"]) > 4:
            place = answer["choices"][-1]["prompt_logprobs"][-1]
            next(iter(place.values()))["logprob"] -= 9.0

    server.edit = spoil
    refused(load, server, "are not the same", WrongAnswerError)


def test_logits_for_log_probabilities(load: Load) -> None:
    server = FakeServer()

    def spoil(body: Answer, answer: Answer) -> None:
        if body.get("prompt_logprobs") is not None:
            for place in answer["choices"][0]["prompt_logprobs"][1:]:
                next(iter(place.values()))["logprob"] = 12.5

    server.edit = spoil
    refused(load, server, "--logprobs-mode", WrongAnswerError)


def test_more_probability_than_there_is(load: Load) -> None:
    server = FakeServer()

    def spoil(body: Answer, answer: Answer) -> None:
        if body.get("prompt_logprobs"):
            for place in answer["choices"][0]["prompt_logprobs"][1:]:
                place.update({str(1000 + i): {"logprob": -0.5} for i in range(20)})

    server.edit = spoil
    refused(load, server, "gives no log-probabilities", WrongAnswerError)


def test_samples_from_another_law(load: Load) -> None:
    server = FakeServer()

    def spoil(body: Answer, answer: Answer) -> None:
        if body.get("logprobs") is not None:
            for choice in answer["choices"]:
                own = choice["logprobs"]["token_logprobs"]
                own[:] = [value / 2 for value in own]

    server.edit = spoil
    refused(load, server, "--generation-config vllm", WrongAnswerError)


def _processed(law: Law) -> Callable[[Answer, Answer], None]:
    """Return what makes a server's answers those of --logprobs-mode processed_logprobs.

    Prompts are scored by the model itself all the same.
    """

    def spoil(body: Answer, answer: Answer) -> None:
        if body.get("prompt_logprobs") is None:
            for choice in answer["choices"]:
                for place in choice["logprobs"]["top_logprobs"]:
                    best = sorted(place.values())[-law.top_k :]
                    place.update(
                        {
                            token: value / law.temperature if value >= best[0] else -9999.0
                            for token, value in place.items()
                        }
                    )

    return spoil


@pytest.mark.parametrize("law", [Law(temperature=0.5), Law(top_k=2)])
def test_log_probabilities_of_another_law_are_helped_by_that_of_the_model(
    load: Load, law: Law
) -> None:
    """Another dtype was advised, or to load the model anew, neither of which helps."""
    server = FakeServer()
    server.edit = _processed(law)
    advice = "start it with --generation-config vllm and without --logprobs-mode, and see that"
    refused(load, server, advice, WrongAnswerError)


def test_a_server_that_lists_too_few_tokens(load: Load) -> None:
    server = FakeServer()
    server.max_logprobs = TOP - 1
    refused(load, server, "--max-logprobs", BackendRefusedError)
    server.max_logprobs = TOP
    assert load(server=server).encode("a")
    assert f"| Optional: 20 unless given, and {TOP} at least." in GUIDE.read_text()


def test_no_prompt_log_probabilities(load: Load) -> None:
    server = FakeServer()

    def spoil(body: Answer, answer: Answer) -> None:
        if body.get("prompt_logprobs") is not None:
            for choice in answer["choices"]:
                choice["prompt_logprobs"] = None

    server.edit = spoil
    refused(load, server, "gave no list of log-probabilities", WrongAnswerError)


@pytest.mark.parametrize("kind", [FakeServer, FakePoolingServer])
def test_too_few_tokens_for_any_text(load: Load, kind: type[FakeServer]) -> None:
    """One that pools was loaded, and each text was refused; of one that generates a probe was."""
    for tokens in (1, 5, LEAST_TOKENS - 1):
        server = kind()
        server.max_model_len = tokens
        refused(load, server, f"takes texts of {tokens} tokens, and 32", BackendRefusedError)
    server = kind()
    server.max_model_len = LEAST_TOKENS
    assert load(server=server).encode("a")


def test_two_models_behind_one_name(load: Load) -> None:
    with pytest.raises(BackendRefusedError, match="serves another model than"):
        load(a=FakeServer(), b=FakeServer(ToyModel(prior=0.5)))


def test_a_key_that_one_of_two_refuses_is_not_put_off(load: Load) -> None:
    """It was left out with a warning, though no waiting makes it take the key."""
    servers = {name: FakeServer() for name in "ab"}
    servers["b"].key = "another"
    with pytest.raises(BackendKeyError, match="^http://b:8000 wants an API key"):
        load(**servers)
    servers["a"].key = "one"
    with pytest.raises(BackendKeyError, match="^http://b:8000 wants another API key"):
        load(replace(QUICK, api_key="one"), **servers)
