import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cosine, jensenshannon
from scipy.stats import entropy

from similarity.arrays import FloatArray
from similarity.distances import DISTANCES, TAU

Rows = tuple[FloatArray, FloatArray]

log_likelihoods = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        *(arrays(np.float64, size, elements=st.floats(-80, 0)) for _ in range(2))
    )
)
names = pytest.mark.parametrize("name", DISTANCES)


def soft(row: FloatArray) -> FloatArray:
    weights = np.exp(TAU * row)
    return weights / weights.sum()


# Straight from the definitions, with other libraries' functions where there are any.
REFERENCE = {
    "l1": lambda a, b: sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a),
    "l2": lambda a, b: np.linalg.norm(a - b) / np.sqrt(len(a)),
    "linf": lambda a, b: max(abs(x - y) for x, y in zip(a, b, strict=True)),
    "symmetric-kl": lambda a, b: entropy(soft(a), soft(b)) + entropy(soft(b), soft(a)),
    "hellinger": lambda a, b: np.sqrt(max(0.0, 1 - np.sum(np.sqrt(soft(a) * soft(b))))),
    "total-variation": lambda a, b: np.maximum(soft(a) - soft(b), 0).sum(),
    "cosine": lambda a, b: cosine(soft(a), soft(b)),
}


def test_every_distance_has_a_reference() -> None:
    assert REFERENCE.keys() == DISTANCES.keys()


@names
@given(rows=log_likelihoods)
def test_agrees_with_the_definition(name: str, rows: Rows) -> None:
    assert DISTANCES[name](*rows) == pytest.approx(REFERENCE[name](*rows), rel=1e-6, abs=3e-8)


@names
@given(rows=log_likelihoods)
def test_symmetric_to_the_bit(name: str, rows: Rows) -> None:
    first, second = rows
    assert DISTANCES[name](first, second) == DISTANCES[name](second, first)


@names
@given(rows=log_likelihoods)
def test_zero_on_equal_rows(name: str, rows: Rows) -> None:
    assert DISTANCES[name](rows[0], rows[0].copy()) == 0.0
    assert DISTANCES[name].similarity(0.0) == 1.0


@names
@given(rows=log_likelihoods)
def test_similarity_is_in_the_unit_interval(name: str, rows: Rows) -> None:
    distance = DISTANCES[name]
    value = distance(*rows)
    assert value >= 0
    assert 0.0 <= distance.similarity(value) <= 1.0


@names
@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=2, unique=True))
def test_similarity_falls_as_distance_grows(name: str, values: list[float]) -> None:
    near, far = sorted(values)
    assert DISTANCES[name].similarity(near) >= DISTANCES[name].similarity(far)
    assert DISTANCES[name].similarity(0.1) > DISTANCES[name].similarity(0.2)


@given(rows=log_likelihoods)
def test_norms_are_ordered(rows: Rows) -> None:
    l1, l2, linf = (DISTANCES[name](*rows) for name in ("l1", "l2", "linf"))
    # A square below the smallest float is 0: hence the tiny absolute slack.
    assert l1 <= l2 * (1 + 1e-12) + 1e-150
    assert l2 <= linf * (1 + 1e-12)


@given(rows=log_likelihoods)
def test_soft_max_distances_do_not_see_a_constant(rows: Rows) -> None:
    first, second = rows
    for name in ("symmetric-kl", "hellinger", "total-variation", "cosine"):
        moved = DISTANCES[name](first + 3.0, second)
        assert moved == pytest.approx(DISTANCES[name](first, second), rel=1e-6, abs=1e-9)


def test_total_variation_is_half_the_l1_norm_not_the_maximum() -> None:
    first, second = np.log([0.5, 0.25, 0.25]) / TAU, np.log([0.25, 0.5, 0.25]) / TAU
    assert DISTANCES["total-variation"](first, second) == pytest.approx(0.25)
    third = np.log([0.1, 0.4, 0.5]) / TAU
    assert DISTANCES["total-variation"](first, third) == pytest.approx(0.4)


def test_hellinger_is_bounded_by_total_variation() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        rows = rng.normal(0, 5, (2, 20))
        hellinger, variation = (DISTANCES[n](*rows) for n in ("hellinger", "total-variation"))
        assert hellinger**2 <= variation + 1e-12
        assert variation <= np.sqrt(2) * hellinger + 1e-12
        # Jensen–Shannon is between them too: a check on the soft-max itself.
        assert jensenshannon(soft(rows[0]), soft(rows[1]), base=2) <= np.sqrt(variation) + 1e-9
