import tracemalloc

import numpy as np
import pytest

from similarity.vectors import MeaningVectors
from similarity.vectors.exact import on_grid
from similarity.vectors.scorer import VectorScorer
from tests.similarity.vectors.conftest import sentences


def test_a_matrix_has_the_scores_of_pairs_bit_for_bit(toy_vectors: MeaningVectors) -> None:
    scorer = VectorScorer(toy_vectors)
    texts = sentences(40, seed=9)
    rows, columns = texts[:19], texts[2:]
    result = scorer.matrix(rows, columns)
    scores = scorer.score([(row, column) for row in rows for column in columns])
    shape = len(rows), len(columns)
    distances = np.array([score.distance for score in scores]).reshape(shape)
    np.testing.assert_array_equal(result.distances, distances)
    similarities = np.array([score.similarity for score in scores]).reshape(shape)
    np.testing.assert_array_equal(result.similarities, similarities)


def test_similarities_of_a_matrix_take_no_more_than_their_numbers(
    toy_vectors: MeaningVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each was a Python number for a time, at 97 bytes a cell."""
    scorer = VectorScorer(toy_vectors)
    rows = [f"a bird {i}" for i in range(1_000)]
    vectors = on_grid(np.eye(1_000))
    monkeypatch.setattr(scorer, "_features", lambda *_: ({t: i for i, t in enumerate(rows)}, {}))
    monkeypatch.setattr(scorer, "_rows", lambda _: vectors)
    tracemalloc.start()
    try:
        matrix = scorer.matrix(rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Two results, and the vectors of rows and columns.
    assert peak < 5 * matrix.distances.nbytes
    assert (matrix.similarities == np.eye(1_000)).all()
