"""Answers of servers with null, lists, texts or huge numbers in any place: each ends in words."""

import base64
import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from similarity.errors import ModelError, WrongAnswerError
from similarity.images.sources import probe_images
from similarity.law import Law
from similarity.models.base import SampleRequest
from similarity.models.toy import ToyModel
from similarity.models.vllm_server import chosen, image_wire, scoring, wire
from similarity.models.vllm_server.image_wire import ServedPrefix
from similarity.models.vllm_server.pooled_states import read_states
from similarity.models.vllm_server.wire import Prompt
from tests.similarity.models.fake_pooling_server import FakePoolingServer
from tests.similarity.models.fake_server import Answer, FakeServer, Load

REQUEST = SampleRequest(prefix=(6,), n=1, max_tokens=2, key=0)
PROMPT = Prompt((6,), (2, 3))
IMAGE = ServedPrefix(probe_images()[0], (1, 9), (1, 9, 9))
STATE = base64.b64encode(np.ones(2, "<f4").tobytes()).decode()
SCORED = {
    "choices": [
        {
            "index": 0,
            "prompt_token_ids": [6, 2, 3],
            "prompt_logprobs": [None, {"2": {"logprob": -1.0}}, {"3": {"logprob": -2.0}}],
        }
    ]
}
SAMPLED = {
    "choices": [
        {
            "index": 0,
            "prompt_token_ids": [6],
            "token_ids": [4, 5],
            "text": "ab",
            "finish_reason": "length",
            "logprobs": {"token_logprobs": [-1.0, -2.0]},
        }
    ]
}
PLACE = {"top_logprobs": [{"token_id:7": -1.0}]}
CHOSEN = {"choices": [{"index": 0, "prompt_token_ids": [6], "token_ids": [7], "logprobs": PLACE}]}
LISTED = {"top_logprobs": [{"token_id": 7, "logprob": -1.0}]}
CHOSEN_AFTER_AN_IMAGE = {
    "prompt_token_ids": [1, 9, 9],
    "choices": [{"index": 0, "logprobs": {"content": [LISTED]}}],
}
# What reads an answer, and one that has nothing but what is read.
READERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "models": (wire.read_models, {"data": [{"id": "m", "max_model_len": 9}]}),
    "tokens": (wire.read_ids, {"tokens": [1, 2], "token_strs": ["a", "b"]}),
    "text": (wire.read_text, {"prompt": "a"}),
    "samples": (partial(wire.read_samples, request=REQUEST, log_probs=True), SAMPLED),
    "scores": (partial(scoring.read_scores, prompts=[PROMPT]), SCORED),
    "mass": (partial(scoring.read_top_mass, prompt=PROMPT), SCORED),
    "top": (
        lambda answer: scoring.top_of(
            wire.completions_of(answer, [PROMPT.token_ids])[0], PROMPT, 1
        ),
        SCORED,
    ),
    "chosen": (partial(chosen.read_chosen, prefixes=[(6,)], token_ids=[7]), CHOSEN),
    "states": (partial(read_states, count=1), {"data": [{"index": 0, "embedding": STATE}]}),
    "message": (image_wire.read_message, {"prompt_text": "a", "prompt_token_ids": [1]}),
    "prompt": (image_wire.read_prompt, {"prompt_token_ids": [1]}),
    "chosen after an image": (
        partial(image_wire.read_image_chosen, prefix=IMAGE, token_ids=[7]),
        CHOSEN_AFTER_AN_IMAGE,
    ),
}
ODD = [None, "1", "x", "\ud800", [], [None], {}, {"logprob": None}, True, 10**400]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within a value, its own first."""
    yield path
    inside = dict(enumerate(value)) if isinstance(value, list) else value
    for key, inner in inside.items() if isinstance(inside, dict) else ():
        yield from places(inner, (*path, key))


def changed(answer: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    whole = copy.deepcopy(answer)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return whole


def allowed(old: Any, path: tuple[Any, ...]) -> list[Any]:
    """Return the odd values that may stand in the place of a value."""
    if isinstance(old, str) and path[-1] not in ("finish_reason", "embedding"):
        return ["1", "x"]
    return [[]] if path in [("data",), ("prompt_token_ids",)] else []


def refusal(read: Callable[[Any], Any], answer: Any) -> str:
    with pytest.raises(WrongAnswerError) as told:
        read(answer)
    return str(told.value)


@pytest.mark.parametrize("name", READERS)
def test_every_value_of_another_kind_is_told(name: str) -> None:
    read, answer = READERS[name]
    read(answer)
    for path in places(answer):
        if path[-2:] == ("prompt_logprobs", 0):
            continue  # null, as the first token of a prompt has no log-probability
        old = answer
        for key in path:
            old = old[key]
        for value in ODD:
            if value in allowed(old, path):
                continue
            assert len(refusal(read, changed(answer, path, value))) < 250, (path, value)


def test_an_adapter_has_the_length_of_its_parent() -> None:
    # As vLLM lists what was loaded by --lora-modules.
    base = {"id": "base", "max_model_len": 9, "parent": None}
    adapter = {"id": "tuned", "max_model_len": None, "parent": "base"}
    assert wire.read_models({"data": [base, adapter]}) == {"base": 9, "tuned": 9}
    assert "is it a vLLM server" in refusal(wire.read_models, {"data": [adapter]})


def test_a_sum_of_probabilities_that_is_no_number_is_refused() -> None:
    place = {"3": {"logprob": -2.0}, "4": {"logprob": math.nan}}
    answer = changed(SCORED, ("choices", 0, "prompt_logprobs", 2), place)
    assert math.isnan(scoring.read_top_mass(answer, PROMPT))


@pytest.mark.parametrize("own", [None, {}, {"token_logprobs": []}, {"token_logprobs": [None] * 8}])
def test_a_server_that_gives_no_numbers_of_what_it_samples_is_refused(
    load: Load, own: object
) -> None:
    server = FakeServer()

    def spoil(body: Answer, answer: Answer) -> None:
        if body.get("logprobs") is not None and "logprob_token_ids" not in body:
            for choice in answer["choices"]:
                choice["logprobs"] = own

    server.edit = spoil
    with pytest.raises(WrongAnswerError, match="^http://server:8000 gave (no|an|0) "):
        load(server=server)


def test_states_of_another_width_are_of_another_model(load: Load) -> None:
    server = FakePoolingServer()
    model = load(server=server)
    server.pooled = lambda states: states[-1][:-1]
    with pytest.raises(ModelError, match="another model than before"):
        model.next_states([(65, 66)])


def half(choices: list[Answer]) -> None:
    for choice in choices:
        given = choice["logprobs"]["token_logprobs"]
        choice["logprobs"]["token_logprobs"] = [value / 2 for value in given]


def strange(choices: list[Answer]) -> None:
    choices[1]["token_ids"][-1] = token = ToyModel().vocab_size
    choices[1]["logprobs"]["tokens"][-1] = f"token_id:{token}"


@pytest.mark.parametrize(
    ("spoil", "law", "match"),
    [
        (half, Law(), "gives sampled tokens other log-probabilities than at loading, .* nats"),
        (strange, Law(), "sampled token 257 and does not score it"),
        (strange, Law(temperature=0.5), "sampled token 257 and does not score it"),
    ],
)
def test_what_was_sampled_is_compared_with_what_is_scored(
    load: Load, spoil: Callable[[list[Answer]], None], law: Law, match: str
) -> None:
    """The client was said to have given the token, and half the numbers gave a wrong score."""
    server = FakeServer()
    model = load(server=server)
    request = SampleRequest(prefix=(65, 66), n=3, max_tokens=4, key=1)
    assert len(model.sample([request], law)[0]) == 3

    def edit(body: Answer, answer: Answer) -> None:
        if body.get("prompt_logprobs") is None:
            spoil(answer["choices"])

    server.edit = edit
    with pytest.raises(WrongAnswerError, match=match):
        model.sample([request], law)
