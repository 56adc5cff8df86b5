from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from similarity.errors import InputError, ModelChangedError
from similarity.models.base import OnProgress, ignore_progress
from similarity.storage.store import Store
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.scorer import VectorScorer
from similarity.vectors.stored import stored
from tests.similarity.vectors.conftest import sentences

TEXTS = sentences(6, seed=5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "answers.sqlite") as opened:
        yield opened


def test_vectors_are_made_once(
    toy_vectors: MeaningVectors, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = toy_vectors.packed(toy_vectors.read(TEXTS))
    made: list[str] = []
    read = MeaningVectors.read

    def counted(self: MeaningVectors, texts: Sequence[str], on_progress: OnProgress) -> Any:
        made.extend(texts)
        return read(self, texts, on_progress)

    monkeypatch.setattr(MeaningVectors, "read", counted)
    reported: list[int] = []
    packed = toy_vectors.packed
    first = packed(stored(toy_vectors, store).read(TEXTS[:4], reported.append))
    assert (made, sum(reported)) == (TEXTS[:4], 4)
    again = packed(stored(toy_vectors, store).read(TEXTS[::-1], ignore_progress))[::-1]
    assert made == [*TEXTS[:4], TEXTS[5], TEXTS[4]]
    np.testing.assert_array_equal(first, again[:4])
    np.testing.assert_allclose(again, expected, atol=1e-6)


def test_scores_are_those_without_a_store(toy_vectors: MeaningVectors, store: Store) -> None:
    expected = VectorScorer(toy_vectors).matrix(TEXTS)
    for _ in range(2):
        found = VectorScorer(stored(toy_vectors, store)).matrix(TEXTS)
        np.testing.assert_allclose(found.distances, expected.distances, atol=1e-6)


def test_other_vectors_are_other_entries(toy_vectors: MeaningVectors, store: Store) -> None:
    part = toy_vectors.only("profile")
    stored(toy_vectors, store).read(TEXTS, ignore_progress)
    found = part.join(stored(part, store).read(TEXTS, ignore_progress))
    np.testing.assert_allclose(found, part.encode(TEXTS), atol=1e-6)


def test_a_text_is_refused_as_without(toy_vectors: MeaningVectors, store: Store) -> None:
    for bad in (" ", "a\ud800"):
        with pytest.raises(InputError):
            stored(toy_vectors, store).read([TEXTS[0], bad], ignore_progress)


@pytest.mark.parametrize("error", [True, False])
def test_what_another_model_read_is_forgotten(
    toy_vectors: MeaningVectors, store: Store, monkeypatch: pytest.MonkeyPatch, error: bool
) -> None:
    """It was taken for the right model's ever after."""
    monkeypatch.setattr("similarity.vectors.stored._TOGETHER", 2)
    stored(toy_vectors, store).read(TEXTS[:1])
    read, seen = MeaningVectors.read, list[str]()
    monkeypatch.setattr(type(toy_vectors.model), "changes", lambda _model: int(len(seen) > 3))

    def noted(self: MeaningVectors, texts: Sequence[str], on_progress: OnProgress) -> Any:
        seen.extend(texts)
        if error and len(seen) > 3:
            raise ModelChangedError("another model")
        return read(self, texts, on_progress)

    monkeypatch.setattr(MeaningVectors, "read", noted)
    with pytest.raises(ModelChangedError) if error else nullcontext():
        stored(toy_vectors, store).read(TEXTS)
    assert store.info().kinds["vectors"][0] == 1
