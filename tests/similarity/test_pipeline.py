"""The pipeline on the toy model, where everything can be enumerated or counted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from similarity.api import compare, compare_many, compare_matrix, compare_pairs
from similarity.config import ComparisonConfig
from similarity.distances import DISTANCES
from similarity.errors import InputError, TextTooLongError, WrongAnswerError
from similarity.law import Law
from similarity.models.base import Continuation, OnProgress, SampleRequest, ScoreRequest
from similarity.models.toy import ToyModel
from similarity.prompts import is_blank

SMALL = ComparisonConfig.build(n_trajectories=4, max_tokens=6)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
texts = texts.filter(lambda text: not is_blank(text))
names = pytest.mark.parametrize("name", DISTANCES)


class CountingToy(ToyModel):
    """Counts the prefixes that are sampled, and the continuations scored under each."""

    def __init__(self) -> None:
        super().__init__()
        self.sampled: Counter[str] = Counter()
        self.scored: Counter[str] = Counter()

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, *args: Any, **kwargs: Any
    ) -> list[list[Continuation]]:
        self.sampled.update(self.decode(request.prefix) for request in requests)
        return super().sample(requests, law, *args, **kwargs)

    def score(self, requests: Sequence[ScoreRequest], law: Law, *args: Any, **kwargs: Any) -> Any:
        for request in requests:
            self.scored[self.decode(request.prefix)] += len(request.continuations)
        return super().score(requests, law, *args, **kwargs)


@names
@given(text=texts)
@settings(max_examples=20)
def test_identity(toy_model: ToyModel, name: str, text: str) -> None:
    config = ComparisonConfig.build(n_trajectories=3, max_tokens=4, distance=name)
    result = compare(toy_model, text, text, config)
    assert (result.distance, result.similarity) == (0.0, 1.0)


@names
@given(first=texts, second=texts)
@settings(max_examples=20)
def test_symmetry(toy_model: ToyModel, name: str, first: str, second: str) -> None:
    config = ComparisonConfig.build(n_trajectories=3, max_tokens=4, distance=name)
    forth, back = compare_pairs(toy_model, [(first, second), (second, first)], config)
    assert forth.distance == back.distance >= 0
    assert 0 <= forth.similarity <= 1


@given(pair=st.tuples(texts, texts), others=st.lists(st.tuples(texts, texts), max_size=4))
@settings(max_examples=25, deadline=None)
def test_a_pair_does_not_depend_on_its_batch(
    toy_model: ToyModel, pair: tuple[str, str], others: list[tuple[str, str]]
) -> None:
    alone = compare(toy_model, *pair, SMALL)
    for batch, place in (([pair, *others], 0), ([*others, pair], -1)):
        assert compare_pairs(toy_model, batch, SMALL)[place].to_dict() == alone.to_dict()


def test_the_estimator_is_unbiased() -> None:
    """The mean over seeds is the expectation, by enumeration, of the paper's definition."""
    toy = ToyModel(b"ab.", prior=0.5, end=0.25)
    first, second = "aab.", "abb."
    expected = enumerated_distance(toy, first, second, max_tokens=3)
    estimates = [
        compare(
            toy, first, second, ComparisonConfig.build(n_trajectories=5, max_tokens=3, seed=seed)
        ).distance
        for seed in range(400)
    ]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - expected) < 4 * error
    assert error < 0.02 * expected


def enumerated_distance(toy: ToyModel, first: str, second: str, max_tokens: int) -> float:
    """Return E over ½(M_u + M_v) of |log M_u(t) − log M_v(t)|, over every trajectory."""
    (end,) = toy.end_ids
    every = [
        (*ids, end) for length in range(max_tokens) for ids in product(range(end), repeat=length)
    ] + list(product(range(end), repeat=max_tokens))
    scores = [
        toy.score([ScoreRequest(prefix=toy.encode(text), continuations=tuple(every))], Law())[0]
        for text in (first, second)
    ]
    probs = np.array([[np.exp(row.sum()) for row in rows] for rows in scores])
    means = np.array([[row.mean() for row in rows] for rows in scores])
    np.testing.assert_allclose(probs.sum(-1), 1.0)
    return float(probs.mean(0) @ np.abs(means[0] - means[1]))


def test_by_hand_from_the_result(toy_model: ToyModel) -> None:
    result = compare(toy_model, "a red car", "the blue sea", SMALL)
    under_first, under_second = result.log_likelihoods
    assert result.log_likelihoods.shape == (2, 8)
    assert [t.source for t in result.trajectories] == [0] * 4 + [1] * 4
    assert result.distance == pytest.approx(np.mean(np.abs(under_first - under_second)))
    assert result.similarity == pytest.approx(np.exp(-result.distance))
    best = result.most_telling(3)
    gaps = np.abs(under_first - under_second)
    assert gaps[best].tolist() == sorted(gaps, reverse=True)[:3]


def test_a_longer_run_begins_with_the_shorter(toy_model: ToyModel) -> None:
    few = compare(toy_model, "a", "b", ComparisonConfig.build(n_trajectories=3, max_tokens=6))
    many = compare(toy_model, "a", "b", ComparisonConfig.build(n_trajectories=9, max_tokens=6))
    assert many.trajectories[:3] == few.trajectories[:3]
    assert many.trajectories[9:12] == few.trajectories[3:]


def test_seed_changes_the_trajectories(toy_model: ToyModel) -> None:
    first, second = (
        compare(toy_model, "a red car", "b", ComparisonConfig.build(n_trajectories=3, seed=seed))
        for seed in (0, 1)
    )
    assert first.trajectories != second.trajectories
    assert first.fingerprint.digest != second.fingerprint.digest


def test_a_text_that_repeats_is_sampled_once() -> None:
    toy = CountingToy()
    # The last text differs by white space and full stop alone: the same prefix.
    compare_pairs(toy, [("a", "b"), ("a", "c"), ("b", "a"), ("c", " a.")], SMALL)
    assert toy.sampled == {"a.": 1, "b.": 1, "c.": 1}
    # Own trajectories come scored; each text scores those of the others it is compared with.
    assert toy.scored == {"a.": 8, "b.": 4, "c.": 4}


def test_own_trajectories_are_scored_where_sampling_gives_no_numbers() -> None:
    class Silent(CountingToy):
        def sample(self, *args: Any, **kwargs: Any) -> list[list[Continuation]]:
            sampled = super().sample(*args, **kwargs)
            return [[replace(c, log_probs=None) for c in row] for row in sampled]

    silent = Silent()
    result = compare(silent, "a", "b", SMALL)
    assert silent.scored == {"a.": 8, "b.": 8}
    np.testing.assert_allclose(
        result.log_likelihoods, compare(ToyModel(), "a", "b", SMALL).log_likelihoods
    )


def test_matrix_is_its_pairs(toy_model: ToyModel) -> None:
    rows, columns = ["a red car", "a", "b c"], ["a", "the sea"]
    result = compare_matrix(toy_model, rows, columns, SMALL)
    assert result.distances.shape == result.similarities.shape == (3, 2)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            pair = compare(toy_model, row, column, SMALL)
            assert result.distances[i, j] == pair.distance
            assert result.similarities[i, j] == pair.similarity
    assert result.distances[1, 0] == 0


def test_matrix_among_themselves_is_symmetric(toy_model: ToyModel) -> None:
    result = compare_matrix(toy_model, ["a", "b", "c d"], config=SMALL)
    np.testing.assert_array_equal(result.distances, result.distances.T)
    np.testing.assert_array_equal(np.diag(result.similarities), 1.0)
    assert result.rows == result.columns


def test_truncated_sampling_scores_the_same_law(toy_model: ToyModel) -> None:
    same = compare(toy_model, "aaab", "bbba", ComparisonConfig.build(top_k=2, n_trajectories=5))
    assert np.isfinite(same.log_likelihoods).all()
    assert 0 <= same.similarity <= 1
    model = compare(
        toy_model,
        "aaab",
        "bbba",
        ComparisonConfig.build(top_k=2, n_trajectories=5, score_law="model"),
    )
    assert model.trajectories == same.trajectories
    assert (model.log_likelihoods < same.log_likelihoods + 1e-12).any()


def test_progress_counts_each_text_once(toy_model: ToyModel) -> None:
    counts: dict[str, list[int]] = {}

    def progress(stage: str, total: int) -> OnProgress:
        counts[stage] = [total, 0]

        def on_progress(finished: int) -> None:
            counts[stage][1] += finished

        return on_progress

    compare_pairs(toy_model, [("a", "b"), ("a", "c")], SMALL, progress)
    assert counts == {"sampling": [3, 3], "scoring": [3, 3], "comparing": [2, 2]}


def test_all_texts_are_checked_before_anything_is_sampled() -> None:
    toy = CountingToy()
    with pytest.raises(InputError, match="empty"):
        compare_pairs(toy, [("a", "b"), ("c", " ")], SMALL)
    with pytest.raises(TextTooLongError, match=r"'xxxx.* is 905 tokens too long: it has 4995"):
        compare_pairs(toy, [("a", "b"), ("c", "x" * 4994)], SMALL)
    assert not toy.sampled


def test_one_against_many_is_its_pairs(toy_model: ToyModel) -> None:
    many = compare_many(toy_model, "a red car", ["the sea", "a car"], SMALL)
    pairs = compare_pairs(toy_model, [("a red car", "the sea"), ("a red car", "a car")], SMALL)
    assert [one.to_dict() for one in many] == [one.to_dict() for one in pairs]


def test_no_pairs_are_no_results(toy_model: ToyModel) -> None:
    assert compare_pairs(toy_model, [], SMALL) == []


def test_numbers_that_are_not_finite_are_never_scored() -> None:
    class Broken(ToyModel):
        def score(self, *args: Any, **kwargs: Any) -> Any:
            return [[row * np.nan for row in rows] for rows in super().score(*args, **kwargs)]

    with pytest.raises(WrongAnswerError, match="not finite"):
        compare(Broken(), "a", "b", SMALL)


def test_a_printed_score_is_short_and_names_its_fingerprint(toy_model: ToyModel) -> None:
    score = compare(toy_model, "a", "b", SMALL)
    assert f"fingerprint={score.fingerprint!r}" in repr(score)
    assert score.fingerprint.digest in repr(score.fingerprint)
    assert len(repr(score.fingerprint)) < 200


def test_fingerprint_names_all_that_a_score_depends_on(toy_model: ToyModel) -> None:
    content = compare(toy_model, "a", "b", SMALL).fingerprint.to_dict()
    assert content["model"]["name"] == "toy"
    assert content["settings"]["sampling"]["n_trajectories"] == 4
    assert content["settings"]["distance"] == "l1"
    digests = {
        compare(toy_model, "a", "b", ComparisonConfig.build(n_trajectories=2, **setting))
        .fingerprint.digest
        for setting in ({}, {"distance": "l2"}, {"full_stop": False}, {"top_p": 0.5})
    }  # fmt: skip
    assert len(digests) == 4
