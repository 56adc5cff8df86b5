import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.arrays import FloatArray
from similarity.distances import DISTANCES
from similarity.entailment.estimators import DEFAULT, ESTIMATORS, FEATURES, _features

A = np.array([1.0, 3.0, 0.0, 0.0])
B = np.array([2.0, 1.0, 5.0, 0.0])
rows = st.lists(st.sampled_from([0.0, 0.2, 1.0, 3.0]), min_size=6, max_size=6).map(np.array)


@pytest.mark.parametrize(
    ("name", "forward", "backward"),
    [
        ("weeds-precision", 3 / 8, 1),
        ("weeds-squared", 5 / 30, 1),
        ("weeds-fifth", (2**5 + 1) / (2**5 + 1 + 5**5), 1),
        ("clarke", 2 / 8, 2 / 4),
        ("inv-cl", (2 / 8 * (1 - 2 / 4)) ** 0.5, (2 / 4 * (1 - 2 / 8)) ** 0.5),
        # Of B's places 2, 0, 1 in order A has the last two, of ranks 2 and 1 there.
        ("ap-inc", (1 / 2 * 99 / 101 + 2 / 3 * 100 / 101) / 3, (99 / 101 + 98 / 101) / 2),
        ("paper", np.exp(-(1 + 5) / 4), np.exp(-2 / 4)),
    ],
)
def test_by_hand(name: str, forward: float, backward: float) -> None:
    degree = ESTIMATORS[name].degree
    assert degree(A, B) == pytest.approx(forward)
    assert degree(B, A) == pytest.approx(backward)


@pytest.mark.parametrize("count", [5, FEATURES, 3 * FEATURES])
def test_features_are_the_highest_in_order_of_place(count: int) -> None:
    row = np.random.default_rng(0).integers(0, 40, size=count).astype(np.float64)
    expected = np.argsort(-row, kind="stable")[:FEATURES]
    assert _features(row) == expected.tolist()


def test_balanced_precision_is_the_mean_of_two() -> None:
    lin = (1 + 2 + 3 + 1) / (4 + 8)
    found = ESTIMATORS["bal-ap-inc"].degree(A, B)
    assert found == pytest.approx((ESTIMATORS["ap-inc"].degree(A, B) * lin) ** 0.5)


@pytest.mark.parametrize("name", ESTIMATORS)
@given(first=rows, second=rows)
def test_degrees_are_in_range(name: str, first: FloatArray, second: FloatArray) -> None:
    assert 0 <= ESTIMATORS[name].degree(first, second) <= 1


@given(first=rows, second=rows)
def test_the_papers_direction_is_the_sign_of_its_margin(
    first: FloatArray, second: FloatArray
) -> None:
    degree = ESTIMATORS["paper"].degree
    meet, distance = np.minimum(first, second), DISTANCES["l1"]
    margin = distance(meet, first) - distance(meet, second)
    difference = degree(first, second) - degree(second, first)
    assert np.sign(round(margin, 12)) == np.sign(round(difference, 12))


def test_the_default_comes_first() -> None:
    assert next(iter(ESTIMATORS)) == DEFAULT
