"""A real server against the model in this process: the same ids, the same numbers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from similarity import ComparisonConfig, Law, compare, compare_pairs
from similarity.errors import InputError, TextTooLongError
from similarity.models.base import Ability, SampleRequest, ScoreRequest
from similarity.models.local import LocalModel
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.loader import load_server
from similarity.models.vllm_server.model import ServerModel
from similarity.models.vllm_server.wanted import TOKENIZER_PROBES
from similarity.noise import text_key
from tests.conftest import ROOT
from tests.vllm.servers import ENVIRONMENT, PYTHON, Server

TEXTS = (
    "A man is playing a guitar.",
    "A woman is slicing an onion.",
    "The stock market fell sharply on Tuesday.",
    "Two dogs run through the snow.",
    "naïve Übermut, 北京 and 🙂",
    "It is.",
)
LAW = Law()
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def model(server: Server) -> Iterator[ServerModel]:
    model = load_server(server.url)
    yield model
    model.close()


@pytest.fixture(scope="module")
def sampled(model: ServerModel) -> list[ScoreRequest]:
    """Return the texts with their continuations, sampled by the server."""
    requests = sample_requests(model)
    return [
        ScoreRequest(
            prefix=request.prefix, continuations=tuple(one.token_ids for one in continuations)
        )
        for request, continuations in zip(requests, model.sample(requests, LAW), strict=True)
    ]


def sample_requests(model: ServerModel) -> list[SampleRequest]:
    return [
        SampleRequest(prefix=model.encode(text), n=20, max_tokens=20, key=text_key(0, text))
        for text in TEXTS
    ]


def test_ids_are_the_tokenizers(model: ServerModel, local: LocalModel) -> None:
    for text in (*TEXTS, *TOKENIZER_PROBES, " ", "\n", "x" * 300):
        assert model.encode(text) == local.encode(text)
        assert model.encode_continuation(text) == local.encode_continuation(text)
        assert model.decode(model.encode(text)[1:]) == text


def test_scores_are_the_local_models(
    model: ServerModel, local: LocalModel, sampled: list[ScoreRequest]
) -> None:
    # Each text's continuations under another text too: own and cross.
    crossed = [
        ScoreRequest(prefix=one.prefix, continuations=one.continuations + other.continuations)
        for one, other in zip(sampled, sampled[1:] + sampled[:1], strict=True)
    ]
    pairs = 0
    for mine, other in zip(model.score(crossed, LAW), local.score(crossed, LAW), strict=True):
        for row, expected in zip(mine, other, strict=True):
            np.testing.assert_allclose(row, expected, atol=TOLERANCE)
            pairs += 1
    assert pairs >= 200


def test_sampled_tokens_own_scores_are_the_rescored(server: Server, model: ServerModel) -> None:
    for request in sample_requests(model)[:3]:
        body = wire.sampling_body("embedded", request, LAW, log_probs=True)
        answer = httpx.post(f"{server.url}{wire.COMPLETIONS}", json=body, timeout=300.0)
        samples = wire.read_samples(answer.json(), request)
        continuations = tuple(sample.token_ids for sample in samples)
        (scored,) = model.score(
            [ScoreRequest(prefix=request.prefix, continuations=continuations)], LAW
        )
        for sample, row in zip(samples, scored, strict=True):
            assert sample.log_probs is not None
            np.testing.assert_allclose(sample.log_probs, row, atol=TOLERANCE)


def test_chosen_tokens_are_the_local_models(model: ServerModel, local: LocalModel) -> None:
    assert Ability.TOKEN_LOG_PROBS in model.abilities
    prefixes = [local.encode(text) for text in (*TEXTS, TEXTS[0])]
    # More than one request may hold, one of them twice.
    tokens = [*range(0, 3000, 10), 20]
    found = model.next_log_probs(prefixes, tokens)
    np.testing.assert_allclose(found, local.next_log_probs(prefixes, tokens), atol=TOLERANCE)


def test_sampled_log_probs_are_kept_in_single_precision(
    model: ServerModel, sampled: list[ScoreRequest]
) -> None:
    (again,) = model.sample(sample_requests(model)[:1], LAW)
    scored = model.score(sampled[:1], LAW)[0]
    for continuation, row in zip(again, scored, strict=True):
        assert continuation.log_probs is not None
        np.testing.assert_allclose(continuation.log_probs, row, atol=TOLERANCE)


def test_scores_do_not_depend_on_order_or_batch(
    server: Server, model: ServerModel, sampled: list[ScoreRequest]
) -> None:
    first = model.score(sampled, LAW)
    backwards = [
        ScoreRequest(prefix=one.prefix, continuations=one.continuations[::-1])
        for one in reversed(sampled)
    ]
    other_order = [rows[::-1] for rows in model.score(backwards, LAW)[::-1]]
    small = load_server(server.url, ServerConfig(request_tokens=64, in_flight=2))
    one_by_one = small.score(sampled, LAW)
    small.close()
    for others in (other_order, one_by_one):
        for rows, expected in zip(others, first, strict=True):
            for row, same in zip(rows, expected, strict=True):
                np.testing.assert_allclose(row, same, atol=TOLERANCE)


def test_sampling_does_not_depend_on_the_batch(
    model: ServerModel, sampled: list[ScoreRequest]
) -> None:
    request = sample_requests(model)[2]
    (alone,) = model.sample([request], LAW)
    assert tuple(one.token_ids for one in alone) == sampled[2].continuations


def test_a_text_is_like_itself(model: ServerModel) -> None:
    assert compare(model, TEXTS[0], TEXTS[0]).distance == 0.0


def test_two_starts_give_the_same_similarity(servers: tuple[Server, Server]) -> None:
    one, two = (load_server(server.url) for server in servers)
    pairs = [(TEXTS[0], TEXTS[1]), (TEXTS[2], TEXTS[3])]
    config = ComparisonConfig.build()
    found = (compare_pairs(model, pairs, config) for model in (one, two))
    for first, second in zip(*found, strict=True):
        assert first.similarity == pytest.approx(second.similarity, abs=1e-6)
        assert [t.text for t in first.trajectories] == [t.text for t in second.trajectories]
        assert first.fingerprint.digest == second.fingerprint.digest
    one.close()
    two.close()


def test_another_law_to_sample(model: ServerModel) -> None:
    config = ComparisonConfig.build(top_k=1, score_law="model", n_trajectories=3)
    result = compare(model, TEXTS[0], TEXTS[1], config)
    assert len({trajectory.text for trajectory in result.trajectories[:3]}) == 1


def test_the_longest_text(model: ServerModel) -> None:
    config = ComparisonConfig.build(n_trajectories=2, max_tokens=8)
    room = model.info.context_length - config.sampling.max_tokens
    text = "a" + " a" * room
    while len(model.encode(text)) > room:
        text = text[:-2]
    assert len(model.encode(text)) == room
    prompt = ComparisonConfig.build(n_trajectories=2, max_tokens=8, full_stop=False)
    assert compare(model, text, TEXTS[0], prompt).similarity > 0
    with pytest.raises(TextTooLongError):
        compare(model, text + " a", TEXTS[0], prompt)


def test_a_special_token_in_a_text(model: ServerModel) -> None:
    with pytest.raises(InputError, match="spells the special token '</s>'"):
        compare(model, "He said </s> and left", TEXTS[0])


def test_an_interrupted_call_ends_its_requests(server: Server, model: ServerModel) -> None:
    requests = [
        SampleRequest(prefix=model.encode(f"Text {i}"), n=20, max_tokens=400, key=i)
        for i in range(8)
    ]

    def stop(_finished: int) -> None:
        if server.metric("vllm:num_requests_running") > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.sample(requests, LAW, stop)
    limit = time.monotonic() + 60
    while server.metric("vllm:num_requests_running") + server.metric("vllm:num_requests_waiting"):
        assert time.monotonic() < limit
        time.sleep(0.2)
    # Far fewer than all of their tokens were sampled, or this would have lasted.
    assert server.metric("vllm:generation_tokens_total") < 8 * 20 * 400


def test_the_command_line(server: Server) -> None:
    command = [sys.executable, "-m", "similarity", "compare", "--model", server.url, "--json"]
    result = subprocess.run(
        [*command, *TEXTS[:2]], capture_output=True, text=True, cwd=ROOT, check=True
    )
    found = json.loads(result.stdout)
    assert 0 < found["similarity"] < 1
    assert found["fingerprint"]["model"]["name"] == "embedded"


def test_the_engine_without_a_server(server: Server) -> None:
    assert PYTHON is not None
    arguments = ["compare", "--json", *TEXTS[:2], "--model"]
    engine = {"enforce_eager": True}
    found = []
    in_engine = [f"vllm:{server.model}", "--dtype", "float32"]
    for python, model in ((PYTHON, in_engine), (sys.executable, [server.url])):
        result = subprocess.run(
            [python, "-m", "similarity", *arguments, *model],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | ENVIRONMENT | {"TRAJSIM_VLLM_ENGINE": json.dumps(engine)},
            check=False,
        )
        assert result.returncode == 0, result.stderr[-4000:]
        found.append(json.loads(result.stdout))
    offline, served = found
    assert offline["similarity"] == pytest.approx(served["similarity"], abs=1e-6)
