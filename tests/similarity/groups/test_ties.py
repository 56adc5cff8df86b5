"""What is chosen by numbers stays the same where they change by rounding."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.arrays import FloatArray
from similarity.entailment.profiles import ProfileEntailment
from similarity.entailment.results import Thresholds
from similarity.groups.clustering import cluster, deduplicate
from similarity.groups.consensus import find_consensus
from similarity.groups.ties import greatest_first
from similarity.models.local import LocalModel
from similarity.vectors import fit
from tests.similarity.vectors.conftest import TINY_CONFIG, sentences

NOISE = 1e-6
# So coarse that many members are tied, and that all others are apart by more than noise.
LEVELS = st.integers(1, 19).map(lambda level: level / 20)


def symmetric(values: FloatArray) -> FloatArray:
    found: FloatArray = np.triu(values, 1)
    found = found + found.T
    np.fill_diagonal(found, 1.0)
    return found


@st.composite
def matrices(draw: st.DrawFn) -> FloatArray:
    count = draw(st.integers(2, 6))
    row = st.lists(LEVELS, min_size=count, max_size=count)
    return symmetric(np.array(draw(st.lists(row, min_size=count, max_size=count))))


def noisy(similarities: FloatArray, seed: int) -> FloatArray:
    shape = similarities.shape
    noise = symmetric(np.random.default_rng(seed).uniform(-NOISE, NOISE, shape))
    np.fill_diagonal(noise, 0.0)
    found: FloatArray = np.minimum(similarities + noise, 1.0)
    return found


class Fixed(ProfileEntailment):
    """Has the degrees that are given."""

    given: FloatArray

    def thresholds(self, *_: object) -> Thresholds:
        return Thresholds(related=0.0, same=0.0)

    def degrees(self, *_: object) -> FloatArray:
        return self.given


@pytest.fixture(scope="module")
def scorer(tiny: Callable[[str], LocalModel]) -> Fixed:
    return Fixed(vectors=fit(tiny("llama"), sentences(80), TINY_CONFIG))


def groups_of(
    scorer: Fixed,
    degrees: FloatArray,
    log_probs: Sequence[float] | None = None,
    *,
    threshold: float = 0.0,
    last: int = 1,
) -> list[tuple[tuple[int, ...], int]]:
    """Return the members and the representative of each group; the last text is there so often."""
    object.__setattr__(scorer, "given", degrees)
    texts = [f"text {'x' * i}" for i in range(len(degrees))]
    texts += texts[-1:] * (last - 1)
    found = find_consensus(scorer, texts, log_probs=log_probs, threshold=threshold)
    return [(group.members, group.representative) for group in found.groups]


@given(matrices(), st.integers(0, 100))
def test_representatives_do_not_change_with_rounding(similarities: FloatArray, seed: int) -> None:
    exact = cluster(similarities, k=1)
    assert cluster(noisy(similarities, seed), k=1).representatives == exact.representatives
    means = similarities.mean(axis=1)
    assert exact.representatives == (int(np.flatnonzero(means > means.max() - NOISE)[0]),)


@given(matrices(), st.integers(0, 100))
def test_duplicates_go_to_the_same_text_whatever_rounding(
    similarities: FloatArray, seed: int
) -> None:
    # Between two levels: at one, rounding decides what is a duplicate at all.
    for threshold in (0.125, 0.575):
        exact = deduplicate(similarities, threshold)
        assert deduplicate(noisy(similarities, seed), threshold) == exact


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_answer_of_a_group_does_not_change_with_rounding(
    scorer: Fixed, seed: int, count: int
) -> None:
    """One service answered "not valid", and another "valid"."""
    members = tuple(range(count))
    alike = noisy(symmetric(np.full((count, count), 0.9)), seed)
    for log_probs in (None, [-2.0] * count, [-2000.0] * count):
        assert groups_of(scorer, alike, log_probs) == [(members, 0)]
    # Beside a likelier text, their own weights are rounded too.
    beside = np.eye(count + 1)
    beside[1:, 1:] = alike
    others = tuple(range(1, count + 1))
    for log_prob in (-1.3, -1.7, -2.9):
        found = groups_of(scorer, beside, [0.0, *[log_prob] * count], threshold=0.5)
        assert (others, 1) in found
    # Where all say the same, the most probable stands for them, or the one that is there most.
    same = noisy(symmetric(np.ones((count, count))), seed)
    assert groups_of(scorer, same, [*[-2.0] * (count - 1), -1.999]) == [(members, count - 1)]
    assert groups_of(scorer, same, last=2) == [((*members, count), count - 1)]


def test_a_group_that_is_hardly_possible_has_a_representative(scorer: Fixed) -> None:
    degrees = np.eye(3)
    degrees[1, 2] = degrees[2, 1] = 0.9
    found = groups_of(scorer, degrees, [0.0, -2000.0, -2000.0], threshold=0.5)
    assert found == [((0,), 0), ((1, 2), 1)]


def test_the_group_to_believe_does_not_change_with_rounding(scorer: Fixed) -> None:
    degrees = np.eye(3)
    degrees[1, 2] = degrees[2, 1] = 0.9
    for noise in (-1e-14, 0, 1e-14):
        # 0.3 against 0.1 + 0.2.
        log_probs = [np.log(0.3) + noise, np.log(0.1), np.log(0.2)]
        found = groups_of(scorer, degrees, log_probs, threshold=0.5)
        assert found[0] == ((0,), 0)


def test_values_within_rounding_are_in_order() -> None:
    assert greatest_first([0.3, 0.5, 0.3 + 1e-12, 0.5 + 1e-12]) == [1, 3, 0, 2]
    assert greatest_first([0.3, 0.3 + 1e-6]) == [1, 0]
    assert greatest_first([]) == []
