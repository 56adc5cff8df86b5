"""The estimators against their definitions, and against what they are estimates of."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cosine, jensenshannon
from scipy.stats import entropy

from similarity import sampled_texts
from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, UnsupportedError
from similarity.estimators import divergences
from similarity.estimators.centred import centred_cosine, whitened_cosine
from similarity.estimators.table import ESTIMATORS, NULL_TEXT
from similarity.models.base import LanguageModel
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.results import Comparison
from tests.similarity.exact import SmallToy, distributions, every_trajectory, probabilities
from tests.toy_models import SilentModel

SMALL = ComparisonConfig.build(n_trajectories=3, max_tokens=5)
TEXTS = ("aab.", "abb.")
names = pytest.mark.parametrize("name", ESTIMATORS)
BANK = ("some words", "other letters")


def estimate_pairs(
    model: LanguageModel,
    pairs: Sequence[tuple[str, str]],
    name: str,
    config: ComparisonConfig,
    bank: tuple[str, ...] | None = None,
) -> Sequence[Comparison]:
    if bank is None:
        bank = BANK if ESTIMATORS[name].needs_bank else ()
    bank = bank if ESTIMATORS[name].relative else ()
    return TrajectoryScorer(model, replace(config, distance=name, bank=bank)).score(pairs)


# Of probabilities; straight from the definitions, with another library where it has them.
REFERENCE: dict[str, Callable[[FloatArray, FloatArray], float]] = {
    "kl": lambda p, q: float(entropy(p, q)),
    "jeffreys": lambda p, q: float(entropy(p, q) + entropy(q, p)),
    "jensen_shannon": lambda p, q: float(jensenshannon(p, q) ** 2),
    "squared_hellinger": lambda p, q: 1 - sum(np.sqrt(x * y) for x, y in zip(p, q, strict=True)),
    "total_variation": lambda p, q: sum(abs(x - y) for x, y in zip(p, q, strict=True)) / 2,
}
STEP_ESTIMATORS = {
    "step-kl": "kl",
    "step-jeffreys": "jeffreys",
    "step-jensen-shannon": "jensen_shannon",
    "step-hellinger": "squared_hellinger",
    "step-total-variation": "total_variation",
}
of_divergences = pytest.mark.parametrize("function", REFERENCE)


def random_rows(seed: int, count: int, size: int = 50) -> list[FloatArray]:
    logits = np.random.default_rng(seed).normal(0, 3, (count, 4, size))
    rows = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return list(rows.astype(np.float32))


@of_divergences
@pytest.mark.parametrize("seed", range(5))
def test_a_divergence_is_its_definition(function: str, seed: int) -> None:
    log_p, log_q = random_rows(seed, 2)
    found = getattr(divergences, function)(log_p, log_q)
    expected = [
        REFERENCE[function](*(np.exp(row.astype(float)) for row in rows))
        for rows in zip(log_p, log_q, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    np.testing.assert_array_equal(getattr(divergences, function)(log_p, log_p), 0.0)
    if function != "kl":
        np.testing.assert_array_equal(getattr(divergences, function)(log_q, log_p), found)


@of_divergences
def test_rounding_makes_no_divergence_negative(function: str) -> None:
    (log_p,) = random_rows(0, 1, size=5000)
    log_q = log_p + np.random.default_rng(1).normal(0, 1e-6, log_p.shape).astype(np.float32)
    assert (getattr(divergences, function)(log_p, log_q) >= 0).all()


def apart(seed: int, size: int) -> list[FloatArray]:
    """Return rows of which each token has its probability from one text alone."""
    first, second = random_rows(seed, 2, size)
    first[:, : size // 2] -= 60
    second[:, size // 2 :] -= 60
    rows = (row - np.logaddexp.reduce(row, axis=-1, keepdims=True) for row in (first, second))
    return [row.astype(np.float32) for row in rows]


@pytest.mark.parametrize("function", ["squared_hellinger", "total_variation"])
def test_rounding_makes_no_bounded_divergence_more_than_one(function: str) -> None:
    found = [getattr(divergences, function)(*apart(seed, 5000)) for seed in range(20)]
    assert np.max(found) <= 1
    np.testing.assert_allclose(found, 1, rtol=1e-6)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_rounding_makes_no_relative_divergence_more_than_one(seed: int) -> None:
    """The mean of a bank, in single precision, lies beside the line between its two texts."""
    first, second = random_rows(seed, 2)
    null = np.logaddexp(first, second) - np.float32(np.log(2))
    between = divergences.total_variation(first, second)
    to_null = (divergences.total_variation(row, null) for row in (first, second))
    found = divergences.relative(between, *to_null)
    assert found.max() <= 1
    np.testing.assert_allclose(found, 1, rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_relative_total_variation_is_a_metric_of_at_most_one(seed: int) -> None:
    null, *others = random_rows(seed, 4)
    far = {
        (i, j): divergences.relative(
            *(
                divergences.total_variation(*rows)
                for rows in ((others[i], others[j]), (others[i], null), (others[j], null))
            )
        )
        for i in range(3)
        for j in range(3)
    }
    assert all((value <= 1).all() for value in far.values())
    np.testing.assert_array_equal(far[0, 0], 0.0)
    assert (far[0, 2] <= far[0, 1] + far[1, 2] + 1e-9).all()


def enumerated(toy: ToyModel, max_tokens: int, step: Callable[..., float]) -> float:
    """Return E over ½(P_u + P_v) of the mean over tokens of what `step` says of own and other."""
    every = every_trajectory(toy, max_tokens)
    total = 0.0
    for own, other in (TEXTS, TEXTS[::-1]):
        readers = (own, other, NULL_TEXT)
        steps = [zip(*(distributions(toy, r, t) for r in readers), strict=True) for t in every]
        means = [np.mean([step(*map(np.exp, rows)) for rows in walk]) for walk in steps]
        total += float(probabilities(toy, own, every) @ means) / 2
    return total


def relative_total_variation(p: FloatArray, q: FloatArray, null: FloatArray) -> float:
    d = REFERENCE["total_variation"]
    return 2 * d(p, q) / (d(p, q) + d(p, null) + d(q, null))


STEPS: dict[str, Callable[..., float]] = {
    **{
        name: lambda p, q, _, divergence=REFERENCE[function]: divergence(p, q)
        for name, function in STEP_ESTIMATORS.items()
    },
    "relative-total-variation": relative_total_variation,
}


@pytest.mark.parametrize("name", STEPS)
def test_unbiased(name: str) -> None:
    toy = SmallToy()
    config = ComparisonConfig.build(n_trajectories=2000, max_tokens=3)
    (estimate,) = estimate_pairs(toy, [TEXTS], name, config)
    expected = enumerated(toy, 3, STEPS[name])
    error = np.std(estimate.rows) / np.sqrt(estimate.rows.size)
    assert abs(estimate.distance - expected) < 4 * error < 0.2 * expected


def test_step_kl_is_the_divergence_of_whole_trajectories() -> None:
    """Where all have m tokens: (KL(P_u‖P_v) + KL(P_v‖P_u)) / 2m over trajectories."""
    toy = SmallToy(end=1e-12)
    every = every_trajectory(toy, 3)
    p, q = (np.maximum(probabilities(toy, text, every), 1e-300) for text in TEXTS)
    expected = (entropy(p, q) + entropy(q, p)) / (2 * 3)
    assert enumerated(toy, 3, STEPS["step-kl"]) == pytest.approx(expected, rel=1e-6)


@names
def test_identity_and_symmetry(toy_model: ToyModel, name: str) -> None:
    pairs = [("a red car", "a red car."), ("a red car", "the sea"), ("the sea", "a red car")]
    bank = ("some words", "other letters", ".")
    same, forth, back = estimate_pairs(toy_model, pairs, name, SMALL, bank)
    assert same.distance == 0
    assert forth.distance == back.distance > 0
    assert 0 < forth.similarity < same.similarity == 1
    if name != "linf":
        assert same.interval().distance == (0, 0)
        assert forth.interval().distance[0] <= forth.distance <= forth.interval().distance[1]


@names
@given(others=st.lists(st.sampled_from(["a", "b c", "the sea"]), max_size=3))
@settings(max_examples=5, deadline=None)
def test_a_pair_does_not_depend_on_its_batch(
    toy_model: ToyModel, name: str, others: list[str]
) -> None:
    pair = ("a red car", "the sea")
    batch = [*((other, "a red car") for other in others), pair]
    alone, *_ = estimate_pairs(toy_model, [pair], name, SMALL)
    assert estimate_pairs(toy_model, batch, name, SMALL)[-1].distance == alone.distance


@names
def test_of_a_network_as_of_the_toy(tiny: Callable[[str], LocalModel], name: str) -> None:
    model = tiny("llama")
    pairs = [("a", "a."), ("a b", "c"), ("c", "a b")]
    same, forth, back = (e.distance for e in estimate_pairs(model, pairs, name, SMALL, ("b", ".")))
    assert same == 0 < forth == back


@names
def test_log_likelihoods_are_those_of_the_paper_whatever_is_estimated(
    toy_model: ToyModel, name: str
) -> None:
    pairs = [("the sea", "a red car"), ("a red car", "the sea")]
    for found, paper in zip(
        estimate_pairs(toy_model, pairs, name, SMALL),
        estimate_pairs(toy_model, pairs, "l1", SMALL),
        strict=True,
    ):
        assert found.trajectories == paper.trajectories
        np.testing.assert_allclose(found.log_likelihoods, paper.log_likelihoods, rtol=1e-5)
        assert found.rows.shape[1] == paper.rows.shape[1]
        assert ESTIMATORS[name].distance(*found.rows) == pytest.approx(found.distance)


def test_little_is_held_at_once(toy_model: ToyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Watched(ToyModel):
        def distributions(self, requests: Any, law: Any) -> Any:
            if requests:
                asked.append(sum(len(r.continuations) for r in requests))
            return super().distributions(requests, law)

    pair = [("a", "b")]
    (whole,) = estimate_pairs(Watched(), pair, "step-kl", SMALL)
    monkeypatch.setattr(sampled_texts, "MAX_VALUES", 1)
    (parts,) = estimate_pairs(Watched(), pair, "step-kl", SMALL)
    np.testing.assert_array_equal(parts.rows, whole.rows)
    assert asked == [12, *[2] * 6]


def test_centred_rows_do_not_see_what_all_texts_say_alike() -> None:
    first, second, *bank = np.random.default_rng(0).normal(-3, 1, (6, 8))
    shift = np.linspace(-2, 2, 8)
    for function in (centred_cosine, whitened_cosine):
        value = function(first, second, *bank)
        moved = function(first + shift, second + shift, *(row + shift for row in bank))
        assert moved == pytest.approx(value)
    centre = np.mean(bank, axis=0)
    expected = cosine(first - centre, second - centre) / 2
    assert centred_cosine(first, second, *bank) == pytest.approx(expected)
    # Rows that are equal show no covariance: then nothing is whitened.
    args = (first, second, bank[0], bank[0])
    assert whitened_cosine(*args) == pytest.approx(centred_cosine(*args))
    assert centred_cosine(first, bank[0], bank[0]) == 0.5


def test_a_model_that_gives_no_distributions_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="toy does not give whole next-token distributions"):
        estimate_pairs(SilentModel(), [("a", "b")], "step-kl", SMALL)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown distance 'best'; allowed: l1, l2"):
        ComparisonConfig(distance="best")
    with pytest.raises(ConfigError, match="give no bank"):
        ComparisonConfig(distance="l1", bank=("a",))


@names
@pytest.mark.parametrize("bank", [(), ("a",), ("a", "a", "a")])
def test_what_whitens_needs_texts_that_differ(name: str, bank: tuple[str, ...]) -> None:
    """With one text it would be another distance under its own name."""
    if not ESTIMATORS[name].relative:
        bank = ()
    if not ESTIMATORS[name].needs_bank:
        assert ComparisonConfig(distance=name, bank=bank).distance == name
        return
    wanted = (
        f"distance {name} needs a bank of two different texts or more, got {len(set(bank))}; "
        "give them as bank=(…), or take another distance, such as centred-cosine"
    )
    with pytest.raises(ConfigError) as caught:
        ComparisonConfig(distance=name, bank=bank)
    assert str(caught.value) == wanted
    assert ComparisonConfig(distance=name, bank=(*bank, "a", "b")).distance == name


def test_each_relative_estimator_answers_under_its_own_name(toy_model: ToyModel) -> None:
    pair = [("a red car", "the sea")]
    found = {
        name: estimate_pairs(toy_model, pair, name, SMALL, BANK)[0].distance
        for name in ESTIMATORS
        if ESTIMATORS[name].relative
    }
    assert len(set(found.values())) == len(found) == 3


_ROW = re.compile(r"^\| `([a-z0-9-]+)` \|.*\| (exp\(−d\)|1 − d) \|$", re.M)


def test_the_pages_say_of_each_what_its_similarity_is() -> None:
    """One named three of the nine that are one minus the distance."""
    pages = Path(__file__).parents[3] / "docs" / "method"
    said = {
        name: rule
        for page in ("trajectories.md", "estimators.md")
        for name, rule in _ROW.findall((pages / page).read_text(encoding="utf-8"))
    }
    assert list(said) == list(ESTIMATORS)
    rules = {"exp(−d)": lambda d: np.exp(-d), "1 − d": lambda d: 1 - d}
    for name, rule in said.items():
        for value in (0.0, 0.3, math.log(2)):
            similarity = ESTIMATORS[name].distance.similarity(value)
            assert similarity == pytest.approx(rules[rule](value)), name
