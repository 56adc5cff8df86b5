import numpy as np
import pytest

from similarity.reliability import gap_by_chance, mean_gap, reliability

SIMILARITIES = np.linspace(0, 1, 1000)


def test_an_exact_scale_has_no_gap() -> None:
    bins = reliability(SIMILARITIES, SIMILARITIES, 10)
    assert [one.pairs for one in bins] == [100] * 10
    assert mean_gap(bins) == 0
    assert max(one.half_width for one in bins) < 0.01


def test_a_scale_that_is_turned_has_the_mean_gap_of_its_bins() -> None:
    bins = reliability(SIMILARITIES, 1 - SIMILARITIES, 10)
    assert [one.judged for one in bins] == pytest.approx([1 - one.similarity for one in bins])
    assert mean_gap(bins) == pytest.approx(np.abs(2 * np.arange(0.05, 1, 0.1) - 1).mean(), abs=0.01)


def test_of_few_pairs_there_are_as_many_bins() -> None:
    bins = reliability(np.array([0.9, 0.1]), np.array([1.0, 0.0]), 10)
    assert [(one.similarity, one.judged, one.half_width) for one in bins] == [
        (0.1, 0, 0),
        (0.9, 1, 0),
    ]


def test_the_gap_by_chance_is_that_of_judgements_drawn_from_the_scale_itself() -> None:
    generator = np.random.default_rng(0)
    drawn = [
        reliability(SIMILARITIES[::10], generator.binomial(1, SIMILARITIES[::10]).astype(float), 5)
        for _ in range(300)
    ]
    found = np.mean([mean_gap(bins) for bins in drawn])
    assert np.mean([gap_by_chance(bins) for bins in drawn]) == pytest.approx(found, rel=0.1)
