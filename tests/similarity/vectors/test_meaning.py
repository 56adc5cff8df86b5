import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from similarity.errors import (
    ConfigError,
    InputError,
    TextTooLongError,
    UnsupportedError,
    WrongAnswerError,
)
from similarity.models import states
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.prompts import PROMPTS
from similarity.vectors import (
    MeaningVectors,
    ProfileConfig,
    TrigramsConfig,
    VectorConfig,
    fit,
    meaning,
)
from similarity.vectors.config import GroupConfig, StatesConfig, TrajectoriesConfig
from tests.similarity.vectors.conftest import TINY_CONFIG, TOY_CONFIG, cosines, sentences

TEXTS = sentences(9, seed=1)


def test_vectors_have_length_one(tiny_vectors: MeaningVectors) -> None:
    rows = tiny_vectors.encode(TEXTS)
    assert rows.shape == (len(TEXTS), tiny_vectors.width)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_a_vector_depends_on_its_text_alone(
    tiny_vectors: MeaningVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = tiny_vectors.encode([*TEXTS, TEXTS[0]])
    np.testing.assert_array_equal(together[0], together[-1])
    np.testing.assert_allclose(tiny_vectors.encode(TEXTS[::-1])[::-1], together[:-1], atol=1e-4)
    monkeypatch.setattr(meaning, "BATCH_TEXTS", 2)
    np.testing.assert_allclose(tiny_vectors.encode(TEXTS), together[:-1], atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_no_vector(
    value: float, tiny_vectors: MeaningVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged weight may show in one text alone, and its similarities would not be numbers."""
    read = LocalModel.next_states

    def damaged(model: LocalModel, *arguments: Any) -> Any:
        rows = read(model, *arguments)
        rows[-1, 0] = value
        return rows

    monkeypatch.setattr(LocalModel, "next_states", damaged)
    with pytest.raises(WrongAnswerError, match="not finite.* whether its weights are damaged"):
        tiny_vectors.encode(TEXTS[:3])


def test_vectors_are_joined_some_texts_at_a_time(
    tiny_vectors: MeaningVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What that takes for all 2,048 inputs of a request was several times their vectors."""
    features = tiny_vectors.read(sentences(7))
    whole = tiny_vectors.join(features)
    monkeypatch.setattr(meaning, "BATCH_TEXTS", 2)
    np.testing.assert_allclose(tiny_vectors.join(features), whole, atol=1e-6)


def test_identity_and_symmetry(tiny_vectors: MeaningVectors) -> None:
    first, second = TEXTS[:2]
    # A full stop and white space change no prefix.
    same, forth, back = cosines(
        tiny_vectors, [(first, f" {first}."), (first, second), (second, first)]
    )
    assert same == pytest.approx(1, abs=1e-5)
    assert forth == back < 1


def test_the_cosine_is_the_weighted_mean_of_the_groups(tiny_vectors: MeaningVectors) -> None:
    pairs = list(pairwise(TEXTS))
    weights = [group.weight for group in tiny_vectors.config.groups]
    found = [cosines(tiny_vectors.only(name), pairs) for name in tiny_vectors.names]
    expected = np.average(found, axis=0, weights=weights)
    np.testing.assert_allclose(cosines(tiny_vectors, pairs), expected, atol=1e-5)


def test_own_words_weigh_more_the_more_of_them_are_names(tiny_vectors: MeaningVectors) -> None:
    pair = ("The man sings.", "A bird over Paris in 2012 sings.")
    own = [cosines(tiny_vectors.only(name), [pair])[0] for name in tiny_vectors.names]
    # Two of the second text's seven words are a name and a number, and none of the first's.
    weights = np.array([[1, 0.5], [1, 0.5 + 2 * 2 / 7]])
    shares = weights / weights.sum(axis=1, keepdims=True)
    expected = np.sqrt(shares.prod(axis=0)) @ own
    assert cosines(tiny_vectors, [pair])[0] == pytest.approx(expected, abs=1e-5)


def test_features_can_be_packed(tiny_vectors: MeaningVectors) -> None:
    features = tiny_vectors.read(TEXTS)
    again = tiny_vectors.unpacked(tiny_vectors.packed(features))
    assert list(again) == list(tiny_vectors.names)
    for name, rows in features.items():
        np.testing.assert_array_equal(again[name], rows)


def test_training_texts_have_no_direction_in_common(tiny_vectors: MeaningVectors) -> None:
    rows = tiny_vectors.encode(sentences(80)).astype(float)
    cosines = rows @ rows.T
    assert abs(cosines[~np.eye(len(rows), dtype=bool)].mean()) < 0.05


def test_fewer_dimensions_are_the_first(tiny_vectors: MeaningVectors) -> None:
    whole, short = tiny_vectors.encode(TEXTS), tiny_vectors.encode(TEXTS, dimensions=5)
    first = whole[:, :5] / np.linalg.norm(whole[:, :5], axis=1, keepdims=True)
    np.testing.assert_allclose(short, first, atol=1e-5)
    for wrong in (0, tiny_vectors.width + 1):
        with pytest.raises(ConfigError, match=f"between 1 and {tiny_vectors.width}"):
            tiny_vectors.encode(TEXTS, dimensions=wrong)


def test_progress_counts_every_text(toy_vectors: MeaningVectors) -> None:
    counted: list[int] = []
    toy_vectors.encode([*TEXTS, TEXTS[0]], on_progress=counted.append)
    assert sum(counted) == len(TEXTS) + 1


def test_progress_is_reported_within_a_batch(
    tiny_vectors: MeaningVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "STATE_TOKENS", {"cpu": 24})
    counted: list[int] = []
    tiny_vectors.only("profile").read(TEXTS, counted.append)
    assert sum(counted) == len(TEXTS)
    assert max(counted) < len(TEXTS) / 2


def test_no_texts_have_no_vectors(toy_vectors: MeaningVectors) -> None:
    assert toy_vectors.encode([]).shape == (0, toy_vectors.width)


def test_the_fit_does_not_depend_on_its_batches(
    tiny_llama: LocalModel, tiny_vectors: MeaningVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("similarity.vectors.fitting.BATCH_TEXTS", 16)
    again = fit(tiny_llama, iter(sentences(80)), TINY_CONFIG)
    assert again.corpus == tiny_vectors.corpus
    pairs = list(pairwise(TEXTS))
    np.testing.assert_allclose(cosines(again, pairs), cosines(tiny_vectors, pairs), atol=0.01)


def test_a_fit_reads_a_stream_once_and_a_batch_at_a_time(
    toy_model: ToyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("similarity.vectors.fitting.BATCH_TEXTS", 8)
    monkeypatch.setattr("similarity.vectors.fitting.HEAD_BATCHES", 8)
    read = taken = 0

    def stream() -> object:
        nonlocal read
        for text in sentences(120):
            read += 1
            # What the weights of tokens are counted in is the only thing that is read ahead.
            assert read <= 64 or read - taken <= 8 + 1
            yield text

    def count(texts: int) -> None:
        nonlocal taken
        taken += texts

    fit(toy_model, stream(), TOY_CONFIG, count)  # type: ignore[arg-type]
    assert taken == read == 120


def test_texts_that_are_too_long_are_left_out_of_a_fit(tiny_llama: LocalModel) -> None:
    vectors = fit(tiny_llama, [*sentences(80), "long " * 60], TINY_CONFIG)
    assert vectors.corpus.texts == 80
    with pytest.raises(TextTooLongError):
        vectors.encode(["long " * 60])


@pytest.mark.parametrize(
    "groups",
    [
        (TrigramsConfig(width=64), ProfileConfig(tokens=64)),
        (ProfileConfig(tokens=64), TrajectoriesConfig(references=4, first_tokens=4, length=3)),
        (
            TrigramsConfig(width=64),
            ProfileConfig(tokens=64),
            TrajectoriesConfig(references=4, first_tokens=4, length=3),
        ),
    ],
)
def test_what_is_to_be_cut_is_said_for_all_groups_at_once(
    groups: tuple[GroupConfig, ...], toy_model: ToyModel
) -> None:
    """Whoever cut what the first group named was refused by the next."""
    vectors = fit(toy_model, sentences(60), VectorConfig(groups=groups))
    text = "x" * 4_200  # bytes are tokens
    for read in (vectors.tokens, vectors.read, vectors.encode):
        with pytest.raises(TextTooLongError) as refused:
            read(["a", text, text + "x"])
        excess = refused.value.excess
        assert excess is not None
        assert refused.value.text == text
        read([text[excess:]])
        with pytest.raises(TextTooLongError, match=r"is 1 token too long: ") as refused:
            read([text[excess - 1 :]])
        told = re.search(r"has (\d+) tokens .* takes (\d+), (\d) of them for", str(refused.value))
        assert told is not None
        has, takes, kept = map(int, told.groups())
        assert has + kept == takes + 1


def test_too_few_tokens_to_tell_texts_apart_are_refused(toy_model: ToyModel) -> None:
    config = VectorConfig(groups=(ProfileConfig(tokens=2),))
    with pytest.raises(ConfigError, match="tokens 2 are too few: .* give more, such as 512"):
        fit(toy_model, sentences(60), config)
    with pytest.raises(InputError, match="all the same to the model; give different ones"):
        fit(toy_model, ["a bird"] * 9, config)


@pytest.mark.parametrize("texts", [[], ["a bird"]])
def test_too_little_text_is_refused(toy_model: ToyModel, texts: list[str]) -> None:
    with pytest.raises(InputError, match=f"can take: {len(texts)}; give 2 or more"):
        fit(toy_model, texts, TOY_CONFIG)


def test_a_model_that_does_not_give_what_is_needed_is_refused(toy_model: ToyModel) -> None:
    groups: dict[GroupConfig, str] = {
        ProfileConfig(): "set tokens to a number, such as 512",
        StatesConfig(): "give groups that need less, as ProfileConfig(tokens=512)",
    }
    for group, remedy in groups.items():
        with pytest.raises(UnsupportedError, match="does not give next_states here; ") as found:
            fit(toy_model, sentences(60), VectorConfig(groups=(group,)))
        assert str(found.value).endswith(f", or {remedy}")
    fit(toy_model, sentences(60), VectorConfig(groups=(ProfileConfig(tokens=512),)))


def test_groups_that_are_not_fitted_are_refused(toy_vectors: MeaningVectors) -> None:
    with pytest.raises(ConfigError, match="have no states; they have profile, trigrams"):
        toy_vectors.only("states")


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (ProfileConfig, {"weight": -1}),
        (ProfileConfig, {"weight": 0}),
        (ProfileConfig, {"tokens": -1}),
        (ProfileConfig, {"tokens": 1}),
        (ProfileConfig, {"tokens": 1.5}),
        (ProfileConfig, {"shrinkage": 1.1}),
        (TrigramsConfig, {"rank": 0}),
        (TrigramsConfig, {"width": 0}),
        (TrigramsConfig, {"smoothing": float("nan")}),
    ],
)
def test_settings_out_of_range_are_refused(kind: Any, wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        kind(**wrong)


def test_groups_have_names_of_their_own() -> None:
    with pytest.raises(ConfigError, match="at least one group"):
        VectorConfig(groups=())
    with pytest.raises(ConfigError, match="different names, got profile, profile"):
        VectorConfig(groups=(ProfileConfig(), ProfileConfig(tokens=9)))


def test_tokens_read(tiny_vectors: MeaningVectors) -> None:
    # Bytes are tokens, and one begins a text.
    prompt = PROMPTS["one-word"]
    read = len(f"{prompt.before}the sea.{prompt.after}") + 1
    assert tiny_vectors.only("trigrams").tokens(["the sea"]) == [0]
    assert tiny_vectors.tokens(["the sea"]) == [read]
