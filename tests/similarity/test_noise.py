import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from similarity.law import Law
from similarity.models import torch_ops
from similarity.noise import exponential, step_key, text_key

PINNED_KEY = 17526543448850849414
PINNED_WAITS = [1.4008037, 0.8228599, 1.2998176]

keys = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))


def test_values_never_change() -> None:
    # Written down once: another version of the library must give the same trajectories.
    key = text_key(0, "A man is playing a guitar.")
    assert key == PINNED_KEY
    np.testing.assert_allclose(exponential(step_key(key, 3, 5), 3), PINNED_WAITS, rtol=1e-6)


@given(keys=st.lists(keys, min_size=1, max_size=5), size=st.integers(1, 700))
def test_torch_twin_is_equal(keys: list[tuple[int, int]], size: int) -> None:
    expected = np.stack([exponential(key, size) for key in keys])
    halves = torch_ops._halves(keys, torch.device("cpu"))
    twin = torch_ops._exponential(*halves, torch.empty(len(keys), size))
    np.testing.assert_allclose(twin.numpy(), expected, rtol=3e-6, atol=1e-9)


def test_exponentials_follow_their_law() -> None:
    rows = [exponential(step_key(1, i, j), 1000) for i in range(10) for j in range(10)]
    assert kstest(np.concatenate(rows), "expon").pvalue > 0.001
    # Neighbouring trajectories, steps and tokens are uncorrelated.
    table = np.stack(rows)
    for shifted in (table[1:, 1:] * table[:-1, :-1], table[10:] * table[:-10]):
        assert abs(shifted.mean() - 1) < 0.03


def test_noise_is_positive_and_finite() -> None:
    rows = np.concatenate([exponential(step_key(7, i, 0), 100_000) for i in range(20)])
    assert rows.min() > 0
    assert np.isfinite(rows).all()


def test_seed_text_trajectory_and_step_all_count() -> None:
    keys = {
        step_key(text_key(seed, text), trajectory, step)
        for seed in range(4)
        for text in ("a", "b")
        for trajectory in range(20)
        for step in range(20)
    }
    assert len(keys) == 4 * 2 * 20 * 20


def test_race_draws_from_the_probabilities() -> None:
    probs = np.array([0.5, 0.3, 0.15, 0.05])
    log_probs = torch.from_numpy(np.log(probs)).float().expand(20_000, 4)
    keys = [step_key(5, i, 0) for i in range(20_000)]
    tokens, drawn_log_probs, _ = torch_ops.draw(log_probs, Law(), keys)
    counts = np.bincount(tokens, minlength=4)
    np.testing.assert_allclose(drawn_log_probs, np.log(probs)[tokens], rtol=0, atol=1e-6)
    assert chisquare(counts, probs * 20_000).pvalue > 0.001


def test_draws_are_the_definition_s() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(100, 5000, generator=generator) * 4
    keys = [step_key(9, i, 3) for i in range(100)]
    tokens, _, leads = torch_ops.draw(logits, Law(temperature=0.7), keys)
    scores = logits.double().numpy() / 0.7
    arrivals = scores - np.log([exponential(key, 5000).astype(np.float64) for key in keys])
    assert tokens == arrivals.argmax(axis=1).tolist()
    ranked = np.sort(arrivals, axis=1)
    np.testing.assert_allclose(leads, ranked[:, -1] - ranked[:, -2], rtol=0, atol=1e-4)


def test_race_shows_by_how_much_it_was_won() -> None:
    log_probs = torch.tensor([[-0.1, -3.0, -4.0]])
    (token,), _, (lead,) = torch_ops.draw(log_probs, Law(), [(1, 2)])
    scores = log_probs[0].numpy() - np.log(exponential((1, 2), 3))
    assert token == scores.argmax()
    np.testing.assert_allclose(lead, np.diff(np.sort(scores))[-1], rtol=1e-5)
