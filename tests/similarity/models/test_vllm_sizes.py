"""What a server may answer at most is more than it ever has to, and follows from the request."""

import json

import pytest

from similarity.law import Law
from similarity.models.base import SampleRequest
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.chosen import MAX_CHOSEN, chosen_body
from similarity.models.vllm_server.image_wire import image_body
from similarity.models.vllm_server.pooled_states import states_body
from similarity.models.vllm_server.scoring import scoring_body
from similarity.models.vllm_server.sizes import most_bytes
from similarity.models.vllm_server.wire import Prompt

# As vLLM lists one, of a token whose text takes much room in JSON.
LISTED = {
    "123456": {"logprob": -12.345678901234567, "rank": 123456, "decoded_token": "\u4e2d" * 16}
}
TOKENS = 20_000
IDS = tuple(range(TOKENS))


def size(number: int) -> int:
    return number * len(json.dumps(LISTED))


@pytest.mark.parametrize("top", [0, 20])
def test_scores_fit(top: int) -> None:
    body = scoring_body("m", [Prompt(IDS[:9], IDS[9:])], top=top)
    assert most_bytes(body) > size(TOKENS * (1 + top))


def test_samples_fit() -> None:
    request = SampleRequest(prefix=(1,), n=100, max_tokens=500, key=0)
    assert most_bytes(wire.sampling_body("m", request, Law(), log_probs=True)) > size(50_000)


def test_chosen_tokens_fit() -> None:
    body = chosen_body("m", [(1,)] * 500, range(MAX_CHOSEN))
    assert most_bytes(body) > size(500 * (MAX_CHOSEN + 1))


def test_states_fit() -> None:
    assert most_bytes(states_body("m", [(1,)] * 256)) > 256 * 16_384 * 4 * 4 // 3


def test_the_tokens_of_an_image_fit() -> None:
    body = image_body("m", "data:", (1, 2), {"prompt_logprobs": 20})
    assert most_bytes(body) > size(8_000 * 21)


def test_ids_and_strings_of_a_text_fit() -> None:
    text = "\U0001f642" * TOKENS
    tokens = [123_456] * 4 * len(text)
    answer = {"tokens": tokens, "token_strs": ["\u0120\u0120"] * len(tokens)}
    assert most_bytes({"model": "m", "prompt": text}) > len(json.dumps(answer))
    assert most_bytes({"model": "m", "tokens": tokens}) > len(json.dumps(text))


def test_little_is_expected_where_little_is_asked() -> None:
    short = scoring_body("m", [Prompt((1,), (2, 3))])
    assert most_bytes(None) <= most_bytes(short) < 5 * 2**20
