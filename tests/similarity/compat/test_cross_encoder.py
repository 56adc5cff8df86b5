from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from similarity import compare, compare_pairs, load_model
from similarity.compat.cross_encoder import TrajectoryCrossEncoder
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError
from similarity.models.toy import ToyModel

CONFIG = ComparisonConfig.build(n_trajectories=3, max_tokens=5)
PAIRS = [("a red car", "the sea"), ("a", "a."), ("the sea", "a red car")]


@pytest.fixture
def encoder(toy_model: ToyModel) -> TrajectoryCrossEncoder:
    return TrajectoryCrossEncoder(toy_model, CONFIG)


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_scores_are_similarities(encoder: TrajectoryCrossEncoder, batch_size: int) -> None:
    expected = [compare(ToyModel(), *pair, CONFIG).similarity for pair in PAIRS]
    found = encoder.predict([list(pair) for pair in PAIRS], batch_size=batch_size)
    assert found.tolist() == expected
    assert found[1] == 1


def test_one_pair_has_one_score(encoder: TrajectoryCrossEncoder) -> None:
    assert encoder.predict(PAIRS[0]).shape == ()
    assert float(encoder.predict(PAIRS[0])) == encoder.predict(PAIRS)[0]
    assert encoder.predict([]).shape == (0,)


def test_rank_is_the_order_of_scores(encoder: TrajectoryCrossEncoder) -> None:
    documents = ["zzz", "the sea", "a red car", "the sea."]
    ranked = encoder.rank("the sea", documents, return_documents=True)
    assert [found["corpus_id"] for found in ranked][:2] == [1, 3]
    scores = [found["score"] for found in ranked]
    assert scores == sorted(scores, reverse=True)
    assert scores[:2] == [1, 1]
    assert [found["text"] for found in ranked] == [documents[f["corpus_id"]] for f in ranked]
    best = encoder.rank("the sea", documents, top_k=2)
    assert best == [{"corpus_id": 1, "score": 1.0}, {"corpus_id": 3, "score": 1.0}]
    assert encoder.rank("the sea", []) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt_name": "query"}, "prompt 'query' is not possible here"),
        ({"activation_fn": np.tanh}, "activation_fn .* is not possible"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"batch_size": 1.5}, "batch_size must be a whole number of at least 1"),
        ({"batchsize": 3}, "unknown option 'batchsize'"),
    ],
)
def test_what_would_change_scores_is_refused(
    encoder: TrajectoryCrossEncoder, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        encoder.predict(PAIRS, **options)


def test_tensors(encoder: TrajectoryCrossEncoder) -> None:
    torch = pytest.importorskip("torch")
    found = encoder.predict(PAIRS, convert_to_tensor=True)
    assert isinstance(found, torch.Tensor)
    assert found.tolist() == encoder.predict(PAIRS).tolist()
    assert encoder.rank("a", ["b", "a"], convert_to_tensor=True) == encoder.rank("a", ["b", "a"])


def test_texts_that_are_too_long_are_cut_with_a_warning(toy_model: ToyModel) -> None:
    pair = ("a", "x" * 5000)
    with pytest.warns(UserWarning, match="were read"):
        found = TrajectoryCrossEncoder(toy_model, CONFIG).predict(pair)
    assert float(found) == compare(toy_model, *pair, CONFIG, truncate="end").similarity
    with pytest.raises(InputError):
        TrajectoryCrossEncoder(toy_model, CONFIG, truncate="refuse").predict(pair)


@pytest.mark.longer
def test_without_a_choice_it_compares_as_the_library_does_by_default() -> None:
    model = load_model("embedded")
    pairs = [("reset password", "change your password"), ("reset password", "refund")]
    expected = [score.similarity for score in compare_pairs(model, pairs)]
    assert TrajectoryCrossEncoder(model).predict(pairs).tolist() == expected


def test_what_changes_nothing_is_taken(encoder: TrajectoryCrossEncoder) -> None:
    found = encoder.predict(PAIRS, show_progress_bar=True, convert_to_numpy=True, prompt=None)
    assert np.array_equal(found, encoder.predict(PAIRS))


@pytest.mark.parametrize("bad", [[("a", "b", "c")], [("a",)], [("a", "b"), "ab"]])
def test_inputs_must_be_pairs(encoder: TrajectoryCrossEncoder, bad: Any) -> None:
    with pytest.raises(InputError, match="a pair must be two texts"):
        encoder.predict(bad)


TABLE = {"a": [first for first, _ in PAIRS], "b": [second for _, second in PAIRS]}


@pytest.mark.parametrize("table", [pd.DataFrame(TABLE), pl.DataFrame(TABLE), TABLE], ids=type)
def test_names_of_columns_are_not_scored(encoder: TrajectoryCrossEncoder, table: Any) -> None:
    with pytest.raises(InputError, match=r"of columns; give list\(zip\(first, second\)\)"):
        encoder.predict(table)


@pytest.mark.parametrize(
    "pairs",
    [
        pd.DataFrame(TABLE).to_numpy(),
        pd.DataFrame(TABLE).to_records(index=False),
        pd.DataFrame(TABLE).itertuples(index=False),
        zip(pd.Series(TABLE["a"]), pl.Series(TABLE["b"]), strict=True),
        pd.Series(PAIRS),
        np.array(PAIRS),
    ],
    ids=type,
)
def test_rows_of_a_table_are_pairs(encoder: TrajectoryCrossEncoder, pairs: Any) -> None:
    assert encoder.predict(pairs).tolist() == encoder.predict(PAIRS).tolist()


@pytest.mark.parametrize("top_k", [0, -1, 1.5])
def test_a_number_of_hits_that_cannot_be_is_refused(
    encoder: TrajectoryCrossEncoder, top_k: int
) -> None:
    with pytest.raises(ConfigError, match="top_k must be"):
        encoder.rank("a", ["b", "a"], top_k=top_k)
