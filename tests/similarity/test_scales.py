from collections.abc import Sequence

import numpy as np
import pytest

from similarity.calibration import comparable, fit_knots
from similarity.config import ComparisonConfig
from similarity.digests import digest_of_texts
from similarity.errors import ConfigError
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.results import Comparison
from similarity.scales import scale_of_general_text, scale_of_judgements, scale_of_own_texts
from similarity.scorer import Pair, Progress, no_progress
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
    assert (found.scale, found.fitted_on) == ("judgements", {"pairs": 4})
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
