from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from similarity.compat.sentence_encoder import VectorEncoder
from similarity.errors import ConfigError, InputError, TextTooLongError
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors, fit
from tests.similarity.vectors.conftest import TOY_CONFIG, cosines, sentences

TEXTS = sentences(4, seed=3)


@pytest.fixture(scope="module")
def vectors(toy_model: ToyModel) -> MeaningVectors:
    return fit(toy_model, sentences(60), TOY_CONFIG)


def test_encode_gives_the_vectors(vectors: MeaningVectors) -> None:
    encoder = VectorEncoder(vectors)
    expected = vectors.encode(TEXTS)
    found = encoder.encode(TEXTS, batch_size=2, show_progress_bar=False, normalize_embeddings=True)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(encoder.encode_query(TEXTS), expected)
    assert encoder.encode(TEXTS[0]).shape == (vectors.width,)
    short = encoder.encode(TEXTS, truncate_dim=3, precision="float32")
    np.testing.assert_array_equal(short, vectors.encode(TEXTS, dimensions=3))


def test_tensors_and_the_width(vectors: MeaningVectors) -> None:
    torch = pytest.importorskip("torch")
    encoder = VectorEncoder(vectors)
    assert encoder.get_sentence_embedding_dimension() == vectors.width
    found = encoder.encode(TEXTS, convert_to_tensor=True)
    assert isinstance(found, torch.Tensor)
    np.testing.assert_array_equal(found.numpy(), encoder.encode(TEXTS))
    assert encoder.encode(TEXTS[0], convert_to_tensor=True).shape == (vectors.width,)


def test_texts_that_are_too_long_are_cut_with_a_warning(vectors: MeaningVectors) -> None:
    long = "x" * 5000
    with pytest.warns(UserWarning, match="were compared"):
        found = VectorEncoder(vectors).encode(long)
    np.testing.assert_array_equal(found, vectors.encode([long], truncate="end")[0])
    with pytest.raises(TextTooLongError):
        VectorEncoder(vectors, truncate="refuse").encode(long)


def test_similarity_is_the_cosine(vectors: MeaningVectors) -> None:
    encoder = VectorEncoder(vectors)
    rows = encoder.encode(TEXTS)
    among = encoder.similarity(rows, rows)
    np.testing.assert_allclose(among.diagonal(), 1, atol=1e-5)
    crossed = encoder.similarity_pairwise(rows, rows[::-1])
    np.testing.assert_allclose(crossed, among[:, ::-1].diagonal(), atol=1e-6)
    pairs = [(TEXTS[0], TEXTS[1])]
    assert among[0, 1] == pytest.approx(cosines(vectors, pairs)[0], abs=1e-6)
    assert encoder.similarity(rows[0], rows).shape == (1, 4)


@pytest.mark.parametrize(
    "column", [pd.Series(TEXTS, index=range(7, 11)), pl.Series(TEXTS), np.array(TEXTS)], ids=type
)
def test_a_column_is_a_list_of_texts(vectors: MeaningVectors, column: Any) -> None:
    found = VectorEncoder(vectors).encode(column)
    np.testing.assert_array_equal(found, vectors.encode(TEXTS))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pd.DataFrame({"a": TEXTS}), "a DataFrame of columns; give the values of one column"),
        (pl.DataFrame({"a": TEXTS}), "a DataFrame of columns; give the values of one column"),
        (np.array([TEXTS, TEXTS]), "a text must be a string"),
        (np.array("ab"), "texts must be a list of them, got array"),
        (pd.Series([*TEXTS, None]), "a text must be a string"),
    ],
    ids=repr,
)
def test_what_is_no_column_of_texts_is_refused(
    vectors: MeaningVectors, given: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        VectorEncoder(vectors).encode(given)


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "int8"},
        {"prompt": "query: "},
        {"truncate_dim": 0},
        {"unheard_of": 1},
    ],
)
def test_what_would_change_the_answer_is_refused(
    vectors: MeaningVectors, options: dict[str, object]
) -> None:
    with pytest.raises(ConfigError):
        VectorEncoder(vectors).encode(TEXTS, **options)
