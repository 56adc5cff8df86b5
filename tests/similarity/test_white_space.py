"""Texts that differ by the white space around them alone are one text: none of it is read."""

from pathlib import Path

import numpy as np
import pytest

from similarity.entailment.opening import open_entailment
from similarity.given import read_once
from similarity.models.base import LanguageModel
from similarity.models.loader import load_model
from similarity.scorers import open_scorer
from similarity.storage.store import Store
from similarity.vectors.general import open_vectors
from similarity.vectors.stored import stored

TEXT, SPACED = "A dog runs.", "  A dog runs.\n"
# They are read beside texts of other lengths, by which rounding depends on the place.
OTHERS = ["No.", "The parliament passed a law that nobody had read, on Monday.", " No."]


@pytest.fixture(scope="module")
def embedded() -> LanguageModel:
    return load_model("embedded")


@pytest.mark.parametrize("preset", ["meaning", "best", "fast", "paper"])
def test_the_distance_is_0(preset: str, embedded: LanguageModel) -> None:
    """It was 4.4e-12 over HTTP, where the two were read in different places of a batch."""
    scorer = open_scorer(embedded, preset)
    (score,) = scorer.score([(TEXT, SPACED)])
    assert score.distance == 0
    assert score.texts == (TEXT, SPACED)
    found = scorer.matrix([*OTHERS, TEXT, SPACED]).distances
    assert found[3, 4] == found[0, 2] == 0
    np.testing.assert_array_equal(found[3, :3], found[4, :3])


def test_each_is_read_once(embedded: LanguageModel, tmp_path: Path) -> None:
    vectors = stored(open_vectors(None, embedded), Store(tmp_path / "store"))
    read: list[int] = []
    rows = vectors.encode([SPACED, TEXT, *OTHERS], on_progress=read.append)
    np.testing.assert_array_equal(rows[0], rows[1])
    assert sum(read) == 5
    assert sum(entries for entries, _ in Store(tmp_path / "store").info().kinds.values()) == 3


def test_entailment_is_both_ways(embedded: LanguageModel) -> None:
    (found,) = open_entailment(embedded).judge([(TEXT, SPACED)])
    assert (found.forward, found.backward) == (1, 1)


def test_the_first_of_those_that_are_read_alike_stays() -> None:
    assert read_once([SPACED, "b", TEXT]) == ([SPACED, "b"], {SPACED: 0, "b": 1, TEXT: 0})
    assert read_once([]) == ([], {})
