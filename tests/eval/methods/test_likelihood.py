from collections.abc import Callable, Sequence
from math import log

import numpy as np
import pytest

from eval.methods.base import Factory, Setting
from eval.methods.likelihood import ConditionalLikelihood, JointLikelihood
from similarity.arrays import LogProbs
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, TextTooLongError, WrongAnswerError
from similarity.law import Law
from similarity.models.base import OnProgress, ScoreRequest, ignore_progress
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel

PRIOR, END = 0.5, 0.1
ALPHABET = b"ab. "
METHODS = pytest.mark.parametrize("method", [ConditionalLikelihood, JointLikelihood])
PAIRS = [("A man plays.", "A man is playing"), ("Dogs run", "A cat."), ("A cat.", "A man plays.")]


def urn(given: str, scored: str) -> float:
    """Return the mean log-probability of `scored` after `given`, by Pólya's urn."""
    total = 0.0
    for i, letter in enumerate(scored):
        seen = given + scored[:i]
        balls = seen.count(letter) + PRIOR
        total += log((1 - END) * balls / (len(seen) + PRIOR * len(ALPHABET)))
    return total / len(scored)


@pytest.fixture
def setting() -> Setting:
    return Setting(model=ToyModel(ALPHABET, prior=PRIOR, end=END))


def test_conditional_likelihood_by_hand(setting: Setting) -> None:
    (score,) = ConditionalLikelihood(setting).score([("ab", "bb.")])
    assert score == pytest.approx((urn("ab.", " bb.") + urn("bb.", " ab.")) / 2)


def test_joint_likelihood_by_hand(setting: Setting) -> None:
    (score,) = JointLikelihood(setting).score([("ab", "bb.")])
    # The toy has no token at the beginning of a text: the first letter is given.
    assert score == pytest.approx((urn("a", "b. bb.") + urn("b", "b. ab.")) / 2)


def test_only_the_first_text_has_the_prompt() -> None:
    prompt = ComparisonConfig.build(full_stop=False, prompt="implies").prompt
    letters = bytes(range(128))
    model = ToyModel(letters, prior=PRIOR, end=END)
    method = ConditionalLikelihood(Setting(model=model, config=ComparisonConfig(prompt=prompt)))
    rows = [
        model.score([ScoreRequest(prefix=model.encode(p), continuations=(model.encode(c),))], Law())
        for p, c in [("ab This sentence implies ", " bb"), ("bb This sentence implies ", " ab")]
    ]
    assert method.score([("ab", "bb")]) == pytest.approx(
        [np.mean([row[0][0].mean() for row in rows])]
    )


@METHODS
def test_a_beginning_of_text_is_given(tiny: Callable[[str], LocalModel], method: Factory) -> None:
    model = tiny("llama")
    opening = model.encode("")
    assert len(opening) == 1
    ways = []
    for first, second in [("ab.", " bb."), ("bb.", " ab.")]:
        whole = model.encode(first + second)
        given = len(model.encode(first)) if method is ConditionalLikelihood else len(opening)
        request = ScoreRequest(prefix=whole[:given], continuations=(whole[given:],))
        ways.append(model.score([request], Law())[0][0].mean())
    (score,) = method(Setting(model=model)).score([("ab", "bb")])
    assert score == pytest.approx(np.mean(ways), abs=1e-5)


@METHODS
def test_a_pair_does_not_depend_on_the_others(
    tiny: Callable[[str], LocalModel], method: Factory
) -> None:
    made = method(Setting(model=tiny("llama")))
    alone = [made.score([pair])[0] for pair in PAIRS]
    assert len(set(alone)) == len(PAIRS)
    assert made.score(PAIRS) == pytest.approx(alone, abs=1e-5)
    assert made.score([]) == []


@METHODS
def test_either_order_is_the_same(toy_model: ToyModel, method: Factory) -> None:
    made = method(Setting(model=toy_model))
    assert made.score(PAIRS) == made.score([pair[::-1] for pair in PAIRS])


class Counting(ToyModel):
    """Keeps what it is asked to score."""

    asked: tuple[ScoreRequest, ...] = ()

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        self.asked += tuple(requests)
        return super().score(requests, law, on_progress)


@METHODS
def test_equal_questions_are_asked_once(method: Factory) -> None:
    model = Counting()
    method(Setting(model=model)).score([PAIRS[0], PAIRS[0][::-1], PAIRS[0]])
    assert sum(len(request.continuations) for request in model.asked) == 2


@METHODS
def test_a_pair_too_long(tiny: Callable[[str], LocalModel], method: Factory) -> None:
    made = method(Setting(model=tiny("llama")))
    # With spaces, full stops and the beginning: 1 + 64 + 1 and 1 + 60 + 1 tokens are 128.
    made.score([("a" * 64, "b" * 60)])
    with pytest.raises(TextTooLongError, match="a pair has 129 tokens.*the model takes 128"):
        made.score([("a" * 64, "b" * 61)])


class Unscoring(ToyModel):
    """Scores nothing."""

    def check_scoring(self, law: Law) -> None:
        raise ConfigError("this law is not to be had")


@METHODS
def test_a_model_that_cannot_score_says_so_when_asked_for(method: Factory) -> None:
    with pytest.raises(ConfigError, match="not to be had"):
        method(Setting(model=Unscoring()))


class Broken(ToyModel):
    """Scores with what is no number."""

    def step_log_probs(self, context: tuple[int, ...], law: Law) -> LogProbs:
        return super().step_log_probs(context, law) * np.nan


@METHODS
def test_scores_that_are_no_numbers(method: Factory) -> None:
    with pytest.raises(WrongAnswerError, match="not finite"):
        method(Setting(model=Broken())).score(PAIRS)
