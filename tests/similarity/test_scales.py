from collections.abc import Sequence

import numpy as np
import pytest
import scipy

from similarity.calibration import comparable, fit_knots
from similarity.config import ComparisonConfig
from similarity.digests import digest_of_texts
from similarity.errors import ConfigError
from similarity.given import Pair
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.results import Comparison
from similarity.scale_warnings import few_texts, weak_order
from similarity.scales import (
    order_of,
    scale_of_general_text,
    scale_of_judgements,
    scale_of_own_texts,
    unit_judgements,
)
from similarity.scorer import Progress, no_progress
from similarity.texts.general import general_digest, general_sentences

CONFIG = ComparisonConfig.build(n_trajectories=2, max_tokens=5)


@pytest.fixture
def scorer(toy_model: ToyModel) -> TrajectoryScorer:
    return TrajectoryScorer(toy_model, CONFIG)


def test_unrelated_texts_are_at_0_and_equal_ones_at_1(scorer: TrajectoryScorer) -> None:
    found = scale_of_general_text(scorer, 9)
    sentences = general_sentences()[:9]
    pairs = [(sentences[i - 1], sentences[i]) for i in range(9)]
    unrelated = sorted(score.distance for score in scorer.score(pairs))
    assert found.distances == (0.0, pytest.approx(unrelated[4]))
    assert [found.similarity(d) for d in unrelated[4:]] == [0, 0, 0, 0, 0]
    assert all(0 < found.similarity(d) < 1 for d in unrelated[:4])
    assert found.similarity(unrelated[4] / 4) == pytest.approx(0.75)
    assert found.similarity(0) == 1
    assert found.scale == "general text"
    assert found.settings == comparable(CONFIG.to_dict())
    assert found.fitted_on == {
        "general sentences": general_digest(),
        "pairs": 9,
        "same": 0.0,
        "unrelated": found.distances[-1],
    }


class Noisy(TrajectoryScorer):
    """Finds a text at some distance from itself, as a server may whose sums change."""

    nearest = 0.01

    def score(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> list[Comparison]:
        scores = super().score(pairs, progress)
        for score in scores:
            object.__setattr__(score, "distance", max(score.distance, self.nearest))
        return list(scores)


def test_a_text_and_itself_need_not_be_at_0(toy_model: ToyModel) -> None:
    scorer = Noisy(toy_model, CONFIG)
    found = scale_of_general_text(scorer, 5)
    assert found.distances[:2] == (0, 0.01)
    assert [found.similarity(d) for d in (0, 0.005, 0.01)] == [1, 1, 1]
    assert found.similarity(found.distances[2]) == 0
    scorer.nearest = 100.0
    with pytest.raises(ConfigError, match="a text is 100 from itself and 100 from others"):
        scale_of_general_text(scorer, 5)


def test_so_many_sentences(scorer: TrajectoryScorer) -> None:
    for wrong in (1, len(general_sentences()) + 1):
        with pytest.raises(ConfigError, match="sentences must be between 2 and 401"):
            scale_of_general_text(scorer, wrong)


def test_judgements(scorer: TrajectoryScorer) -> None:
    pairs = [("the sea", "the sea"), ("the sea", "a red car"), ("the sea", "zzz"), ("a b", "q")]
    judged = (4, 2, 1, 0)
    found = scale_of_judgements(scorer, pairs, judged, (0, 4), {"pairs": 4})
    distances = np.array([score.distance for score in scorer.score(pairs)])
    assert (found.distances, found.similarities) == fit_knots(distances, np.array(judged) / 4)
    assert found.scale == "judgements"
    order = float(scipy.stats.spearmanr(distances, judged).statistic)
    assert found.fitted_on == {"pairs": 4, "rank correlation": pytest.approx(order)}
    with pytest.raises(ConfigError, match="judgements are from 0 to 4, and the scale from 0 to 3"):
        scale_of_judgements(scorer, pairs, judged, (0, 3), {})


def test_a_scale_of_own_texts(scorer: TrajectoryScorer) -> None:
    texts = ["the sea", "a red car", "my boat", "the sea", "zzz", "my old boat"]
    found = scale_of_own_texts(scorer, texts, 5)
    assert found.scale == "own texts"
    assert found.settings == comparable(CONFIG.to_dict())
    different = sorted(set(texts))
    assert found.fitted_on == {
        "own texts": digest_of_texts(different),
        "pairs": 5,
        "same": 0.0,
        "unrelated": found.distances[-1],
    }
    # The median of five pairs is the distance of one of them, of two different texts.
    pairs = [(u, v) for u in different for v in different if u != v]
    assert found.distances[-1] in {score.distance for score in scorer.score(pairs)}
    assert found.distances[-1] != scale_of_general_text(scorer, 5).distances[-1]
    # Neither the order of the texts nor those that repeat change it, and fewer are drawn of them.
    assert scale_of_own_texts(scorer, texts[::-1] + texts, 5) == found
    fewer = scale_of_own_texts(scorer, texts, 3)
    assert (fewer.fitted_on["pairs"], fewer.fitted_on["own texts"]["texts"]) == (3, 5)


def test_texts_in_groups_are_paired_across_them(toy_model: ToyModel) -> None:
    """Files often have like texts together, and neighbours of theirs are no unrelated texts."""
    seen: list[Pair] = []

    class Watching(TrajectoryScorer):
        def score(
            self, pairs: Sequence[Pair], progress: Progress = no_progress
        ) -> list[Comparison]:
            seen.extend(pairs)
            return list(super().score(pairs, progress))

    texts = [f"{letter}{number:02}" for letter in "ab" for number in range(20)]
    scale_of_own_texts(Watching(toy_model, CONFIG), texts, 40)
    across = sum(u[0] != v[0] for u, v in seen)
    assert 10 < across < 30


@pytest.mark.parametrize(("texts", "there"), [([], "there are none"), (["a"] * 3, "there is one")])
def test_own_texts_must_differ(scorer: TrajectoryScorer, texts: list[str], there: str) -> None:
    with pytest.raises(ConfigError, match=f"two different texts or more, and {there}"):
        scale_of_own_texts(scorer, texts, 60)


@pytest.mark.parametrize("wrong", [1, 3])
def test_so_many_own_texts(scorer: TrajectoryScorer, wrong: int) -> None:
    with pytest.raises(ConfigError, match=f"sentences must be between 2 and 2, got {wrong}"):
        scale_of_own_texts(scorer, ["a", "b", "a"], wrong)


@pytest.mark.parametrize("seed", range(3))
def test_judgements_of_pure_noise_are_warned_of(seed: int) -> None:
    generator = np.random.default_rng(seed)
    noise = generator.uniform(size=200)
    for pairs in (8, 40, 200):
        order = order_of(noise[:pairs], generator.permutation(np.arange(pairs) % 6).astype(float))
        (said,) = weak_order({"pairs": pairs, "rank correlation": order})
        assert f"over {pairs} pairs, which may be chance" in said
    for pairs in (5, 8, 40):
        order = order_of(np.sort(noise[:pairs]), np.arange(pairs, 0, -1.0))
        assert order == pytest.approx(-1)
        assert list(weak_order({"pairs": pairs, "rank correlation": order})) == []


def test_equal_distances_and_few_pairs_have_no_order() -> None:
    assert order_of(np.ones(5), np.arange(5.0)) is None
    (said,) = weak_order({"pairs": 5, "rank correlation": None})
    assert "equally far apart" in said
    # Four pairs are in the right order by chance once in 24 times, and in the reverse as often.
    assert len(list(weak_order({"pairs": 4, "rank correlation": -1.0}))) == 1


def test_few_texts_of_ones_own_are_warned_of() -> None:
    assert list(few_texts(30)) == []
    (said,) = few_texts(29)
    assert said == "the median of 29 random pairs makes a rough scale; give 30 texts or more"
    (said,) = few_texts(2)
    assert "of fewer than 6, even their range may leave it out" in said


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ((5, 0), r"got 5 0; where a lower .* \(5 becomes 0\), and give --scale 0 5"),
        ((3, 3), "two judgements that differ, got 3 3"),
    ],
)
def test_a_scale_the_wrong_way_round_says_how(ends: tuple[float, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        unit_judgements(np.array([1.0, 4.0]), ends)
