"""Images and texts are compared by the same numbers, through every scorer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from similarity.api import compare, compare_matrix
from similarity.config import ComparisonConfig
from similarity.errors import TextTooLongError, UnsupportedError
from similarity.images.image import Content
from similarity.images.sources import read_image
from similarity.models.base import LanguageModel
from similarity.models.toy import ToyModel
from similarity.prompts import PROMPTS
from similarity.scorer import no_progress
from similarity.scorers import ScoringRequest, open_scorer, planned_scorer
from similarity.storage.store import Store
from similarity.trajectories import encode_prefixes
from similarity.vectors.config import VectorConfig
from similarity.vectors.fitting import fit
from similarity.vectors.recipes import PROFILE
from similarity.vectors.scorer import VectorScorer
from tests.similarity.images.made import as_file, picture

FIRST = read_image(as_file(picture(40, 30)), "first.png")
COPY = read_image(as_file(picture(40, 30), "BMP"), "copy.bmp")
OTHER = read_image(as_file(picture(30, 50, seed=1)), "other.png")
DOG = "A dog runs."
CONFIG = ComparisonConfig.build(n_trajectories=4, max_tokens=5)


def by_vectors(model: LanguageModel) -> VectorScorer:
    sentences = [
        f"{who} {what}." for who in ("A cat", "She", "It") for what in ("ran", "is", "ate")
    ]
    return VectorScorer(fit(model, sentences, VectorConfig(groups=(PROFILE,))))


def scorers(model: LanguageModel) -> dict[str, Any]:
    return {
        "vectors": by_vectors(model),
        "l1": open_scorer(model, config=CONFIG),
        "total-variation": open_scorer(
            model,
            config=ComparisonConfig.build(
                n_trajectories=2, max_tokens=3, distance="relative-total-variation"
            ),
        ),
    }


@pytest.mark.parametrize("name", ["vectors", "l1", "total-variation"])
def test_scores_are_symmetric_and_depend_on_nothing_else(seeing: LanguageModel, name: str) -> None:
    scorer = scorers(seeing)[name]
    pairs: list[tuple[Content, Content]] = [
        (FIRST, COPY), (FIRST, OTHER), (OTHER, FIRST), (FIRST, DOG), (DOG, FIRST), (DOG, DOG),
    ]  # fmt: skip
    scores = scorer.score(pairs)
    assert scores[0].distance == 0
    assert scores[0].texts == ("first.png", "copy.bmp")
    assert scores[3].texts == ("first.png", DOG)
    assert scores[1].distance == pytest.approx(scores[2].distance, abs=1e-6)
    assert scores[3].distance == pytest.approx(scores[4].distance, abs=1e-6)
    assert min(scores[1].distance, scores[3].distance) > 1e-4
    for pair, score in zip(pairs, scores, strict=True):
        (alone,) = scorer.score([pair])
        assert alone.distance == pytest.approx(score.distance, abs=1e-6)


def test_a_matrix_has_the_distances_of_its_pairs(seeing: LanguageModel) -> None:
    found = compare_matrix(seeing, [FIRST, DOG], [OTHER, DOG, COPY], CONFIG)
    assert found.rows == ("first.png", DOG)
    assert found.columns == ("other.png", DOG, "copy.bmp")
    pair = compare(seeing, FIRST, OTHER, CONFIG)
    assert found.distances[0, 0] == pytest.approx(pair.distance, abs=1e-6)
    assert found.distances[0, 2] == 0


def test_a_text_has_the_fingerprint_and_distance_that_it_has_without_images(
    seeing: LanguageModel,
) -> None:
    scorer = open_scorer(seeing, config=CONFIG)
    (alone,) = scorer.score([(DOG, "It rains.")])
    _, beside = scorer.score([(FIRST, DOG), (DOG, "It rains.")])
    assert alone.distance == pytest.approx(beside.distance, abs=1e-6)
    # Of before there were images: settings that are only of images are in none.
    assert scorer.fingerprint.config.to_dict()["prompt"] == {
        "before": "",
        "after": "",
        "full_stop": True,
    }


def test_explanations_of_images(seeing: LanguageModel) -> None:
    (explained,) = open_scorer(seeing, config=CONFIG).explain([(FIRST, DOG)], 2)
    assert explained.to_dict()["texts"] == ["first.png", DOG]
    (explained,) = by_vectors(seeing).explain([(FIRST, DOG)], 2)
    assert explained.to_dict()["texts"] == ["first.png", DOG]


def test_each_side_has_the_prompt_of_its_kind(seeing: LanguageModel) -> None:
    image, text = encode_prefixes(seeing, [FIRST, DOG], PROMPTS["aligned"], 5)
    behind = seeing.encode_continuation(" Describe this image. This image shows")
    assert image.token_ids[-len(behind) :] == behind
    assert text.text.endswith(
        "This is a caption for an image. Describe this image. This image shows"
    )
    assert FIRST.digest in image.text


def test_what_was_sampled_and_read_is_kept_by_image(
    seeing: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs: list[tuple[Content, Content]] = [(FIRST, OTHER), (FIRST, DOG)]
    with Store(tmp_path / "store.sqlite") as store:
        request = ScoringRequest(preset="paper", config=CONFIG)
        scorer, _ = planned_scorer(seeing, request, None, store, no_progress)
        before = [score.distance for score in scorer.score(pairs)]
        for name in ("sample", "score"):
            monkeypatch.setattr(seeing, name, None)
        assert [score.distance for score in scorer.score([(COPY, OTHER), pairs[1]])] == before


def test_words_of_an_image_are_not_compared(seeing: LanguageModel) -> None:
    with pytest.raises(UnsupportedError, match=r"image 'first.png' has none; compare by a preset"):
        open_scorer(seeing, "best").score([(FIRST, DOG)])


def test_a_model_of_texts_refuses_images(toy_model: ToyModel) -> None:
    scorer = open_scorer(toy_model, config=CONFIG)
    with pytest.raises(UnsupportedError, match="toy reads texts alone, and image 'first.png'"):
        scorer.check([FIRST])


def test_an_image_that_leaves_no_room_is_refused(seeing: LanguageModel) -> None:
    config = ComparisonConfig.build(max_tokens=1020)
    with pytest.raises(
        TextTooLongError, match=r"'first.png' is 1 token too long: .* to 1019 or make the image"
    ):
        open_scorer(seeing, config=config).score([(FIRST, OTHER)])


def test_long_texts_are_cut_beside_images_which_are_not(seeing: LanguageModel) -> None:
    scorer = open_scorer(seeing, config=CONFIG, truncate="end")
    (score,) = scorer.score([(FIRST, "A dog runs. " * 200)])
    assert any("characters of" in warning for warning in score.warnings)
    matrix = scorer.matrix([FIRST, "A dog runs. " * 200])
    assert matrix.rows[0] == "first.png"


def test_warnings_are_of_texts_alone(seeing: LanguageModel) -> None:
    (score,) = open_scorer(seeing, config=CONFIG).score([(FIRST, "ქართული ენა")])
    assert not any("first.png" in warning for warning in score.warnings)
    assert np.isfinite(score.distance)
