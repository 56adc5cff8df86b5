import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from eval.protocol import Aggregate, Estimate, Judged, aggregates, pearson, spearman
from similarity.errors import InputError

GENERATOR = np.random.default_rng(0)


def judged(pairs: int = 60) -> tuple[Judged, np.ndarray]:
    judgements = GENERATOR.integers(0, 6, pairs).astype(float)
    scores = judgements + GENERATOR.normal(0, 3, pairs)
    return Judged(judgements, np.array(["a", "b", "b"] * (pairs // 3))), scores


def test_spearman_by_hand() -> None:
    scores, judgements = [0.3, 0.1, 0.9, 0.9], [2.0, 1.0, 4.0, 3.0]
    ranks = np.stack([rankdata(scores), rankdata(judgements)])
    assert spearman(scores, judgements) == pytest.approx(100 * np.corrcoef(ranks)[0, 1])
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-100)


def test_pearson_by_hand() -> None:
    assert pearson([1, 2, 4], [1, 2, 3]) == pytest.approx(100 * 3 / np.sqrt(2 * 14 / 3))


@pytest.mark.parametrize(("scores", "judgements"), [([1], [2]), ([1, 1], [1, 2]), ([1, 2], [3, 3])])
def test_where_a_correlation_is_not_defined(scores: list[float], judgements: list[float]) -> None:
    for correlation in (spearman, pearson):
        with pytest.raises(InputError, match="two pairs or more whose scores differ"):
            correlation(scores, judgements)


def test_the_three_aggregates_by_hand() -> None:
    human, scores = judged()
    found = aggregates(human, scores, human.resamples(0, 0))
    of = {
        name: 100
        * spearmanr(scores[human.subsets == name], human.judgements[human.subsets == name])[0]
        for name in "ab"
    }
    assert found["all"].value == pytest.approx(spearman(scores, human.judgements))
    assert found["mean"].value == pytest.approx((of["a"] + of["b"]) / 2)
    assert found["wmean"].value == pytest.approx((of["a"] + 2 * of["b"]) / 3)
    assert found["all"].estimate.low is None


def test_a_subset_without_a_correlation_counts_in_all_only() -> None:
    human = Judged(np.array([1.0, 2, 3, 5, 5, 4]), np.array(["a", "a", "a", "b", "b", "c"]))
    scores = np.array([1.0, 3, 2, 9, 8, 7])
    found = aggregates(human, scores, human.resamples(0, 0))
    assert found["mean"].value == found["wmean"].value == pytest.approx(50)
    assert list(human.members) == ["a"]
    assert human.left_out == {"b": "all judgements 5", "c": "one pair"}


@given(st.integers(0, 2**32))
def test_resamples_stay_in_their_subset(seed: int) -> None:
    human, _ = judged(30)
    drawn = human.resamples(4, seed)
    assert drawn.shape == (4, 30)
    assert (human.subsets[drawn] == human.subsets).all()
    assert (drawn == human.resamples(4, seed)).all()


def test_subsets_of_one_pair_are_resampled_together() -> None:
    human = Judged(np.arange(8.0), np.array(["a", "b", "c", "b", "d", "e", "f", "g"]))
    drawn = human.resamples(200, 0)
    single = [0, 2, 4, 5, 6, 7]
    assert set(drawn[:, single].ravel()) == set(single)
    assert len({tuple(row) for row in drawn[:, single]}) > 100
    assert set(drawn[:, [1, 3]].ravel()) == {1, 3}


@pytest.mark.parametrize("pairs", [2, 4, 5])
def test_fewer_than_five_pairs_have_no_interval(pairs: int) -> None:
    human = Judged(np.arange(float(pairs)), np.full(pairs, ""))
    found = aggregates(human, np.arange(float(pairs)) ** 2, human.resamples(100, 0))
    for aggregate in found.values():
        assert aggregate.value == pytest.approx(100)
        assert (aggregate.estimate.low is None) == (pairs < 5)
        assert (aggregate.estimate.high is None) == (pairs < 5)


def test_means_over_a_small_subset_have_no_interval() -> None:
    human = Judged(np.arange(12.0), np.array(["a"] * 8 + ["b"] * 4))
    found = aggregates(human, np.arange(12.0), human.resamples(100, 0))
    assert [name for name, one in found.items() if one.estimate.low is None] == ["mean", "wmean"]


def test_intervals_cover() -> None:
    # Of many samples from one population about 95 % of the intervals hold its correlation.
    generator = np.random.default_rng(3)
    truth = 100 * 6 / np.pi * np.arcsin(0.6 / 2)
    held = 0
    for seed in range(200):
        x = generator.normal(size=80)
        y = 0.6 * x + 0.8 * generator.normal(size=80)
        human = Judged(y, np.full(80, "a"))
        estimate = aggregates(human, x, human.resamples(200, seed))["all"].estimate
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low <= truth <= estimate.high
    assert 0.88 <= held / 200 <= 0.99


def test_what_distinguishes_nothing_has_none() -> None:
    human, _ = judged()
    assert aggregates(human, np.ones(60), human.resamples(3, 0))["all"].value == 0


@pytest.mark.parametrize(("undefined", "interval"), [(0, True), (50, True), (51, False)])
def test_a_resample_without_a_correlation_is_none(undefined: int, interval: bool) -> None:
    """It counted as a correlation of 0."""
    human = Judged(np.array([0.0, 0, 0, 0, 0, 1, 2]), np.full(7, ""))
    scores = np.array([0.0, 1, 2, 3, 3, 4, 4])
    drawn = np.stack([np.arange(7)] * 1000)
    # Of one judgement; of one score.
    drawn[: undefined // 2], drawn[undefined // 2 : undefined] = [0, 1, 2, 3, 4, 0, 1], 5
    found = aggregates(human, scores, drawn)
    for aggregate in (*found.values(), Aggregate.mean([found["all"], found["mean"]])):
        assert np.isnan(aggregate.resampled).sum() == undefined
        value = pytest.approx(aggregate.value)
        assert aggregate.estimate == Estimate(
            value, *([value, value] if interval else [None, None])
        )
        difference = (aggregate - aggregate).estimate
        assert difference == (Estimate(0, 0, 0) if interval else Estimate(0))


def test_the_mean_of_aggregates() -> None:
    mean = Aggregate.mean([Aggregate(1.0, np.array([0.0, 2])), Aggregate(3.0, np.array([4.0, 2]))])
    assert mean.value == 2
    assert mean.resampled.tolist() == [2, 2]
    none = Aggregate.mean([Aggregate(1.0, np.array([0.0, 2])), Aggregate(3.0, np.empty(0))])
    assert none.estimate == Estimate(2)


def test_a_difference_is_reported_more_closely_than_its_figures() -> None:
    generator = np.random.Generator(np.random.Philox(5))
    truth = generator.normal(size=60)
    human = Judged(truth, np.full(60, ""))
    drawn = human.resamples(500, 1)
    near = truth + generator.normal(0, 0.8, 60)
    far = near + generator.normal(0, 0.4, 60)
    a, b = (aggregates(human, scores, drawn)["all"] for scores in (near, far))
    difference = (a - b).estimate
    assert difference.value == pytest.approx(a.value - b.value)

    def width(estimate: Estimate) -> float:
        assert estimate.low is not None
        assert estimate.high is not None
        return estimate.high - estimate.low

    assert width(difference) < 0.6 * min(width(a.estimate), width(b.estimate))
    assert (a - a).estimate == Estimate(0, 0, 0)
