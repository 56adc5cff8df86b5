"""The profile against its slow definition over all tokens."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from similarity.models.base import LanguageModel
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.prompts import PROMPTS
from similarity.trajectories import encode_prefixes
from similarity.vectors import ProfileConfig, VectorConfig, fit
from similarity.vectors.profile import ProfileReader, chosen_tokens, head_covariance
from tests.similarity.vectors.conftest import cosines, sentences

CORPUS = sentences(30)
PAIRS = [("a red car", "the old sea"), ("a bird sings", "the bird sings"), ("a", "b c d")]


def log_probs(model: LanguageModel, texts: list[str], tokens: list[int]) -> np.ndarray:
    """Return log P(token | prompt with the text), shape "text token", from whole distributions."""
    prefixes = [p.token_ids for p in encode_prefixes(model, texts, PROMPTS["one-word"], 1)]
    return model.next_log_probs(prefixes, tokens).astype(float)


def by_definition(model: LanguageModel, tokens: list[int]) -> list[float]:
    """Return the correlation over tokens of what both texts add to the usual log-probability."""
    usual = log_probs(model, CORPUS, tokens).mean(axis=0)
    return [
        float(np.corrcoef(log_probs(model, list(pair), tokens) - usual)[0, 1]) for pair in PAIRS
    ]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "bloom", "mamba"])
def test_the_cosine_in_the_models_width_is_the_correlation_over_all_tokens(
    tiny: Callable[[str], LocalModel], architecture: str
) -> None:
    model = tiny(architecture)
    vectors = fit(model, CORPUS, VectorConfig(groups=(ProfileConfig(shrinkage=1),)))
    expected = by_definition(model, list(range(model.vocab_size or 0)))
    # Single precision of the network's own states is all that parts them.
    np.testing.assert_allclose(cosines(vectors, PAIRS), expected, atol=2e-5)
    assert vectors.width == head_covariance(model).shape[0]


@pytest.mark.parametrize("tokens", [16, 100, 10_000])
def test_over_some_tokens_it_is_the_correlation_over_those(tokens: int) -> None:
    model = ToyModel()
    group = ProfileConfig(tokens=tokens, shrinkage=1)
    found = cosines(fit(model, CORPUS, VectorConfig(groups=(group,))), PAIRS)
    chosen = chosen_tokens(model, tokens)
    np.testing.assert_allclose(found, by_definition(model, chosen), atol=1e-5)


def test_many_tokens_are_nearly_all(tiny: Callable[[str], LocalModel]) -> None:
    model = tiny("llama")
    every = fit(model, CORPUS, VectorConfig(groups=(ProfileConfig(shrinkage=1),)))
    some = fit(model, CORPUS, VectorConfig(groups=(ProfileConfig(shrinkage=1, tokens=257),)))
    np.testing.assert_allclose(cosines(some, PAIRS), cosines(every, PAIRS), atol=0.05)


def test_the_tokens_are_the_same_for_all_and_none_ends_a_text() -> None:
    model = ToyModel()
    chosen = chosen_tokens(model, 20)
    assert len(set(chosen)) == 20
    assert chosen == sorted(chosen)
    assert not model.end_ids & set(chosen_tokens(model, 10_000))
    assert set(chosen) < set(chosen_tokens(model, 21))


def test_the_output_head_is_not_held_in_double_precision() -> None:
    """Of SmolLM2 that was 226 MB, for each request of a service that looked at words."""
    draw = np.random.default_rng(0)
    weight = draw.normal(size=(200_000, 8)).astype(np.float32)
    rows = draw.normal(size=(2, 8)).astype(np.float32)

    class Headed(ToyModel):
        def output_head(self) -> tuple[np.ndarray, None]:
            return weight, None

    tracemalloc.start()
    found = ProfileReader(ProfileConfig()).information(Headed(), np.zeros(8), rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < found.nbytes + weight.nbytes / 2
    expected = rows.astype(float) @ weight.T
    np.testing.assert_allclose(found, expected - expected.mean(axis=1, keepdims=True), atol=1e-5)
