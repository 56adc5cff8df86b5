import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.spatial.distance import cosine

from similarity.errors import ConfigError, InputError, WrongAnswerError
from similarity.vectors.whitening import WhiteningFit, cosines, unit

Rows = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)
widths = st.integers(1, 8)
shrinkages = st.floats(0, 1)


def rows_of(seed: int, width: int, number: int = 40) -> Rows:
    """Return correlated rows far from the origin, as hidden states are."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(width, width)))
    spread = rng.normal(size=(number, width)) * np.linspace(1, 10, width)
    return 100 * rng.normal(size=width) + spread @ turn


def pairwise(rows: Rows) -> Rows:
    return cosines(rows[:, None], rows[None])


@given(seed=seeds, width=widths)
def test_training_rows_become_white(seed: int, width: int) -> None:
    rows = rows_of(seed, width)
    white = WhiteningFit(width).add(rows).fit(0).apply(rows)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(white.T @ white / len(rows), np.eye(width), atol=1e-6)


@given(seed=seeds, width=widths, shrinkage=shrinkages)
def test_agrees_with_the_equation(seed: int, width: int, shrinkage: float) -> None:
    rows = rows_of(seed, width)
    covariance = np.cov(rows.T, bias=True).reshape(width, width)
    target = np.trace(covariance) / width * np.eye(width)
    shrunk = (1 - shrinkage) * covariance + shrinkage * target
    expected = (rows - rows.mean(axis=0)) @ np.linalg.inv(np.real(sqrtm(shrunk)))
    whitening = WhiteningFit(width).add(rows).fit(shrinkage)
    # The two roots of S⁻¹ differ by a rotation, which inner products do not see.
    found = whitening.apply(rows)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-6)


@given(seed=seeds, width=widths, cuts=st.lists(st.integers(0, 40), max_size=4))
def test_batches_and_their_order_leave_rounding_only(
    seed: int, width: int, cuts: list[int]
) -> None:
    rows = rows_of(seed, width)
    whole = WhiteningFit(width).add(rows).fit(0.1)
    parts = np.split(rows, sorted(cuts))
    for order in (parts, parts[::-1]):
        fit = WhiteningFit(width)
        for part in order:
            fit.add(part)
        batched = fit.fit(0.1)
        np.testing.assert_allclose(batched.mean, whole.mean, rtol=1e-9)
        np.testing.assert_allclose(
            pairwise(batched.apply(rows)), pairwise(whole.apply(rows)), atol=1e-6
        )


@given(seed=seeds, width=widths)
def test_full_shrinkage_only_centres(seed: int, width: int) -> None:
    rows = rows_of(seed, width)
    found = WhiteningFit(width).add(rows).fit(1).apply(rows)
    centred = rows - rows.mean(axis=0)
    np.testing.assert_allclose(pairwise(found), pairwise(centred), atol=1e-6)
    np.testing.assert_allclose((found**2).mean(), 1)


def test_a_large_mean_costs_no_precision() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3)) + 1e7
    fit = WhiteningFit(3)
    for row in rows:
        fit.add(row[None])
    white = fit.fit(0).apply(rows)
    np.testing.assert_allclose(white.T @ white / 50, np.eye(3), atol=1e-6)


def test_rank_keeps_the_directions_of_most_variance() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 3)) * [1, 9, 3]
    fit = WhiteningFit(3).add(rows)
    whole, two = fit.fit(0.2), fit.fit(0.2, rank=2)
    np.testing.assert_array_equal(two.matrix, whole.matrix[:, :2])
    assert list(np.abs(two.matrix).argmax(axis=0)) == [1, 2]
    assert two.apply(rows).shape == (200, 2)


def test_more_directions_than_rows() -> None:
    rows = rows_of(0, 8, number=5)
    fit = WhiteningFit(8).add(rows)
    with pytest.raises(ConfigError, match="5 texts do not vary in 8 .* raise the shrinkage$"):
        fit.fit(0)
    with pytest.raises(ConfigError, match="in 6 directions.* the shrinkage or lower the rank$"):
        fit.fit(0, 6)
    variance = rows.var(axis=0).mean()
    stretch = np.linalg.norm(fit.fit(0.1).matrix, ord=2)
    assert stretch == pytest.approx((0.1 * variance) ** -0.5)


@pytest.mark.parametrize("shrinkage", [0, 0.1])
def test_rows_that_are_all_the_same(shrinkage: float) -> None:
    fit = WhiteningFit(3).add(np.full((7, 3), [0.1, 0.7, 0.3]))
    with pytest.raises(InputError, match="the 7 texts are all the same to the model; give diff"):
        fit.fit(shrinkage)


def test_a_fit_does_not_change_with_what_comes_after() -> None:
    fit = WhiteningFit(2).add(rows_of(0, 2))
    before = fit.fit(0)
    mean, matrix = before.mean.copy(), before.matrix.copy()
    fit.add(rows_of(1, 2))
    np.testing.assert_array_equal(before.mean, mean)
    np.testing.assert_array_equal(before.matrix, matrix)


@pytest.mark.parametrize(
    ("shrinkage", "rank", "message"),
    [
        (-0.1, None, "shrinkage must be between 0 and 1, got -0.1"),
        (1.5, None, "shrinkage"),
        (float("nan"), None, "shrinkage"),
        (0.5, 0, "rank must be between 1 and 2, got 0"),
        (0.5, 3, "rank"),
    ],
)
def test_settings_out_of_range(shrinkage: float, rank: int | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        WhiteningFit(2).add(rows_of(0, 2)).fit(shrinkage, rank)


def test_rows_that_cannot_be_whitened() -> None:
    with pytest.raises(InputError, match=r"shape \(any, 3\), got \(4, 2\)"):
        WhiteningFit(3).add(np.zeros((4, 2)))
    with pytest.raises(WrongAnswerError, match="not finite"):
        WhiteningFit(2).add(np.array([[1, np.nan]]))
    with pytest.raises(InputError, match="two rows or more, got 1"):
        WhiteningFit(2).add(np.ones((1, 2))).fit(0.5)
    with pytest.raises(InputError, match="the 9 texts are all the same"):
        WhiteningFit(2).add(np.ones((9, 2))).fit(1)


def test_cosines() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 6, 4)).astype(np.float32)
    expected = [1 - cosine(a, b) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(cosines(first, second), expected, atol=1e-6)
    assert cosines(np.zeros(3), np.ones(3)) == 0


@pytest.mark.parametrize("size", [1e-320, 1e-161, 1e-30, 1.0, 1e153, 1e155, 1.7e308])
def test_a_cosine_is_that_of_rows_of_any_size(size: float) -> None:
    """Squares were rounded to nothing or beyond all floats, and cosines were 0 or above 1."""
    rows = np.array([[3.0, -4.0, 0.0], [1.0, 1.0, 1.0]])
    assert unit(rows * (size / 4)) == pytest.approx(unit(rows), rel=1e-15 if size > 1e-300 else 0.1)
    assert cosines(rows[0] * (size / 4), rows[0]) == pytest.approx(1, abs=0.01)
    assert (unit(np.zeros((2, 3))) == 0).all()


@given(seeds)
def test_a_row_of_any_size_becomes_the_same_to_the_last_digit(seed: int) -> None:
    rows = rows_of(seed, 5)
    assert (unit(rows * 2.0**-900) == unit(rows)).all()
