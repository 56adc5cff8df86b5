import math
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
    with pytest.warns(UserWarning, match="were read"):
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
    "made",
    [
        lambda rows: rows * 3,
        lambda rows: np.array([rows.mean(axis=0)]),
        lambda rows: rows[:, :3],
        lambda rows: (rows * 100).astype(np.int8),
        lambda rows: (rows * 100).astype(np.float16),
        lambda rows: rows.astype(np.float64).tolist(),
    ],
    ids=["longer", "mean", "cut", "int8", "float16", "lists"],
)
def test_similarity_is_the_cosine_of_any_rows(vectors: MeaningVectors, made: Any) -> None:
    encoder = VectorEncoder(vectors)
    rows = made(encoder.encode(TEXTS))
    exact = np.array(rows, np.float64)
    lengths = np.linalg.norm(exact, axis=1)
    expected = exact @ exact.T / np.outer(lengths, lengths)
    np.testing.assert_allclose(encoder.similarity(rows, rows), expected, atol=1e-6)
    pairwise = encoder.similarity_pairwise(rows, rows[::-1])
    np.testing.assert_allclose(pairwise, expected[:, ::-1].diagonal(), atol=1e-6)


def test_similarity_with_zeros_is_none(vectors: MeaningVectors) -> None:
    """As sentence-transformers has it."""
    encoder = VectorEncoder(vectors)
    rows = encoder.encode(TEXTS)
    assert not encoder.similarity(np.zeros_like(rows), rows).any()
    assert not encoder.similarity_pairwise(np.zeros_like(rows), rows).any()


def test_similarity_of_tensors_is_a_tensor(vectors: MeaningVectors) -> None:
    torch = pytest.importorskip("torch")
    encoder = VectorEncoder(vectors)
    rows = encoder.encode(TEXTS)
    for compare in (encoder.similarity, encoder.similarity_pairwise):
        found = compare(torch.from_numpy(rows), torch.from_numpy(rows))
        assert isinstance(found, torch.Tensor)
        np.testing.assert_array_equal(found.numpy(), compare(rows, rows))


@pytest.mark.parametrize(
    ("name", "first", "second", "message"),
    [
        ("similarity_pairwise", np.eye(3), np.eye(3)[:1], "as many vectors .* got 3 and 1"),
        ("similarity_pairwise", np.eye(3), np.eye(2), "3 and of 2 coordinates have no cosine"),
        ("similarity", [[1, 2], [math.nan, 1]], np.eye(2), r"finite numbers, and row 1 \(counted"),
        ("similarity_pairwise", np.eye(2), [[math.inf, 1]], "finite numbers, and row 0"),
        ("similarity", np.eye(3), np.eye(2), "3 and of 2 coordinates have no cosine"),
        ("similarity", [1.0, 2.0], [[1.0], [2.0]], "2 and of 1 coordinates"),
        ("similarity", TEXTS, TEXTS, "rows of numbers, as encode gives"),
        ("similarity", [[1.0, 2.0], [3.0]], np.eye(2), "rows of numbers, as encode gives"),
        ("similarity", np.ones((2, 2, 2)), np.eye(2), r"got the shape \(2, 2, 2\)"),
    ],
)
def test_rows_that_have_no_cosine_are_refused(
    vectors: MeaningVectors, name: str, first: Any, second: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        getattr(VectorEncoder(vectors), name)(first, second)


@pytest.mark.parametrize("given", ["general", ToyModel(), None], ids=type)
def test_what_are_no_vectors_is_refused_at_once(given: Any) -> None:
    with pytest.raises(ConfigError, match="vectors must be meaning vectors, as open_vectors"):
        VectorEncoder(given)


def test_another_way_to_cut_is_refused_at_once(vectors: MeaningVectors) -> None:
    with pytest.raises(ConfigError, match="unknown truncate 'middle'"):
        VectorEncoder(vectors, truncate="middle")


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
        {"batch_size": 0},
        {"batch_size": 1.5},
        {"unheard_of": 1},
    ],
)
def test_what_would_change_the_answer_is_refused(
    vectors: MeaningVectors, options: dict[str, object]
) -> None:
    with pytest.raises(ConfigError):
        VectorEncoder(vectors).encode(TEXTS, **options)
