"""A number that cannot be right is never scored."""

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest

from similarity import Law
from similarity.errors import ModelChangedError, WrongAnswerError
from similarity.models.base import SampleRequest, ScoreRequest
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.model import ServerModel
from tests.similarity.models.fake_server import Answer, FakeServer, Load, scoring

# Prompts of one length and one end: a list of the one names the tokens of the other.
ALIKE = [ScoreRequest(prefix=(first, 66), continuations=((67, 68),)) for first in (65, 70, 71)]
PREFIXES = [request.prefix for request in ALIKE]
CHOSEN = range(63, 72)
SAMPLED = SampleRequest(prefix=(65,), n=2, max_tokens=5, key=1)
CALLS: dict[str, Callable[[ServerModel], object]] = {
    "scores": lambda model: model.score(ALIKE, Law()),
    "top tokens": lambda model: model.top_distributions(ALIKE, Law(), 3),
    "chosen tokens": lambda model: model.next_log_probs(PREFIXES, CHOSEN),
    "samples": lambda model: model.sample([SAMPLED], Law()),
}


def wrong(
    load: Load, match: str, change: Callable[[Answer, Answer], object], *, sample: bool = False
) -> None:
    server = FakeServer()
    model = load(server=server)
    server.edit = change
    request = SampleRequest(prefix=(65,), n=2, max_tokens=5, key=1)
    with pytest.raises(WrongAnswerError, match=match):
        model.sample([request], Law()) if sample else model.score(scoring(), Law())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -9999.0])
def test_not_finite(load: Load, value: float) -> None:
    def change(_body: Answer, answer: Answer) -> None:
        answer["choices"][2]["prompt_logprobs"][-1] = {
            key: {"logprob": value} for key in answer["choices"][2]["prompt_logprobs"][-1]
        }

    wrong(load, "not finite or were cut off", change)


def test_too_few_answers(load: Load) -> None:
    wrong(load, "gave 16 answers", lambda _body, answer: answer["choices"].pop())


def test_too_few_tokens(load: Load) -> None:
    wrong(load, "log-probabilities for", lambda _, a: a["choices"][1]["prompt_logprobs"].pop())


def test_another_token(load: Load) -> None:
    def change(_body: Answer, answer: Answer) -> None:
        answer["choices"][1]["prompt_logprobs"][-1] = {"1": {"logprob": -1.0}}

    wrong(load, "left out", change)


def test_another_shape(load: Load) -> None:
    wrong(load, "another shape", lambda _body, answer: answer.clear())


def test_no_token_ids(load: Load) -> None:
    wrong(load, "return_token_ids", lambda _, a: a["choices"][0].pop("token_ids"), sample=True)


@pytest.mark.parametrize("token", [-1, 2**40, "7", 1.5])
def test_something_else_than_token_ids(load: Load, token: object) -> None:
    def change(_body: Answer, answer: Answer) -> None:
        answer["choices"][0] |= {"token_ids": [token] * 5, "finish_reason": "length"}

    wrong(load, "something else than token ids", change, sample=True)


def test_cut_short(load: Load) -> None:
    def change(_body: Answer, answer: Answer) -> None:
        answer["choices"][0] |= {"token_ids": [1, 2], "finish_reason": "length"}

    wrong(load, "2 tokens, finished by 'length', where 5", change, sample=True)


def test_broken_off(load: Load) -> None:
    wrong(
        load,
        "finished by 'abort'",
        lambda _, a: a["choices"][0].update(finish_reason="abort"),
        sample=True,
    )


def test_another_model_behind_the_address(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    server.model = ToyModel(prior=0.5)
    with pytest.raises(WrongAnswerError, match="another model than before"):
        model.score(scoring(), Law())
    with pytest.raises(ModelChangedError, match="another model than before"):
        model.sample([SampleRequest(prefix=(65,), n=2, max_tokens=3, key=1)], Law())
    server.model = ToyModel()
    assert model.score(scoring(), Law())


@pytest.mark.longer
def test_a_server_that_gets_another_model_is_left_out(load: Load) -> None:
    changed, same = FakeServer(), FakeServer()
    model = load(changed=changed, same=same)
    changed.model = ToyModel(prior=0.5)
    requests = [SampleRequest(prefix=(65,), n=2, max_tokens=3, key=key) for key in range(20)]
    found = model.sample(requests, Law())
    wanted = load(untouched=FakeServer()).sample(requests, Law())
    assert [[one.token_ids for one in row] for row in found] == [
        [one.token_ids for one in row] for row in wanted
    ]
    assert len(model.score(scoring(), Law())) == len(scoring())


def of_another(choices: list[Answer]) -> None:
    choices[-1]["prompt_token_ids"] = [66, *choices[-1]["prompt_token_ids"][1:]]


def cut(choices: list[Answer]) -> None:
    choices[-1]["prompt_token_ids"] = choices[-1]["prompt_token_ids"][1:]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("change", [of_another, cut])
def test_another_prompt_than_was_sent(
    load: Load, name: str, change: Callable[[list[Answer]], None]
) -> None:
    """As of something between that cuts prompts."""
    server = FakeServer()
    model = load(server=server)
    server.edit = lambda _body, answer: change(answer["choices"])
    with pytest.raises(WrongAnswerError, match="to another prompt than was sent"):
        CALLS[name](model)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("given", [None, "1", {}])
def test_no_ids_of_the_prompt(load: Load, name: str, given: object) -> None:
    server = FakeServer()
    model = load(server=server)
    server.edit = lambda _body, answer: answer["choices"][-1].update(prompt_token_ids=given)
    with pytest.raises(WrongAnswerError, match="it must know return_token_ids"):
        CALLS[name](model)


@pytest.mark.parametrize("name", ["scores", "top tokens", "chosen tokens"])
@pytest.mark.parametrize("again", [False, True])
def test_answers_of_one_request_that_were_mixed_up(load: Load, name: str, again: bool) -> None:
    """They were taken: the numbers of one text were those of another."""
    server = FakeServer()
    model = load(server=server)

    def mix(_body: Answer, answer: Answer) -> None:
        one, other = answer["choices"][-2:] if len(answer["choices"]) > 2 else ({}, {})
        numbers = one.get("index"), other.get("index")
        kept = copy.deepcopy(one)
        one.update(other, index=numbers[0])
        if not again:
            other.update(kept, index=numbers[1])

    server.edit = mix
    with pytest.raises(WrongAnswerError, match="to another prompt than was sent"):
        CALLS[name](model)


def test_the_answer_of_another_request(load: Load) -> None:
    """It was taken: it has as many prompts and the same tokens."""
    server = FakeServer()
    model = load(server=server)
    kept: list[Answer] = []

    def keep(body: Answer, answer: Answer) -> None:
        if "logprob_token_ids" in body:
            kept.append(copy.deepcopy(answer))

    server.edit = keep
    model.next_log_probs(PREFIXES[:1], CHOSEN)

    def give(body: Answer, answer: Answer) -> None:
        if "logprob_token_ids" in body:
            answer.update(kept[0])

    server.edit = give
    with pytest.raises(WrongAnswerError, match="to another prompt than was sent"):
        model.next_log_probs(PREFIXES[1:2], CHOSEN)


def certain(body: Answer, choice: Answer) -> None:
    """Give each token that is listed at a place all of the probability."""
    if "logprob_token_ids" in body:
        listed = choice["logprobs"]["top_logprobs"][0]
        listed.update(dict.fromkeys(listed, 0.0))
    elif body["prompt_logprobs"]:
        for listed in choice["prompt_logprobs"][-1].values():
            listed["logprob"] = 0.0


def excessive(body: Answer, choice: Answer) -> None:
    """Give what is listed at a place slightly more than all of the probability together."""
    if "logprob_token_ids" in body:
        listed = choice["logprobs"]["top_logprobs"][0]
        # By the token that was sampled, which is listed beside the chosen.
        sampled = set(listed) - {f"token_id:{token}" for token in CHOSEN}
        others = sum(math.exp(listed[name]) for name in set(listed) - sampled)
        listed.update({name: math.log((1.01 - others) / len(sampled)) for name in sampled})
    elif body["prompt_logprobs"]:
        listed = choice["prompt_logprobs"][-1]
        for one in listed.values():
            one["logprob"] = math.log(1.01 / len(listed))


@pytest.mark.parametrize("name", ["top tokens", "chosen tokens"])
@pytest.mark.parametrize("change", [certain, excessive])
def test_more_than_all_probability_at_one_place(
    load: Load, name: str, change: Callable[[Answer, Answer], None]
) -> None:
    """They were taken, and kept on disk where general sentences were read."""
    server = FakeServer()
    model = load(server=server)
    server.edit = lambda body, answer: change(body, answer["choices"][-1])
    with pytest.raises(WrongAnswerError, match=r"probabilities sum to [1-9][.0-9]*, and 1 is"):
        CALLS[name](model)


def test_an_impossible_answer_is_asked_for_again(load: Load) -> None:
    server = FakeServer()
    model = load(one=server, other=FakeServer())
    server.edit = lambda body, answer: certain(body, answer["choices"][-1])
    for _ in range(3):
        found = model.next_log_probs(PREFIXES, CHOSEN)
        np.testing.assert_allclose(found, ToyModel().next_log_probs(PREFIXES, CHOSEN), atol=1e-5)


def test_prompts_that_are_cut_before_chosen_tokens_are_read(load: Load) -> None:
    server = FakeServer()
    model = load(server=server)
    prefixes = [(65, 66, 67), (68,)]
    sent = 0

    def change(body: Answer, answer: Answer) -> None:
        nonlocal sent
        sent = sum(map(len, body["prompt"]))
        answer["usage"] = {"prompt_tokens": sent}

    server.edit = change
    assert model.next_log_probs(prefixes, [3, 1]).shape == (2, 2)
    server.edit = lambda _body, answer: answer.update(usage={"prompt_tokens": sent - 1})
    with pytest.raises(WrongAnswerError, match="tokens where .* were sent"):
        model.next_log_probs(prefixes, [3, 1])


def test_an_answer_that_names_another_model(load: Load) -> None:
    """As of a gateway that turns to another where one fails; an alias is no other."""
    server = FakeServer()
    server.edit = lambda _body, answer: answer.update(model="alias")
    model = load(server=server)
    request = SampleRequest(prefix=(65,), n=2, max_tokens=5, key=1)
    assert model.sample([request], Law())
    server.edit = lambda _body, answer: answer.update(model="other")
    with pytest.raises(ModelChangedError, match="answers as model 'other', .* 'alias' before"):
        model.sample([request], Law())


@pytest.mark.parametrize("law", [Law(), Law(temperature=0.7)])
@pytest.mark.parametrize("number", range(4))
def test_ids_of_any_sample_that_were_changed_are_refused(load: Load, number: int, law: Law) -> None:
    """Those of the one sample that is scored were found out, and no others."""
    server = FakeServer()
    model = load(server=server)

    def change(_body: Answer, answer: Answer) -> None:
        if "token_ids" in answer["choices"][0]:
            ids = answer["choices"][number]["token_ids"]
            ids[0] = (ids[0] + 1) % 100

    server.edit = change
    request = SampleRequest(prefix=(65, 66), n=4, max_tokens=3, key=5)
    with pytest.raises(WrongAnswerError, match="other tokens than it says that it sampled"):
        model.sample([request], law)
