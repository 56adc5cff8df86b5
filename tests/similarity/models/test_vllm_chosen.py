"""Log-probabilities of chosen tokens, and those of sampling, that a server gives."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import numpy as np
import pytest

from similarity import ComparisonConfig, Law, compare
from similarity.errors import (
    BackendRefusedError,
    ConfigError,
    UnsupportedError,
    WrongAnswerError,
)
from similarity.models.base import Ability, SampleRequest, TokenIds
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.chosen import read_chosen
from similarity.models.vllm_server.config import ServerConfig
from similarity.scorers import open_scorer
from similarity.vectors.general import open_vectors
from tests.similarity.models.fake_server import Answer, FakeServer, Load

TOY = ToyModel()
PREFIXES: list[TokenIds] = [TOY.encode(text) for text in ("a red car", "no", "a red car", "geese")]
EMPTY = {"index": 0, "prompt_token_ids": [5], "logprobs": {"top_logprobs": [{}]}}
CONFIG = ComparisonConfig.build(n_trajectories=3, max_tokens=5)


def test_they_are_the_models(load: Load) -> None:
    model = load(server=FakeServer())
    # More than one request may hold, out of order, one of them twice.
    tokens = [*range(250, 0, -1), 7]
    finished: list[int] = []
    found = model.next_log_probs(PREFIXES, tokens, finished.append)
    assert sum(finished) == len(PREFIXES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, TOY.next_log_probs(PREFIXES, tokens), atol=1e-5)
    assert model.next_log_probs([], [1, 2]).shape == (0, 2)
    assert model.next_log_probs(PREFIXES, []).shape == (4, 0)


def test_requests_are_of_bounded_size(load: Load) -> None:
    server = FakeServer()
    model = load(ServerConfig(request_tokens=12), server=server)
    server.bodies.clear()
    model.next_log_probs(PREFIXES, range(200))
    bodies = [body for body in server.bodies if "logprob_token_ids" in body]
    assert {len(body["logprob_token_ids"]) for body in bodies} <= {128, 74, 127, 73}
    # The probe goes with each.
    assert max(len(body["prompt"]) for body in bodies) == 1 + 2
    assert len(bodies) == 2 * 3


def test_a_server_with_another_model_is_found_out(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    server.model = ToyModel(prior=5.0)
    with pytest.raises(WrongAnswerError, match="another model than before"):
        model.next_log_probs(PREFIXES, [1, 2])


def test_one_that_changes_in_between_is_found_out(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)

    def change(body: Answer, _answer: Answer) -> None:
        if "logprob_token_ids" in body:
            server.model = ToyModel(prior=5.0)

    server.edit = change
    with pytest.raises(WrongAnswerError, match="another model than before"):
        model.next_log_probs(PREFIXES, [1, 2])


@pytest.mark.parametrize("value", [float("nan"), -9999.0, 0.5, None])
def test_numbers_that_are_none(load: Load, value: float | None) -> None:
    server = FakeServer()
    model = load(server=server)

    def spoil(body: Answer, answer: Answer) -> None:
        if "logprob_token_ids" in body:
            answer["choices"][-1]["logprobs"]["top_logprobs"][0]["token_id:2"] = value

    server.edit = spoil
    with pytest.raises(WrongAnswerError):
        model.next_log_probs(PREFIXES, [1, 2])


def test_numbers_under_other_tokens_are_not_said_to_be_rounding_alone(load: Load) -> None:
    """Where they are off by little, both causes are told."""
    server = FakeServer(ToyModel(prior=2.0))

    def roll(body: Answer, answer: Answer) -> None:
        if "logprob_token_ids" in body:
            for choice in answer["choices"]:
                listed = choice["logprobs"]["top_logprobs"][0]
                names, values = list(listed)[1:], list(listed.values())[1:]
                listed.update(zip(names, [*values[1:], values[0]], strict=True))

    server.edit = roll
    said = (
        "gives chosen tokens other log-probabilities .* if it is rounding .* take another dtype, "
        "or no quantization; else see whether it lists them under the right tokens, and start it"
    )
    with pytest.raises(WrongAnswerError, match=said):
        load(server=server)


def test_one_that_is_left_out(load: Load) -> None:
    with pytest.raises(WrongAnswerError, match="it must know logprob_token_ids"):
        read_chosen({"choices": [EMPTY]}, [(5,)], [3])


def sampled(model: object, law: Law) -> list[object]:
    request = SampleRequest(prefix=PREFIXES[0], n=4, max_tokens=6, key=3)
    (found,) = model.sample([request], law)  # type: ignore[attr-defined]
    return [continuation.log_probs for continuation in found]


def test_sampled_numbers_are_kept_where_they_are_as_good(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    assert all(kept is not None for kept in sampled(model, Law()))
    # Under another law a server gives those of the model.
    assert all(kept is None for kept in sampled(model, Law(top_k=5)))
    server.bodies.clear()
    result = compare(model, "a red car", "a blue boat", CONFIG)
    # The probe, what the other text's sampling gave, and one of each text's own for the check.
    assert len({tuple(prompt) for prompt in server.scored}) == 1 + 2 * 3 + 2
    model.identity = replace(model.identity, keeps_sampled=False)
    scored = compare(model, "a red car", "a blue boat", CONFIG)
    assert result.distance == pytest.approx(scored.distance, abs=1e-9)


@pytest.mark.longer
def test_sampled_numbers_are_scored_again_where_they_round_otherwise(load: Load) -> None:
    server = FakeServer()

    def round_otherwise(_body: Answer, answer: Answer) -> None:
        for choice in answer["choices"]:
            if log_probs := choice.get("logprobs", {}).get("token_logprobs"):
                log_probs[0] -= 0.01

    server.edit = round_otherwise
    model = load(server=server)
    assert all(kept is None for kept in sampled(model, Law()))
    server.bodies.clear()
    compare(model, "a red car", "a blue boat", CONFIG)
    assert len({tuple(prompt) for prompt in server.scored}) == 1 + 4 * 3


def probing(fault: Callable[[Answer, Answer], None]) -> FakeServer:
    """Return a server that spoils its answers to requests for chosen tokens."""
    server = FakeServer()

    def edit(body: Answer, answer: Answer) -> None:
        if "logprob_token_ids" in body:
            fault(body, answer)

    server.edit = edit
    return server


def spoilt(value: object) -> Callable[[Answer, Answer], None]:
    def fault(body: Answer, answer: Answer) -> None:
        listed = answer["choices"][-1]["logprobs"]["top_logprobs"][0]
        listed[f"token_id:{body['logprob_token_ids'][-1]}"] = value

    return fault


def left_out(body: Answer, answer: Answer) -> None:
    del answer["choices"][-1]["logprobs"]["top_logprobs"][0][
        f"token_id:{body['logprob_token_ids'][-1]}"
    ]


WRONG = [spoilt(float("nan")), spoilt(0.5), spoilt(None), spoilt(-9999.0), left_out]


class Glitching(FakeServer):
    """A server that answers requests for chosen tokens by a status, so often."""

    def __init__(self, status: int, said: str, times: int = 1000) -> None:
        super().__init__()
        self.status, self.said, self.times = status, said, times

    async def fault(self, request: httpx.Request, body: Answer) -> httpx.Response | None:
        if "logprob_token_ids" in body and self.times:
            self.times -= 1
            return httpx.Response(self.status, text=self.said)
        return await super().fault(request, body)


@pytest.mark.longer
@pytest.mark.parametrize("preset", ["fast", "meaning"])
def test_a_preset_that_a_server_cannot_serve_is_refused_with_the_cause(
    load: Load, preset: str
) -> None:
    """It said that the vectors had trajectories only, and not what the server had said."""
    server = FakeServer()
    server.gives_chosen = False
    # Of fewer tokens the prompt of the group `trajectories` leaves too little.
    server.max_model_len = 500
    model = load(server=server)
    for refused in (
        lambda: open_scorer(model, preset),
        lambda: open_vectors(None, model, preset=preset),
    ):
        with pytest.raises(ConfigError, match=r"trajectories only: no log-prob.*--max-logprobs"):
            refused()


class TestTheProbeAtLoading:
    """A failure that passes made the default preset another one, without a word."""

    @pytest.mark.parametrize("fault", WRONG)
    def test_a_wrong_answer_is_no_lack(
        self, load: Load, fault: Callable[[Answer, Answer], None]
    ) -> None:
        with pytest.raises(WrongAnswerError):
            load(server=probing(fault))

    @pytest.mark.parametrize(
        ("status", "said"),
        [(500, "it broke"), (404, "no model"), (400, "busy"), (200, '{"choices": [{"ind')],
    )
    def test_a_failure_is_no_lack(self, load: Load, status: int, said: str) -> None:
        with pytest.raises((BackendRefusedError, WrongAnswerError)):
            load(server=Glitching(status, said))

    @pytest.mark.longer
    def test_one_failure_that_passes_is_tried_again(self, load: Load) -> None:
        model = load(server=Glitching(500, "it broke", times=1))
        assert Ability.TOKEN_LOG_PROBS in model.abilities

    @pytest.mark.longer
    def test_one_of_two_is_left_out(self, load: Load, caplog: pytest.LogCaptureFixture) -> None:
        model = load(a=Glitching(500, "it broke", times=2), b=FakeServer())
        assert Ability.TOKEN_LOG_PROBS in model.abilities
        assert "left out until it answers: http://a:8000" in caplog.text
        np.testing.assert_allclose(
            model.next_log_probs(PREFIXES, [1, 2]), TOY.next_log_probs(PREFIXES, [1, 2]), atol=1e-5
        )

    @pytest.mark.longer
    @pytest.mark.parametrize(
        ("status", "said"),
        [
            (400, "Unknown field: logprob_token_ids"),
            (422, "Extra inputs are not permitted"),
            (400, "1 validation error for CompletionRequest"),
        ],
    )
    def test_a_refusal_of_the_field_is_a_lack(self, load: Load, status: int, said: str) -> None:
        model = load(server=Glitching(status, said))
        assert Ability.TOKEN_LOG_PROBS not in model.abilities
        with pytest.raises(UnsupportedError, match=said):
            model.next_log_probs(PREFIXES, [1, 2])

    @pytest.mark.longer
    def test_other_tokens_than_the_chosen_are_a_lack(self, load: Load) -> None:
        def others(_body: Answer, answer: Answer) -> None:
            for choice in answer["choices"]:
                choice["logprobs"]["top_logprobs"] = [{f"token_id:{i}": -3.0 for i in range(9)}]

        model = load(server=probing(others))
        assert Ability.TOKEN_LOG_PROBS not in model.abilities

    def test_no_list_at_all_is_a_lack(self, load: Load) -> None:
        def none(_body: Answer, answer: Answer) -> None:
            for choice in answer["choices"]:
                choice["logprobs"] = None

        assert Ability.TOKEN_LOG_PROBS not in load(server=probing(none)).abilities


@pytest.mark.longer
def test_a_lack_is_warned_of_with_its_cause(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load(server=FakeServer())
    assert not caplog.records
    load(server=Glitching(400, "Unknown field: logprob_token_ids"))
    (record,) = caplog.records
    assert "the default preset is paper" in record.getMessage()
    assert "Unknown field: logprob_token_ids" in record.getMessage()
