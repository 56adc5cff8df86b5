import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.entailment.estimators import ESTIMATORS
from similarity.entailment.evidence import LACK, Evidence
from similarity.entailment.opening import open_entailment
from similarity.entailment.profiles import ProfileEntailment
from similarity.entailment.results import BACKWARD, BOTH, FORWARD, NEITHER, Entailment
from similarity.entailment.trajectories import TrajectoryEntailment
from similarity.errors import ConfigError, InputError, UnsupportedError
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors, fit
from similarity.vectors.implied import profiles
from tests.similarity.vectors.conftest import TINY_CONFIG, sentences
from tests.toy_models import SilentModel

SMALL = ComparisonConfig.build(n_trajectories=4, max_tokens=4)
PROFILE_ESTIMATORS = [n for n, row in ESTIMATORS.items() if row.evidence == "profiles"]


@pytest.fixture(scope="module")
def vectors(tiny: Callable[[str], LocalModel]) -> MeaningVectors:
    return fit(tiny("llama"), sentences(80), TINY_CONFIG)


@pytest.mark.parametrize("name", PROFILE_ESTIMATORS)
def test_the_reverse_is_the_reverse(vectors: MeaningVectors, name: str) -> None:
    scorer = ProfileEntailment(vectors=vectors, estimator=name)
    forth, back, same = scorer.judge([("a red car", "sea"), ("sea", "a red car"), ("sea", "sea.")])
    assert (forth.forward, forth.backward) == (back.backward, back.forward)
    assert forth.interval == pytest.approx(tuple(-end for end in back.interval[::-1]), abs=1e-9)
    low, high = forth.interval
    assert low <= forth.direction <= high
    assert forth.direction == -back.direction
    # A full stop changes no prefix.
    assert same.direction == 0
    if name not in ("inv-cl", "ap-inc", "bal-ap-inc"):
        assert same.verdict == BOTH


def test_the_direction_by_its_definition(vectors: MeaningVectors) -> None:
    pair = ("a red car", "the sea sings")
    scorer = ProfileEntailment(vectors=vectors)
    (found,) = scorer.judge([pair])
    lacks = np.log([1 - found.backward + 0.001, 1 - found.forward + 0.001])
    assert found.inclusion == pytest.approx(lacks[0] - lacks[1])
    group = vectors.groups["profile"]
    means = profiles(vectors.model, group, group.reader.rows(vectors.model, pair)).log_probs.mean(1)
    assert found.evenness == pytest.approx((means[0] - means[1]) / 4)
    assert found.direction == found.inclusion + found.evenness
    assert scorer.pair_directions([pair]) == pytest.approx([found.direction])
    (without,) = ProfileEntailment(vectors=vectors, estimator="weeds-fifth").judge([pair])
    assert (without.inclusion, without.evenness) == (found.inclusion, 0)


def judged(vectors: MeaningVectors) -> Entailment:
    (found,) = ProfileEntailment(vectors=vectors).judge([("a red car", "sea")])
    limits = replace(found.thresholds, related=0.5, same=0.75)
    return replace(found, thresholds=limits, interval=(0.1, 0.4), forward=0.7, backward=0.45)


def test_verdicts(vectors: MeaningVectors) -> None:
    base = judged(vectors)
    assert base.verdict == FORWARD
    reverse = replace(base, forward=0.45, backward=0.7, interval=(-0.4, -0.1))
    assert reverse.verdict == BACKWARD
    assert replace(base, forward=0.9, backward=0.8).verdict == FORWARD
    unsure = replace(base, interval=(-0.1, 0.2))
    assert replace(unsure, forward=0.9, backward=0.8).verdict == BOTH
    for change in (
        {"interval": (-0.1, 0.6)},
        {"forward": 0.49, "backward": 0.2},
        {"forward": 0.9, "backward": 0.74, "interval": (0.0, 0.3)},
    ):
        assert replace(base, **change).verdict == NEITHER


def test_words_decide(vectors: MeaningVectors) -> None:
    (found,) = ProfileEntailment(vectors=vectors).judge([("a red car", "the sea sings")])
    content = json.loads(json.dumps(found.to_dict(top=3)))
    assert set(content["words"]) == {"both", "first", "second"}
    assert "words" not in found.to_dict()


def test_unrelated_texts_are_neither_whatever_the_seed(toy_model: ToyModel) -> None:
    for seed in range(6):
        config = ComparisonConfig.build(n_trajectories=8, max_tokens=8, seed=seed)
        scorer = TrajectoryEntailment(model=toy_model, config=config)
        (found,) = scorer.judge([("The council voted on a budget.", "0123 4567")])
        assert found.verdict == NEITHER


def test_the_interval_covers_what_more_blocks_give() -> None:
    # Blocks drawn from one population: the interval holds its value about as often as it says.
    draw = np.random.default_rng(0)
    population = draw.exponential(size=(2, 40_000))
    estimator = ESTIMATORS["clarke"]
    everything = np.log(
        1 - Evidence(population, np.zeros(40_000, np.int64)).degrees(estimator) + LACK
    )
    value = everything[1] - everything[0]
    covered = 0
    for _ in range(200):
        chosen = draw.integers(40_000, size=400)
        low, high = Evidence(population[:, chosen], np.arange(400) % 20).interval(estimator, 0.9)
        covered += low <= value <= high
    assert 0.84 <= covered / 200 <= 0.96


@pytest.mark.longer
def test_a_model_without_profiles_is_judged_by_trajectories() -> None:
    scorer = open_entailment(SilentModel())
    assert isinstance(scorer, TrajectoryEntailment)
    with pytest.raises(UnsupportedError, match="no profile of next tokens"):
        open_entailment(SilentModel(), "weeds-even")


def test_what_is_wrong_is_refused(vectors: MeaningVectors, toy_model: ToyModel) -> None:
    with pytest.raises(ConfigError, match="unknown estimator"):
        open_entailment(toy_model, "nonsense")
    with pytest.raises(ConfigError, match="reads trajectories"):
        ProfileEntailment(vectors=vectors, estimator="paper")
    with pytest.raises(ConfigError, match="reads profiles"):
        TrajectoryEntailment(model=toy_model, estimator="clarke")
    with pytest.raises(ConfigError, match="at least 2"):
        TrajectoryEntailment(model=toy_model, config=ComparisonConfig.build(n_trajectories=1))
    with pytest.raises(ConfigError, match="confidence"):
        ProfileEntailment(vectors=vectors, confidence=1.0)
    with pytest.raises(InputError, match="empty"):
        ProfileEntailment(vectors=vectors).judge([("a", " ")])
    assert ProfileEntailment(vectors=vectors).judge([]) == []


def test_the_command() -> None:
    options = ["--model", "toy", "--estimator", "paper", "-n", "3", "-m", "3"]
    result = CliRunner().invoke(main, ["entails", "a red car", "a car", *options])
    assert result.exit_code == 0, result.output
    assert "verdict" in result.output
    as_json = CliRunner().invoke(main, ["entails", "a", "b", *options, "--json"])
    content = json.loads(as_json.output)
    assert content["verdict"] in (FORWARD, BACKWARD, BOTH, NEITHER)
    assert content["direction"] == content["parts"]["inclusion"]
    empty = CliRunner().invoke(main, ["entails", " ", "b", *options])
    assert empty.exit_code == 2
