"""Intervals hold what they promise: counted over seeds, against exact values."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from similarity.api import compare, compare_to_tolerance
from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.distances import DISTANCES
from similarity.errors import ConfigError
from similarity.estimators.table import ESTIMATORS, WITHOUT_BANK
from similarity.models.toy import ToyModel
from similarity.uncertainty import Interval, Tolerance, confidence_interval
from tests.similarity.exact import SmallToy, every_trajectory, mean_log_probs, probabilities
from tests.similarity.test_pipeline import enumerated_distance

FIRST, SECOND = "aab.", "abb."
SMOOTH = [name for name, distance in DISTANCES.items() if distance.smooth]


def holds(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]


def test_95_of_100_seeds_hold_the_exact_value() -> None:
    toy = SmallToy()
    exact = enumerated_distance(toy, FIRST, SECOND, max_tokens=3)
    held = []
    for seed in range(500):
        config = ComparisonConfig.build(n_trajectories=10, max_tokens=3, seed=seed)
        interval = compare(toy, FIRST, SECOND, config).interval()
        held.append(holds(exact, interval.distance))
        assert holds(np.exp(-exact), interval.similarity) == held[-1]
    assert 0.93 <= np.mean(held) <= 0.97


@pytest.mark.parametrize("name", SMOOTH)
def test_coverage_of_every_distance(name: str) -> None:
    """Of the limit of many trajectories, as these distances are not means."""
    toy, distance, n = SmallToy(), DISTANCES[name], 20
    every = every_trajectory(toy, 4)
    means = np.array([mean_log_probs(toy, text, every) for text in (FIRST, SECOND)])
    laws = [probabilities(toy, text, every) for text in (FIRST, SECOND)]
    rng = np.random.default_rng(0)

    def rows(n: int) -> Any:
        return means[:, np.concatenate([rng.choice(len(every), n, p=law) for law in laws])]

    limit = distance(*rows(400_000))

    def interval(drawn: Any) -> Interval:
        value = distance(*drawn)
        return confidence_interval(distance, distance.similarity, drawn, 0.95, value)

    held = [holds(limit, interval(rows(n)).distance) for _ in range(500)]
    assert 0.93 <= np.mean(held) <= 0.97


@pytest.mark.parametrize("name", [n for n in WITHOUT_BANK if ESTIMATORS[n].distance.smooth])
def test_an_interval_holds_the_scores_whatever_rounding_does(
    name: str, toy_model: ToyModel
) -> None:
    """The distance was computed again, of rows that lie otherwise in memory."""
    for n in (2, 3, 20):
        for second in (FIRST, SECOND, "the sea is blue"):
            config = ComparisonConfig.build(n_trajectories=n, max_tokens=3, distance=name)
            found = compare(toy_model, FIRST, second, config)
            # As rounding may have it, up or down.
            for distance in (found.distance, *np.nextafter(found.distance, [0, 1]).tolist()):
                interval = replace(found, distance=max(distance, 0.0)).interval(1e-15)
                assert holds(max(distance, 0.0), interval.distance)
            interval = found.interval(1e-15)
            assert holds(found.similarity, interval.similarity)


def test_an_interval_of_a_mean_is_students(toy_model: ToyModel) -> None:
    config = ComparisonConfig.build(n_trajectories=7, max_tokens=5)
    result = compare(toy_model, "a red car", "the sea", config)
    gaps = np.abs(np.subtract(*result.log_likelihoods)).reshape(2, 7).mean(0)
    student_quantile = 2.446912  # of 6 degrees of freedom, at 97.5 %
    half = student_quantile * gaps.std(ddof=1) / np.sqrt(7)
    low, high = result.interval().distance
    assert (low, high) == pytest.approx((result.distance - half, result.distance + half))
    assert result.interval().similarity == pytest.approx((np.exp(-high), np.exp(-low)))
    assert result.interval(0.5).half_width < half


def test_stopping_at_a_tolerance_keeps_most_of_the_promise() -> None:
    toy = SmallToy()
    exact = enumerated_distance(toy, FIRST, SECOND, max_tokens=3)
    results = [
        compare_to_tolerance(
            toy,
            FIRST,
            SECOND,
            Tolerance(half_width=0.04),
            ComparisonConfig.build(n_trajectories=10, max_tokens=3, seed=seed),
        )
        for seed in range(200)
    ]
    assert np.mean([holds(exact, result.interval().distance) for result in results]) > 0.9
    assert all(result.interval().half_width <= 0.04 for result in results)
    assert len({len(result.trajectories) for result in results}) > 1


def test_a_tolerance_extends_what_there_is() -> None:
    sampled: list[int] = []

    class Counting(SmallToy):
        def sample(self, requests: Any, *args: Any, **kwargs: Any) -> Any:
            sampled.extend(i for request in requests for i in request.numbers)
            return super().sample(requests, *args, **kwargs)

    start = ComparisonConfig.build(n_trajectories=5, max_tokens=3)
    goal = Tolerance(half_width=1e-6, max_trajectories=30)
    result = compare_to_tolerance(Counting(), FIRST, SECOND, goal, start)
    # 5, 10, 20, and no more than the 30 allowed: of two texts, none of them twice.
    assert sorted(sampled) == sorted([*range(30)] * 2)
    whole = compare(
        SmallToy(), FIRST, SECOND, ComparisonConfig.build(n_trajectories=30, max_tokens=3)
    )
    assert result.to_dict() == whole.to_dict()


def test_equal_texts_need_no_more(toy_model: ToyModel) -> None:
    result = compare_to_tolerance(toy_model, "a", "a.", Tolerance(half_width=0.01))
    assert result.interval().distance == (0.0, 0.0)
    assert len(result.trajectories) == 40


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"half_width": 0.0}, "tolerance must be a number above 0, got 0"),
        ({"half_width": float("nan")}, "tolerance must be a finite number, got nan"),
        ({"max_trajectories": 1}, "max_trajectories must be between 2 and 10000, got 1"),
        ({"confidence": 1.0}, "confidence must be between 0 and 1, got 1"),
    ],
)
def test_bad_tolerances_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Tolerance(**{"half_width": 0.1, **setting})


def test_what_has_no_interval_is_refused(toy_model: ToyModel) -> None:
    for setting, message in (({"distance": "linf"}, "no interval"), ({"n_trajectories": 1}, "2")):
        config = ComparisonConfig.build(max_tokens=3, **setting)
        with pytest.raises(ConfigError, match=message):
            compare(toy_model, "a", "b", config).interval()
        with pytest.raises(ConfigError, match=message):
            compare_to_tolerance(toy_model, "a", "b", Tolerance(half_width=1), config)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["compare", "--model", "toy", "-m", "5", "a", "b", *arguments])


def test_on_the_command_line() -> None:
    content = json.loads(run("--interval", "0.9", "--json").stdout)
    assert content["interval"]["confidence"] == 0.9
    assert holds(content["distance"], content["interval"]["distance"])
    assert "interval" not in json.loads(run("--json").stdout)
    tight = json.loads(run("--tolerance", "0.1", "--json").stdout)
    low, high = tight["interval"]["distance"]
    assert high - low <= 0.2
    assert tight["fingerprint"]["settings"]["sampling"]["n_trajectories"] > 20
    assert "95 % interval" in run("--tolerance", "0.5").stdout
    refused = run("--interval", "0.9", "--distance", "linf")
    assert refused.exit_code == 2
    assert "no interval" in refused.stderr


def test_the_highest_confidence_has_ends_too(toy_model: ToyModel) -> None:
    config = ComparisonConfig.build(n_trajectories=2, max_tokens=3)
    result = compare(toy_model, FIRST, SECOND, config)
    almost_one = float(np.nextafter(1.0, 0.0))
    assert np.isfinite(result.interval(almost_one).distance).all()
