"""Numbers that stand in another choice of an answer, beside the right token ids of its prompt."""

from collections.abc import Callable

import numpy as np
import pytest

from similarity import Law
from similarity.errors import WrongAnswerError
from similarity.models.base import ScoreRequest
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.model import ServerModel
from tests.similarity.models.fake_server import Answer, FakeServer, Load

TOY = ToyModel()
# Of one length and one end, as texts within one prompt are.
PREFIXES = [(65, first, 66, 80, 81) for first in (67, 70, 71)]
REQUESTS = [ScoreRequest(prefix=prefix, continuations=((67, 68),)) for prefix in PREFIXES]
CALLS: dict[str, Callable[[ServerModel], object]] = {
    "scores": lambda model: model.score(REQUESTS, Law()),
    "top tokens": lambda model: model.top_distributions(REQUESTS, Law(), 3),
    "many chosen tokens": lambda model: model.next_log_probs(PREFIXES, range(200)),
    "one chosen token": lambda model: model.next_log_probs(PREFIXES, [40]),
}
NUMBERS = ("logprobs", "prompt_logprobs")


def repeat(choices: list[Answer]) -> None:
    """Give each choice the numbers of the first, which is the probe's."""
    for choice in choices[1:]:
        choice.update({name: choices[0][name] for name in NUMBERS if name in choices[0]})


def repeat_second(choices: list[Answer]) -> None:
    repeat(choices[1:])


def exchange(choices: list[Answer]) -> None:
    for name in set(NUMBERS) & choices[-1].keys():
        choices[-1][name], choices[-2][name] = choices[-2][name], choices[-1][name]


def spoilt(load: Load, change: Callable[[list[Answer]], None], **had: object) -> ServerModel:
    """Return the model of a server that spoils each answer to several prompts."""
    server = FakeServer()
    vars(server).update(had)
    model: ServerModel = load(server=server)

    def edit(_body: Answer, answer: Answer) -> None:
        if len(answer["choices"]) > 2:
            change(answer["choices"])

    server.edit = edit
    return model


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("change", [repeat, repeat_second, exchange])
def test_numbers_of_another_choice_are_told(
    load: Load, name: str, change: Callable[[list[Answer]], None]
) -> None:
    """They were taken: all texts had one profile, and a similarity of 1."""
    with pytest.raises(WrongAnswerError):
        CALLS[name](spoilt(load, change))


def test_prompts_that_differ_much_have_different_numbers(load: Load) -> None:
    """Also where each choice sampled the same token, which tells nothing then."""
    model = spoilt(load, repeat_second, samples=lambda _prompt: 250)
    with pytest.raises(WrongAnswerError, match="two different prompts the same log-prob"):
        model.next_log_probs(PREFIXES, [40])


def test_what_may_be_alike_is_taken(load: Load) -> None:
    """Equal prompts have equal numbers, and so may those that differ in few of their tokens."""
    model = load(server=FakeServer())
    found = model.next_log_probs([*PREFIXES, *PREFIXES], [67, 70, 71])
    np.testing.assert_array_equal(found[:3], found[3:])
    long = [(first, *range(65, 95)) for first in (40, 41, 42)]
    spoils = spoilt(load, repeat_second, samples=lambda _prompt: 250)
    assert spoils.next_log_probs(long, [130]).shape == (3, 1)
    # Few tokens are enough for a prompt.
    short = [(65,), (65, 66), (66, 65, 67)]
    np.testing.assert_allclose(
        model.next_log_probs(short, [40]), TOY.next_log_probs(short, [40]), atol=1e-5
    )
