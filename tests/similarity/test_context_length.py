"""What is kept goes on where the model takes more or fewer tokens, as a server that came back."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from similarity.batch import BatchFiles, open_batch
from similarity.errors import ConfigError
from similarity.models.base import LanguageModel, OnProgress
from similarity.models.toy import ToyModel
from similarity.scorers import ScoringRequest, planned_scorer
from similarity.storage.store import Store
from similarity.texts.truncation import END, REFUSE, Truncator
from similarity.tiles import stream
from similarity.tiles.grid import Grid
from similarity.vectors import MeaningVectors, fit, general, load, save
from similarity.vectors.index import build_index, check_index, open_index
from similarity.vectors.meaning import Corpus
from similarity.vectors.storage import fingerprint
from similarity.vectors.stored import stored
from similarity.vectors.stream import write_vectors
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences

TEXTS = list(dict.fromkeys(sentences(300, seed=4)))
NAMED = r"tokens to which texts are cut \(of a server, by --max-model-len\) is 999, there 511"


def of_length(tokens: int) -> LanguageModel:
    model = ToyModel()
    model.info = replace(model.info, context_length=tokens)
    return model


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    save(fit(of_length(511), sentences(60), TOY_CONFIG), folder)
    return folder


def stopped(_: int) -> None:
    raise KeyboardInterrupt


Work = Callable[[Path, Path, LanguageModel, str, OnProgress], None]


def batch(folder: Path, fitted: Path, model: LanguageModel, truncate: str, on: OnProgress) -> None:
    source = folder / "in.csv"
    source.write_text("text1,text2\n" + "".join(f"{text},{TEXTS[0]}\n" for text in TEXTS))
    files = BatchFiles(input=source, output=folder / "out.csv")
    scorer, _ = planned_scorer(model, ScoringRequest(truncate=truncate), str(fitted))
    with open_batch(scorer, files, 50) as opened:
        opened.run(on)


def embed(folder: Path, fitted: Path, model: LanguageModel, truncate: str, on: OnProgress) -> None:
    vectors = load(fitted, model)

    truncator = Truncator(vectors.tokens, truncate)
    write_vectors(vectors, TEXTS, folder / "out.npy", "npy", None, truncator, on)


def matrix(folder: Path, fitted: Path, model: LanguageModel, truncate: str, on: OnProgress) -> None:
    scorer, _ = planned_scorer(model, ScoringRequest(truncate=truncate), str(fitted))
    stream.stream_matrix(scorer, Grid(TEXTS, None, 50), folder / "out.npy", on)


@pytest.mark.parametrize("work", [batch, embed, matrix])
@pytest.mark.parametrize("length", [999, 200])
def test_what_was_stopped_goes_on_at_another_length(
    work: Work, length: int, fitted: Path, tmp_path: Path
) -> None:
    """`fingerprint.model.context_length is 999, there 511` was what a longer server got."""
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path, fitted, of_length(511), REFUSE, stopped)
    work(tmp_path, fitted, of_length(length), REFUSE, lambda _: None)
    whole = tmp_path / "whole"
    whole.mkdir()
    work(whole, fitted, of_length(511), REFUSE, lambda _: None)
    (out,) = whole.glob("out.???")
    assert (tmp_path / out.name).read_bytes() == out.read_bytes()


@pytest.mark.parametrize("work", [batch, embed, matrix])
def test_texts_that_are_cut_are_cut_alike(work: Work, fitted: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path, fitted, of_length(511), END, stopped)
    with pytest.raises(ConfigError, match=NAMED):
        work(tmp_path, fitted, of_length(999), END, lambda _: None)
    work(tmp_path, fitted, of_length(511), END, lambda _: None)


def test_an_index_opens_at_another_length(fitted: Path, tmp_path: Path) -> None:
    """It was refused with a message whose two halves were equal."""
    vectors = load(fitted, of_length(511))
    build_index(tmp_path, vectors, TEXTS, [vectors.encode(TEXTS)])
    again = load(fitted, of_length(999))
    check_index(tmp_path, again.model.info)
    assert open_index(tmp_path, again).query(TEXTS[3], 1)[0].text == TEXTS[3]


def test_an_index_of_other_groups_says_the_length(fitted: Path, tmp_path: Path) -> None:
    vectors = load(fitted, of_length(511))
    build_index(tmp_path, vectors, TEXTS, [vectors.encode(TEXTS)])
    fewer = load(fitted, of_length(200)).only(vectors.names[0])
    with pytest.raises(ConfigError, match="give the --model and --vectors of the index, and a mod"):
        open_index(tmp_path, fewer)
    with pytest.raises(ConfigError, match="model that takes 511 tokens, not 200, or build it anew"):
        open_index(tmp_path, fewer)


def test_a_fit_is_another_where_the_length_left_out_a_text(tmp_path: Path) -> None:
    def of(length: int) -> MeaningVectors:
        return fit(of_length(length), [*sentences(60), "long " * 60], TOY_CONFIG)

    assert fingerprint(of(200)) != fingerprint(of(511)) == fingerprint(of(999))


def test_general_text_that_one_group_left_out_counts() -> None:
    """The identity of vectors was of what the first group had been fitted to."""
    whole, cut = Corpus(texts=401, digest="a"), Corpus(texts=398, digest="b")
    assert general._common([whole, whole]) == whole
    assert general._common([whole, cut]) not in (whole, cut)
    assert general._common([whole, cut]).texts == 398


def test_a_store_is_of_any_length(fitted: Path, tmp_path: Path) -> None:
    read: list[int] = []
    for length in (511, 999):
        vectors = stored(load(fitted, of_length(length)), Store(tmp_path / "store"))
        vectors.read(TEXTS, read.append)
    # Those of the first come from the model, a batch at a time; those of the second at once.
    assert read[-1] == len(TEXTS)


def test_the_length_is_in_no_fingerprint(fitted: Path) -> None:
    scorers = [planned_scorer(of_length(n), ScoringRequest(), str(fitted))[0] for n in (511, 999)]
    first, second = (scorer.fingerprint for scorer in scorers)
    assert first.digest == second.digest
    assert json.dumps(first.to_dict()) == json.dumps(second.to_dict())
    assert "context_length" not in first.content["model"]


def test_rows_are_equal_at_both_lengths(fitted: Path) -> None:
    one, other = (load(fitted, of_length(n)).encode(TEXTS) for n in (511, 999))
    np.testing.assert_array_equal(one, other)
