"""The general vectors that ship with the embedded model."""

from pathlib import Path

import pytest

from similarity.models.loader import EMBEDDED_PATH, load_model
from similarity.vectors import MeaningVectors
from similarity.vectors.explain import explain
from similarity.vectors.shipped import GENERAL, open_vectors

LIKE = ("A man is playing a guitar.", "Someone plays an instrument.")
UNLIKE = ("A man is playing a guitar.", "The stock market fell on Monday.")


@pytest.fixture(scope="module")
def vectors() -> MeaningVectors:
    return open_vectors(GENERAL, load_model("embedded"))


def test_they_belong_to_the_model_and_tell_like_from_unlike(vectors: MeaningVectors) -> None:
    like, unlike, same = vectors.similarity([LIKE, UNLIKE, (LIKE[0], LIKE[0])])
    assert unlike < like - 0.1
    assert same == pytest.approx(1)


def test_they_are_small() -> None:
    files: list[Path] = list((EMBEDDED_PATH / "vectors").iterdir())
    assert sum(file.stat().st_size for file in files) < 10_000_000


def test_they_can_be_read_back(vectors: MeaningVectors) -> None:
    result = explain(vectors, *LIKE)
    assert result.similarity == pytest.approx(vectors.similarity([LIKE])[0], abs=1e-4)
    assert any(place.both for place in result.places)
