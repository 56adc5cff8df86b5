import numpy as np
import pytest
from hypothesis import given

from similarity.distances import DISTANCES
from similarity.order import entailment_margin, join, meet
from tests.similarity.test_distances import Rows, log_likelihoods


@given(rows=log_likelihoods)
def test_meet_is_below_and_join_above_both(rows: Rows) -> None:
    for row in rows:
        assert (meet(*rows) <= row).all()
        assert (join(*rows) >= row).all()
    np.testing.assert_array_equal(meet(*rows) + join(*rows), rows[0] + rows[1])


@given(rows=log_likelihoods)
def test_under_l1_the_direction_is_that_of_the_sums(rows: Rows) -> None:
    first, second = rows
    margin = entailment_margin(first, second, DISTANCES["l1"])
    assert margin == pytest.approx(np.mean(first - second), abs=1e-9)


@pytest.mark.parametrize("name", DISTANCES)
@given(rows=log_likelihoods)
def test_margin_is_antisymmetric(name: str, rows: Rows) -> None:
    first, second = rows
    forth = entailment_margin(first, second, DISTANCES[name])
    assert entailment_margin(second, first, DISTANCES[name]) == -forth


def test_a_meaning_below_another_is_entailed_by_it() -> None:
    above, below = np.array([-1.0, -2.0, -3.0]), np.array([-1.5, -2.0, -4.0])
    for name in ("l1", "l2", "linf"):
        assert entailment_margin(above, below, DISTANCES[name]) > 0
