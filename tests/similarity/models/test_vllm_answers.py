"""A number that cannot be right is never scored."""

import math
from collections.abc import Callable

import pytest

from similarity import Law
from similarity.errors import ModelChangedError, WrongAnswerError
from similarity.models.base import SampleRequest
from similarity.models.toy import ToyModel
from tests.similarity.models.fake_server import Answer, FakeServer, Load, scoring


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


def test_another_prompt_than_was_sent(load: Load) -> None:
    """As of something between that cuts prompts, or mixes answers up."""

    def change(_body: Answer, answer: Answer) -> None:
        for choice in answer["choices"]:
            choice["prompt_token_ids"] = [66]

    wrong(load, "went on from another prompt", change, sample=True)


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
