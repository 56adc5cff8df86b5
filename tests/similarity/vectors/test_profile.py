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
from similarity.vectors.whitening import Whitening
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
    assert vectors.width == len(head_covariance(model).variances)


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


class Headed(ToyModel):
    """A model of a large vocabulary and few dimensions, which counts how often its head is read."""

    def __init__(self) -> None:
        super().__init__()
        draw = np.random.default_rng(0)
        self.weight = draw.normal(size=(200_000, 8)).astype(np.float32)
        self.weight[:, 0] = 1  # a direction that no token sees
        self.read = 0

    def output_head(self) -> tuple[np.ndarray, None]:
        self.read += 1
        return self.weight, None


ROWS = np.random.default_rng(1).normal(size=(2, 8)).astype(np.float32)
WHITENING = Whitening(mean=np.arange(8.0), matrix=np.random.default_rng(2).normal(size=(8, 5)))


def test_the_output_head_is_not_held_in_double_precision() -> None:
    """Of SmolLM2 that was 226 MB, for each request of a service that looked at words."""
    model = Headed()
    reader = ProfileReader(ProfileConfig())
    reader.profiles(model, WHITENING, ROWS)
    for read, arrays in (
        (lambda: reader.information(model, np.zeros(8), ROWS), 1),
        (lambda: reader.profiles(model, WHITENING, ROWS), 3),
    ):
        tracemalloc.start()
        read()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        result = arrays * 2 * len(model.weight) * 8
        assert peak < result + model.weight.nbytes
    found = reader.information(model, np.zeros(8), ROWS)
    expected = ROWS.astype(float) @ model.weight.T
    np.testing.assert_allclose(found, expected - expected.mean(axis=1, keepdims=True), atol=1e-5)


def test_what_belongs_to_the_model_is_computed_once() -> None:
    model, reader = Headed(), ProfileReader(ProfileConfig())
    first = reader.profiles(model, WHITENING, ROWS)
    known = model.read
    again = reader.profiles(model, WHITENING, ROWS)
    assert model.read == known + 1
    np.testing.assert_array_equal(first.partners, again.partners)


def test_profiles_by_their_definitions() -> None:
    model, reader = Headed(), ProfileReader(ProfileConfig())
    found = reader.profiles(model, WHITENING, ROWS)
    weight = model.weight.astype(float)
    logits = ROWS @ weight.T
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    np.testing.assert_allclose(found.log_probs, log_probs, atol=1e-6)
    beyond = reader.information(model, WHITENING.mean, ROWS)
    np.testing.assert_allclose(found.beyond_usual, beyond, rtol=0, atol=1e-12)
    spread = weight - weight.mean(axis=0)
    inverse = np.linalg.pinv(spread.T @ spread, rcond=1e-10, hermitian=True)
    metric = (ROWS - WHITENING.mean) @ WHITENING.matrix @ WHITENING.matrix.T
    np.testing.assert_allclose(found.partners, metric @ inverse @ spread.T, atol=1e-10)


def test_tokens_are_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ToyModel()
    chosen = chosen_tokens(model, 33)
    monkeypatch.setattr("similarity.vectors.profile.exponential", None)
    again = chosen_tokens(model, 33)
    assert again == chosen
    again.clear()
    assert chosen_tokens(model, 33) == chosen


@pytest.mark.parametrize("width", [8, 61, 576])
def test_a_profile_has_the_same_bits_beside_any_others(width: int) -> None:
    draw = np.random.default_rng(3)
    model, reader = Headed(), ProfileReader(ProfileConfig())
    model.weight = draw.normal(size=(1_111, width)).astype(np.float32)
    whitening = Whitening(mean=draw.normal(size=width), matrix=draw.normal(size=(width, width - 2)))
    rows = draw.normal(size=(17, width)).astype(np.float32)
    every = reader.profiles(model, whitening, rows)
    for some in ([3], [16, 0], [5, 4, 3], list(range(16, 0, -1))):
        alone, together = reader.profiles(model, whitening, rows[some]), every.of(some)
        np.testing.assert_array_equal(alone.beyond_usual, together.beyond_usual)
        np.testing.assert_array_equal(alone.log_probs, together.log_probs)
        np.testing.assert_array_equal(alone.partners, together.partners)
