"""The general vectors that ship with the embedded model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from similarity.arrays import Rows
from similarity.errors import UnsupportedError
from similarity.law import Law
from similarity.models.base import LanguageModel, ScoreRequest
from similarity.models.loader import EMBEDDED, EMBEDDED_PATH, load_model
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors
from similarity.vectors.scorer import VectorScorer
from similarity.vectors.shipped import GENERAL, find_vectors, open_vectors
from tests.similarity.vectors.conftest import cosines

LIKE = ("A man is playing a guitar.", "Someone plays an instrument.")
UNLIKE = ("A man is playing a guitar.", "The stock market fell on Monday.")


@pytest.fixture(scope="module")
def vectors() -> MeaningVectors:
    return open_vectors(GENERAL, load_model("embedded"))


def test_they_belong_to_the_model_and_tell_like_from_unlike(vectors: MeaningVectors) -> None:
    like, unlike, same = cosines(vectors, [LIKE, UNLIKE, (LIKE[0], LIKE[0])])
    assert unlike < like - 0.1
    assert same == pytest.approx(1)


def test_they_are_small() -> None:
    files: list[Path] = list((EMBEDDED_PATH / "vectors").iterdir())
    assert sum(file.stat().st_size for file in files) < 10_000_000


def test_they_can_be_read_back(vectors: MeaningVectors) -> None:
    (result,) = VectorScorer(vectors).explain([LIKE], top=3)
    assert result.cosine == pytest.approx(cosines(vectors, [LIKE])[0], abs=1e-4)
    assert any(place.both for place in result.places)


def test_the_same_model_behind_a_server_is_compared_by_trajectories() -> None:
    class Served(ToyModel):
        """Tells log-probabilities of given tokens only, and goes by the embedded model's name."""

        def __init__(self) -> None:
            super().__init__()
            self.info = replace(self.info, name=EMBEDDED, revision="unknown")

        def distributions(self, requests: Sequence[ScoreRequest], law: Law) -> list[list[Rows]]:
            return LanguageModel.distributions(self, requests, law)

    assert find_vectors(None, Served()) is None
    with pytest.raises(UnsupportedError, match="next-token distributions"):
        find_vectors(GENERAL, Served())
    with pytest.raises(UnsupportedError, match="no meaning vectors ship"):
        find_vectors(GENERAL, ToyModel())
