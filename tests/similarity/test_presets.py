from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from similarity.api import compare_matrix
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError
from similarity.models.base import LanguageModel
from similarity.models.loader import load_model
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.presets import PAPER, PRESETS
from similarity.results import Comparison
from similarity.scorer import Scorer
from similarity.scorers import open_scorer
from similarity.uncertainty import Tolerance
from similarity.vectors import fit
from similarity.vectors.scorer import VectorScorer
from similarity.vectors.storage import save
from tests.similarity.vectors.conftest import TOY_CONFIG, cosines, sentences
from tests.toy_models import SilentModel

CONFIG = ComparisonConfig.build(n_trajectories=3, max_tokens=5)
PAIRS = [("a red car", "the sea"), ("the sea", "a red car"), ("the old bird", "the sea")]


@pytest.fixture(scope="module")
def embedded() -> LanguageModel:
    return load_model("embedded")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    save(fit(ToyModel(), sentences(60), TOY_CONFIG), folder)
    return folder


def scorers(folder: Path) -> list[Scorer]:
    model = ToyModel()
    return [open_scorer(model, "paper", CONFIG), open_scorer(model, "best", vectors=str(folder))]


def test_a_model_without_vectors_is_compared_by_trajectories() -> None:
    model = SilentModel()
    scorer = open_scorer(model)
    assert isinstance(scorer.fingerprint.config, ComparisonConfig)
    expected = TrajectoryScorer(model, CONFIG).score(PAIRS)
    found = open_scorer(model, config=CONFIG).score(PAIRS)
    assert [score.distance for score in found] == [score.distance for score in expected]
    for preset in ("best", "meaning", "fast"):
        with pytest.raises(
            ConfigError, match="these vectors have trajectories only; use preset trajectories$"
        ):
            open_scorer(model, preset)
    with pytest.raises(ConfigError, match="allowed: paper, trajectories, fast, meaning, best"):
        open_scorer(model, "worst")


@pytest.mark.parametrize("name", ["toy", pytest.param("embedded", marks=pytest.mark.longer)])
def test_any_other_model_has_every_preset(name: str) -> None:
    model = load_model(name)
    texts = [text for pair in PAIRS for text in pair]
    distances = {}
    for preset in (None, *PRESETS):
        scorer = open_scorer(model, preset, CONFIG if preset == PAPER else None)
        distances[preset] = scorer.fingerprint.config.to_dict()["distance"]
        assert scorer.score([("a red car", "a red car")])[0].distance == 0
        alone = [scorer.score([pair])[0].distance for pair in PAIRS]
        others = [(text, f"{number}") for number, text in enumerate(texts)]
        joined = scorer.score([*others, *PAIRS])[len(others) :]
        np.testing.assert_allclose([score.distance for score in joined], alone, atol=1e-5)
    assert distances.pop("paper") == "l1"
    assert set(distances.values()) == {"vector-cosine"}
    fingerprints = {open_scorer(model, preset).fingerprint.digest for preset in PRESETS}
    assert len(fingerprints) == len(PRESETS)
    usual = open_scorer(model, "meaning").fingerprint
    assert open_scorer(model).fingerprint.digest == usual.digest


def test_every_way_is_symmetric_and_0_for_a_text_and_itself(folder: Path) -> None:
    for scorer in scorers(folder):
        forth, back, _, same = scorer.score([*PAIRS, ("a", "a")])
        assert forth.distance == back.distance > 0
        assert forth.similarity == back.similarity < 1
        assert (same.distance, same.similarity) == (0, 1)
        assert scorer.score([]) == []


def test_a_matrix_has_the_pairs_scores(folder: Path) -> None:
    rows, columns = ["a red car", "the sea"], ["the sea", "the bird", "a red car"]
    pairs = [(row, column) for row in rows for column in columns]
    for scorer in scorers(folder):
        matrix = scorer.matrix(rows, columns)
        scores = scorer.score(pairs)
        assert matrix.distances.ravel().tolist() == [score.distance for score in scores]
        assert matrix.similarities.ravel().tolist() == [score.similarity for score in scores]
        assert matrix.fingerprint.digest == scores[0].fingerprint.digest
        among = scorer.matrix(rows)
        assert among.distances.diagonal().tolist() == [0, 0]
        assert (among.distances == among.distances.T).all()


def test_a_matrix_may_be_empty_and_its_texts_are_checked(folder: Path) -> None:
    some = ["a red car", "the sea"]
    for scorer in scorers(folder):
        for rows, columns, shape in (
            ([], None, (0, 0)),
            ([], [], (0, 0)),
            (some, [], (2, 0)),
            ([], some, (0, 2)),
        ):
            found = scorer.matrix(rows, columns)
            assert found.distances.shape == found.similarities.shape == shape
            assert (len(found.rows), len(found.columns)) == shape
        for rows, columns in (([""], []), ([], [""])):
            with pytest.raises(InputError, match="empty"):
                scorer.matrix(rows, columns)


def test_the_distance_is_one_minus_the_cosine(folder: Path, toy_model: ToyModel) -> None:
    vectors = fit(toy_model, sentences(60), TOY_CONFIG)
    found = [score.distance for score in VectorScorer(vectors).score(PAIRS)]
    np.testing.assert_allclose(found, 1 - cosines(vectors, PAIRS), atol=1e-6)
    clipped = [max(0, 1 - distance) for distance in found]
    assert [score.similarity for score in VectorScorer(vectors).score(PAIRS)] == clipped


@pytest.mark.parametrize("wrong", ["", "\ud800"])
def test_wrong_texts_are_refused(folder: Path, wrong: str) -> None:
    for scorer in scorers(folder):
        for ask in (scorer.check, scorer.matrix, lambda t, s=scorer: s.score([(t[0], "a")])):
            call: Callable[[list[str]], object] = ask
            with pytest.raises(InputError):
                call([wrong])


def test_only_a_sample_has_an_interval(folder: Path) -> None:
    paper, best = (scorer.score(PAIRS)[0] for scorer in scorers(folder))
    assert "interval" in paper.to_dict(0.9)
    with pytest.raises(ConfigError, match="paper"):
        best.to_dict(0.9)
    assert {"similarity", "distance", "calibrated", "fingerprint"} <= best.to_dict().keys()


def test_sampled_to_a_tolerance(toy_model: ToyModel) -> None:
    goal = Tolerance(half_width=0.2)
    (found,) = TrajectoryScorer(toy_model, CONFIG, goal).score(PAIRS[:1])
    assert isinstance(found, Comparison)
    low, high = found.interval().distance
    assert high - low <= 0.4
    assert found.fingerprint.config.sampling.n_trajectories > 3
    assert (
        TrajectoryScorer(toy_model, CONFIG, goal).matrix(["a", "b"]).distances.tolist()
        == compare_matrix(toy_model, ["a", "b"], config=CONFIG).distances.tolist()
    )
