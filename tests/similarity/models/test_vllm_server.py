"""The backend for vLLM servers, against a scripted one: what it asks, and what it makes of it."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from similarity import Law, compare
from similarity.config import ComparisonConfig
from similarity.digests import digest
from similarity.errors import BackendRefusedError, ConfigError, InputError
from similarity.models.base import Ability, SampleRequest, ScoreRequest
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.identity import ROUNDED
from similarity.models.vllm_server.loader import load_server
from similarity.scorers import open_scorer
from similarity.vectors.profile import chosen_tokens
from tests.similarity.models.fake_server import (
    END,
    QUICK,
    Answer,
    FakeServer,
    Load,
    scoring,
    transport,
)

CONFIG = ComparisonConfig.build(n_trajectories=5, max_tokens=8)


def test_scores_are_the_models(load: Load) -> None:
    model = load(server=FakeServer())
    toy = ToyModel()
    for mine, truth in zip(model.score(scoring(), Law()), toy.score(scoring(), Law()), strict=True):
        for row, expected in zip(mine, truth, strict=True):
            np.testing.assert_allclose(row, expected, atol=1e-12)


@pytest.mark.longer
def test_a_comparison_is_scored_by_one_path(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    same = compare(model, "a red car", "a red car.", CONFIG)
    assert same.distance == 0.0
    result = compare(model, "a red car", "a blue boat", CONFIG)
    assert result.similarity < 1.0
    assert [trajectory.source for trajectory in result.trajectories] == [0] * 5 + [1] * 5
    assert {t.ended for t in result.trajectories if t.tokens < 8} <= {True}
    assert result.fingerprint.model.name == "toy"


@pytest.mark.longer
def test_the_same_seed_gives_the_same_trajectories(load: Load) -> None:
    first, second = (load(server=FakeServer()) for _ in range(2))
    one, two = (compare(model, "a red car", "a blue boat", CONFIG) for model in (first, second))
    assert one.to_dict() == two.to_dict()
    np.testing.assert_array_equal(one.log_likelihoods, two.log_likelihoods)


def test_what_ended_is_known_and_changes_nothing_of_the_model(load: Load) -> None:
    """The tokens that had ended a sample were left out of the profiles of all later texts."""
    model = load(server=FakeServer())
    chosen = chosen_tokens(model, 10_000)
    before = vars(model).copy()
    request = SampleRequest(prefix=(65, 66), n=40, max_tokens=8, key=7)
    (sampled,) = model.sample([request], Law())
    (end,) = ToyModel().end_ids
    assert [one.ended for one in sampled] == [one.token_ids[-1] == end for one in sampled]
    assert {one.ended for one in sampled} == {True, False}
    assert vars(model) == before
    assert chosen_tokens(model, 10_000) == chosen


def test_every_sampling_parameter_is_sent(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    law = Law(temperature=0.7, top_k=9, top_p=0.9)
    request = SampleRequest(prefix=(65, 66), n=3, max_tokens=4, key=2**64 - 1)
    model.sample([request], law)
    (body,) = (body for body in server.bodies if body["max_tokens"] > 1)
    assert body["prompt"] == [65, 66]
    assert (body["n"], body["max_tokens"]) == (3, 4)
    assert (body["temperature"], body["top_k"], body["top_p"], body["min_p"]) == (0.7, 9, 0.9, 0.0)
    assert body["repetition_penalty"] == 1.0
    assert body["presence_penalty"] == body["frequency_penalty"] == 0.0
    assert (body["ignore_eos"], body["min_tokens"], body["stop"]) == (False, 0, [])
    assert body["return_token_ids"] is True
    assert 0 <= body["seed"] < 2**63 - 3


def test_a_request_goes_on_where_another_stopped(load: Load) -> None:
    model = load(server=FakeServer())
    (whole,) = model.sample([SampleRequest(prefix=(65,), n=5, max_tokens=4, key=7)], Law())
    (rest,) = model.sample([SampleRequest(prefix=(65,), n=3, max_tokens=4, key=7, start=2)], Law())
    assert [c.token_ids for c in rest] == [c.token_ids for c in whole[2:]]


def test_many_prompts_go_in_one_request_and_equal_ones_once(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    request = ScoreRequest(prefix=(65,), continuations=((66,), (67,), (66,), (66, 67)))
    finished: list[int] = []
    ((first, _, third, _),) = model.score([request], Law(), finished.append)
    assert sum(finished) == 1
    np.testing.assert_array_equal(first, third)
    (body,) = server.bodies
    probe = [*model.identity.probe.prefix, *model.identity.probe.continuation]
    assert body["prompt"] == [probe, [65, 66], [65, 67], [65, 66, 67]]
    assert (body["max_tokens"], body["prompt_logprobs"]) == (1, 0)


def test_requests_to_score_are_sized_by_their_tokens(load: Load) -> None:
    server = FakeServer()
    config = ServerConfig(patience=0.5, request_tokens=40)
    model = load(config, server=server)
    requests = scoring()
    model.score(requests, Law())
    sizes = [sum(map(len, body["prompt"][1:])) for body in server.bodies]
    assert len(sizes) > 1
    assert max(sizes) <= 40
    wanted = sum(len(r.prefix) + len(c) for r in requests for c in r.continuations)
    assert sum(sizes) == wanted


def test_another_law_is_refused_before_anything_is_sampled(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    config = ComparisonConfig.build(temperature=0.5, n_trajectories=2, max_tokens=2)
    with pytest.raises(ConfigError, match="score_law model"):
        compare(model, "a", "b", config)
    assert server.bodies == []
    under_the_model = ComparisonConfig.build(
        temperature=0.5, n_trajectories=2, max_tokens=2, score_law="model"
    )
    assert compare(model, "a", "b", under_the_model).similarity > 0


def test_text_and_ids(load: Load) -> None:
    model = load(server=FakeServer())
    assert model.encode("naïve") == ToyModel().encode("naïve")
    assert model.encode_all(["a", "b"]) == [(97,), (98,)]
    assert model.encode_continuation(" b") == (32, 98)
    assert model.decode(model.encode("naïve 🙂")) == "naïve 🙂"


def test_a_text_that_spells_a_special_token_is_refused(load: Load) -> None:
    model = load(server=FakeServer())
    with pytest.raises(InputError, match=f"spells the special token '{END}'"):
        model.encode(f"to be {END} or not")
    with pytest.raises(InputError, match="spells the special token"):
        model.encode_continuation(f"{END}")
    assert model.encode("a <b> c") == ToyModel().encode("a <b> c")


@pytest.mark.longer
def test_what_identifies_the_model(load: Load) -> None:
    one, same, other = (
        load(server=FakeServer(ToyModel(prior=prior))) for prior in (0.02, 0.02, 0.5)
    )
    assert one.info == same.info
    assert one.info.revision != other.info.revision
    assert one.info.context_length == 256


@pytest.mark.longer
def test_rounding_over_an_edge_keeps_the_wanted_revision() -> None:
    server = FakeServer()
    network = transport(a=server)
    moved = 0.0

    def edit(_body: Answer, answer: Answer) -> None:
        for choice in answer["choices"]:
            for place in choice.get("prompt_logprobs", [None])[1:]:
                for token in place.values():
                    token["logprob"] -= moved

    def revision(address: str = "http://a:8000") -> str:
        model = load_server(address, QUICK, transport=network)
        model.close()
        return model.info.revision

    server.edit = edit
    first = revision()
    while (second := revision()) == first:
        moved += ROUNDED / 5
    # It passed the edge by less than a fifth, so that it was moved by less than ROUNDED since.
    moved += ROUNDED / 2
    assert revision() == second
    assert revision(f"http://a:8000#toy@{first}") == first
    moved += ROUNDED
    with pytest.raises(BackendRefusedError, match=f"serves 'toy' as {second}, not {first}"):
        revision(f"http://a:8000#toy@{first}")


def test_a_revision_is_what_it_was(load: Load) -> None:
    identity = load(server=FakeServer()).identity
    for number, named in [(-3.9749, "-3.97"), (-3.9751, "-3.98"), (-0.001, "-0.00")]:
        expected = f"probe:{digest(f'{identity.tokenizer} {named}'.encode())}"
        assert identity.revision_of("probe", [number], None) == expected
        assert identity.revision_of("probe", [number + 0.0049], expected) == expected
        assert identity.revision_of("probe", [number - 0.0049], expected) == expected
        assert identity.revision_of("probe", [number + 0.0151], expected) != expected


@pytest.mark.longer
def test_the_wanted_name_and_revision(load: Load) -> None:
    server = FakeServer(name="org/model-a")
    network = transport(a=server)
    model = load_server("http://a:8000#org/model-a", QUICK, transport=network)
    pinned = f"http://a:8000#org/model-a@{model.info.revision}"
    load_server(pinned, QUICK, transport=network).close()
    with pytest.raises(BackendRefusedError, match="serves org/model-a, not 'other'"):
        load_server("http://a:8000#other", QUICK, transport=network)
    with pytest.raises(BackendRefusedError, match="not probe:0"):
        load_server("http://a:8000#org/model-a@probe:0", QUICK, transport=network)
    server.names.append("adapter")
    with pytest.raises(BackendRefusedError, match="name one of them"):
        load_server("http://a:8000", QUICK, transport=network)


def test_threads_share_a_model(load: Load) -> None:
    model = load(server=FakeServer())
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: model.score(scoring(), Law()), range(8)))
    for result in results:
        np.testing.assert_array_equal(result[0][1], results[0][0][1])


def test_the_vocabulary_is_found_by_asking(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    assert model.vocab_size == ToyModel().vocab_size
    asked = len(server.bodies)
    assert model.vocab_size == ToyModel().vocab_size
    assert len(server.bodies) == asked < 30


def test_no_token_that_the_model_lacks_is_sent_to_be_read(load: Load) -> None:
    """The engine of vLLM 0.26 ended on the first of them, on a GPU."""
    server = FakeServer()
    size = load(server=server).vocab_size
    assert size is not None
    assert max(max(prompt) for prompt in server.scored) < size


class Unbiased(FakeServer):
    """Refuses any bias."""

    async def fault(self, request: httpx.Request, body: Answer) -> httpx.Response | None:
        if "logit_bias" in body:
            said = "logit_bias is not supported"
            return httpx.Response(400, json={"error": {"message": said}})
        return await super().fault(request, body)


class Unheeding(FakeServer):
    """Looks at no bias, and notes the largest id that it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.checks_biases = False
        self.largest = 0

    async def fault(self, request: httpx.Request, body: Answer) -> httpx.Response | None:
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        self.largest = max(self.largest, *(max(prompt) for prompt in prompts))
        return await super().fault(request, body)


@pytest.mark.parametrize("kind", [Unbiased, Unheeding])
def test_where_no_bias_is_looked_at_no_vocabulary_is_searched_for(
    load: Load, kind: type[FakeServer]
) -> None:
    """Ids were sent to be read, up to the first after the vocabulary."""
    server = kind()
    model = load(server=server)
    assert model.vocab_size is None
    assert Ability.TOKEN_LOG_PROBS not in model.abilities
    assert "does a gateway leave logit_bias out" in model.lacks
    if isinstance(server, Unheeding):
        assert server.largest < (ToyModel().vocab_size or 0)
    with pytest.raises(ConfigError, match="logit_bias"):
        open_scorer(model, "meaning")
    assert open_scorer(model).score([("a red car", "a blue boat")])
