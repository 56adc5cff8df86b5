import numpy as np
import pytest

from similarity.entailment.estimators import DEFAULT, ESTIMATORS, EVENNESS
from similarity.entailment.evidence import Evidence, blocks_of, evenness


def logs(*rows: list[float]) -> np.ndarray:
    values = np.array(rows, dtype=np.float64)
    return np.log(values / values.sum(axis=1, keepdims=True))


def test_evenness_is_highest_where_all_words_are_alike() -> None:
    kept = np.ones(4, bool)
    even, uneven, peaked = evenness(logs([1, 1, 1, 1], [2, 1, 1, 1], [1e9, 1, 1, 1]), kept)
    assert even == pytest.approx(-np.log(4))
    assert even > uneven > peaked


def test_tokens_left_out_are_as_if_there_were_none() -> None:
    log_probs = logs([1, 2, 3, 4], [4, 1, 1, 2])
    kept = np.array([True, False, True, True])
    of_kept = evenness(logs([1, 3, 4], [4, 1, 2]), np.ones(3, bool))
    assert evenness(log_probs, kept) == pytest.approx(of_kept)


def test_what_is_left_out_may_have_all_the_probability() -> None:
    found = evenness(logs([1, 1e-30]), np.array([False, True]))
    assert np.isfinite(found).all()


def test_evenness_decides_where_inclusion_is_even() -> None:
    rows = np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0]])
    evidence = Evidence(rows, blocks_of(3), logs([1, 1, 1], [8, 1, 1]))
    inclusion, even = evidence.direction(ESTIMATORS[DEFAULT])
    assert inclusion == 0
    assert even == pytest.approx(EVENNESS * (-np.log(3) - np.log([0.8, 0.1, 0.1]).mean()))
    assert evidence.direction(ESTIMATORS["weeds-fifth"]) == (0, 0)


@pytest.mark.parametrize("name", [n for n, row in ESTIMATORS.items() if row.terms is not None])
def test_sums_over_blocks_are_what_is_left_of_all_places(name: str) -> None:
    draw = np.random.default_rng(0)
    rows = np.maximum(draw.normal(size=(2, 500)), 0)
    rows[:, 7] = 1e4  # nearly all of the fifth powers
    log_probs = logs(*np.exp(draw.normal(size=(2, 500)) * 4).tolist())
    evidence, estimator = Evidence(rows, blocks_of(500), log_probs), ESTIMATORS[name]
    slow = [sum(evidence.direction(estimator, evidence.blocks != block)) for block in range(20)]
    np.testing.assert_allclose(evidence.left_out(estimator), slow, rtol=1e-9, atol=1e-12)
