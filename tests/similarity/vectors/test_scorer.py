import numpy as np

from similarity.vectors import MeaningVectors
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
