from fractions import Fraction

import numpy as np
import pytest

from similarity.vectors.exact import exact_distances, on_grid
from similarity.vectors.whitening import unit


@pytest.mark.parametrize("width", [1, 3, 1152])
def test_every_distance_is_the_one_on_paper(width: int) -> None:
    rows = unit(np.random.default_rng(width).normal(size=(40, width)))
    # Two that are next to each other, and two that are opposite.
    rows[1] = unit(rows[0] + 1e-7 * rows[2])
    rows[3] = -rows[0]
    vectors = on_grid(rows.astype(np.float32))
    assert np.abs(vectors - rows).max() < 2e-8 + 2**-24
    found = exact_distances(vectors, vectors)
    assert (found == found.T).all()
    assert (found.diagonal() == 0).all()
    for i, j in ((0, 1), (0, 3), (4, 5), (39, 38)):
        parts = [Fraction(a) - Fraction(b) for a, b in zip(vectors[i], vectors[j], strict=True)]
        assert Fraction(found[i, j]) == sum(part * part for part in parts) / 2


def test_a_pair_has_the_same_bits_alone_in_tiles_and_in_any_order() -> None:
    rows = unit(np.random.default_rng(0).normal(size=(60, 577))).astype(np.float32)
    vectors = on_grid(rows)
    whole = exact_distances(vectors, vectors)
    for size in (1, 7, 32):
        for start in range(0, 60, size):
            some = slice(start, start + size)
            np.testing.assert_array_equal(exact_distances(vectors[some], vectors), whole[some])
            np.testing.assert_array_equal(
                exact_distances(vectors, vectors[some]), whole[:, some], strict=True
            )
    turned = np.ascontiguousarray(vectors[:, ::-1])
    np.testing.assert_array_equal(exact_distances(turned, turned), whole)


def test_a_vector_of_zeros_is_half_way() -> None:
    vectors = on_grid(np.array([[0, 0], [1, 0]], np.float32))
    np.testing.assert_array_equal(exact_distances(vectors, vectors), [[0, 0.5], [0.5, 0]])
