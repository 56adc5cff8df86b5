"""How far scorings may be apart: noise is let pass, and what is wrong is not."""

import numpy as np
import pytest

from similarity.models.gaps import PRECISION, TOLERANCE, Gap, worst_gap

# Continuations of a check at loading, and the tokens of each.
SHAPE = (8, 20)
CHECKS = 4
LOADS = 2_000
NOISE = TOLERANCE * np.sqrt(np.pi) / 2


def noisy(random: np.random.Generator, grid: float, *shape: int) -> np.ndarray:
    """Return log-probabilities of one text in many calls, shape "call …"."""
    true = random.uniform(-9, -1, size=shape[1:])
    moved = true + random.normal(scale=NOISE, size=shape)
    return np.round(moved / grid) * grid if grid else moved


@pytest.mark.parametrize("grid", [0.0, 0.125])
def test_noise_as_large_as_is_allowed_is_refused_in_none_of_many_loads(grid: float) -> None:
    random = np.random.default_rng(0)
    for _ in range(LOADS):
        first, *others = noisy(random, grid, CHECKS + 1, *SHAPE)
        assert all(worst_gap([list(first)], [list(other)]).is_rounding for other in others)


@pytest.mark.parametrize("tokens", [1, 2, 4, 8, 16, 32])
def test_noise_is_refused_at_no_number_of_tokens(tokens: int) -> None:
    first, second = noisy(np.random.default_rng(tokens), 0.0, 2, 100_000, tokens)
    gaps = np.abs(first - second).mean(axis=1)
    assert gaps.max() <= Gap(0.0, tokens).allowed
    # Without an allowance a fifth would be refused, or more.
    assert (gaps > TOLERANCE).mean() > 0.2


@pytest.mark.parametrize("seed", range(20))
def test_faults_are_found_under_noise(seed: int) -> None:
    """One continuation of eight scored otherwise, or all of them by less, or one token of each."""
    random = np.random.default_rng(seed)
    first, again = noisy(random, 0.0, 2, *SHAPE)
    assert worst_gap([list(first)], [list(again)]).is_rounding
    one, each, all_of_it = again.copy(), again.copy(), again.copy()
    one[3] += 0.3 * random.choice([-1, 1], SHAPE[1])
    each[:, -1] -= 1.5
    all_of_it += 0.15 * random.choice([-1, 1], SHAPE)
    for wrong in (one, each, all_of_it):
        assert not worst_gap([list(first)], [list(wrong)]).is_rounding


def test_what_is_reported() -> None:
    zeros = np.zeros(16)
    gap = worst_gap([[zeros, zeros]], [[zeros + 0.2, zeros]])
    assert (gap.tokens, str(gap)) == (16, "0.2 nats per token over 16 tokens")
    assert gap.advice("look") == f"0.14 are allowed; {PRECISION}; else look"
    assert Gap(0.3, 16).advice("look") == "0.14 are allowed; look"
    assert str(Gap(0.5, 1)) == "0.5 nats per token over 1 token"


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_no_rounding(wrong: float) -> None:
    zeros = np.zeros(4)
    bad = np.array([0.0, 0.0, wrong, 0.0])
    assert not worst_gap([[zeros, zeros]], [[zeros, bad]]).is_rounding
