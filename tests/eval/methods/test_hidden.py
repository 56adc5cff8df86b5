from collections.abc import Callable, Sequence

import numpy as np
import pytest

from eval.methods import texts as reading
from eval.methods.base import Factory, Setting
from eval.methods.baselines import BASELINES
from eval.methods.hidden import POOLS, hidden_states, whitened_hidden_states
from similarity.arrays import Rows
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, TextTooLongError, UnsupportedError, WrongAnswerError
from similarity.models.base import TokenIds
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.prompts import Prompt

Tiny = Callable[[str], LocalModel]

NAMES = [name for name in BASELINES if "token" in name or name == "prompteol"]
METHODS = pytest.mark.parametrize("method", [BASELINES[name] for name in NAMES], ids=NAMES)
PAIRS = [("A man plays.", "A man is playing"), ("Dogs run", "A cat."), ("A cat.", "A man plays.")]
UNLABELLED = [f"{who} {does} {what}" for who in "abc" for does in "xyz" for what in "123456"]


def setting(model: LocalModel | ToyModel) -> Setting:
    return Setting(model=model, unlabelled=UNLABELLED)


def cosine(first: Rows, second: Rows) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_last_token_by_hand(tiny: Tiny) -> None:
    model = tiny("llama")
    states = model.hidden_states([model.encode("ab."), model.encode("c?")])
    expected = cosine(states[0][-1], states[1][-1])
    assert BASELINES["last token"](setting(model)).score([("ab", "c?")]) == pytest.approx(
        [expected], abs=1e-5
    )


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_mean_token_leaves_out_the_beginning_of_text(tiny: Tiny, architecture: str) -> None:
    model = tiny(architecture)
    assert len(model.encode("")) == 1
    states = model.hidden_states([model.encode("ab."), model.encode("c?")])
    expected = cosine(states[0][1:].mean(0), states[1][1:].mean(0))
    assert BASELINES["mean token"](setting(model)).score([("ab", "c?")]) == pytest.approx(
        [expected], abs=1e-5
    )


def test_the_prompt_is_the_setting_s(tiny: Tiny) -> None:
    model = tiny("llama")
    prompt = Prompt(before="It: ", after=" so", full_stop=False)
    method = BASELINES["last token"](Setting(model=model, config=ComparisonConfig(prompt=prompt)))
    states = model.hidden_states([model.encode("It: ab so"), model.encode("It: c so")])
    assert method.score([("ab", "c")]) == pytest.approx([cosine(states[0][-1], states[1][-1])])
    assert method.settings["prompt"] == {"before": "It: ", "after": " so", "full_stop": False}


def test_prompteol_by_hand(tiny: Tiny) -> None:
    model = tiny("llama")
    prefixes = [
        """This sentence : "a 'b'." means in one word:\"""",
        """This sentence : "c?" means in one word:\"""",
    ]
    states = model.hidden_states([model.encode(prefix) for prefix in prefixes])
    expected = cosine(states[0][-1], states[1][-1])
    scores = BASELINES["prompteol"](setting(model)).score([('a "b".', "c?")])
    assert scores == pytest.approx([expected], abs=1e-5)


@pytest.mark.parametrize("pool", POOLS)
def test_whitening_by_hand(tiny: Tiny, pool: str) -> None:
    model = tiny("llama")

    def vectors(texts: Sequence[str]) -> Rows:
        states = model.hidden_states([model.encode(f"{text}.") for text in texts])
        return np.stack([POOLS[pool](rows[1:]) for rows in states])

    rows = vectors(UNLABELLED)
    covariance = np.cov(rows.T, bias=True)
    width = len(covariance)
    shrunk = 0.7 * covariance + 0.3 * np.trace(covariance) / width * np.eye(width)
    first, second = vectors(["ab", "c"]) - rows.mean(axis=0)
    inverse = np.linalg.inv(shrunk)
    expected = first @ inverse @ second
    expected /= np.sqrt((first @ inverse @ first) * (second @ inverse @ second))
    method = whitened_hidden_states(pool, shrinkage=0.3)(setting(model))
    assert method.score([("ab", "c")]) == pytest.approx([expected], abs=1e-4)


def test_rank_and_shrinkage_are_settings(tiny: Tiny) -> None:
    method = whitened_hidden_states("last token", shrinkage=0.2, rank=3)(setting(tiny("llama")))
    assert method.settings.items() >= {"shrinkage": 0.2, "rank": 3}.items()
    assert method.settings["fitted on"]["texts"] == len(UNLABELLED)
    whole = whitened_hidden_states("last token", shrinkage=0.2)(setting(tiny("llama")))
    assert method.score(PAIRS) != pytest.approx(whole.score(PAIRS), abs=1e-3)


@METHODS
def test_a_pair_does_not_depend_on_the_others(tiny: Tiny, method: Factory) -> None:
    made = method(setting(tiny("llama")))
    alone = [made.score([pair])[0] for pair in PAIRS]
    assert len(set(alone)) == len(PAIRS)
    assert made.score(PAIRS) == pytest.approx(alone, abs=1e-4)
    assert made.score([("Dogs run", "Dogs run")]) == pytest.approx([1])
    assert made.score([]) == []


@METHODS
def test_batches_leave_rounding_only(
    tiny: Tiny, method: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = method(setting(tiny("llama"))).score(PAIRS)
    monkeypatch.setattr(reading, "BATCH", 3)
    assert method(setting(tiny("llama"))).score(PAIRS) == pytest.approx(whole, abs=1e-3)


class Letters(ToyModel):
    """A toy with hidden states: of each token, one number for each letter; keeps what it read."""

    read: tuple[TokenIds, ...] = ()

    def hidden_states(self, prefixes: Sequence[TokenIds]) -> list[Rows]:
        self.read += tuple(prefixes)
        return [np.eye(257, dtype=np.float32)[list(prefix)] for prefix in prefixes]


def test_a_text_that_repeats_is_read_once() -> None:
    model = Letters()
    method = hidden_states("mean token")(Setting(model=model))
    model.read = ()
    scores = method.score([("ab", "b"), ("b", "ab"), ("ab", "ab")])
    assert model.read == (model.encode("ab."), model.encode("b."))
    assert scores == pytest.approx([2 / np.sqrt(6)] * 2 + [1])


def test_states_that_are_no_numbers() -> None:
    class Broken(Letters):
        def hidden_states(self, prefixes: Sequence[TokenIds]) -> list[Rows]:
            return [rows * np.nan for rows in super().hidden_states(prefixes)]

    with pytest.raises(WrongAnswerError, match="not finite"):
        hidden_states("last token")(Setting(model=Broken())).score(PAIRS)
    with pytest.raises(WrongAnswerError, match="not finite"):
        whitened_hidden_states("last token")(Setting(model=Broken(), unlabelled=UNLABELLED))


@METHODS
def test_a_model_without_hidden_states_says_so_when_asked_for(
    toy_model: ToyModel, method: Factory
) -> None:
    with pytest.raises(UnsupportedError, match="give a model that is a network"):
        method(setting(toy_model))
    # Texts to whiten by would not help.
    with pytest.raises(UnsupportedError, match="give a model that is a network"):
        method(Setting(model=toy_model))


@pytest.mark.parametrize("name", ["last token, whitened", "mean token, whitened"])
def test_whitening_without_unlabelled_texts(tiny: Tiny, name: str) -> None:
    with pytest.raises(ConfigError, match="too few .* to fit the whitening of the .* token to: 0"):
        BASELINES[name](Setting(model=tiny("llama")))


@METHODS
def test_a_text_too_long(tiny: Tiny, method: Factory) -> None:
    with pytest.raises(TextTooLongError):
        method(setting(tiny("llama"))).score([("a" * 129, "b")])
