"""Vectors that a model has with no fit by the user."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from similarity.errors import ConfigError
from similarity.models.loader import load_model
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.texts.general import general_registers, general_sentences
from similarity.vectors import MeaningVectors, fit, general, save
from similarity.vectors.general import GENERAL, find_vectors, open_vectors
from tests.similarity.vectors.conftest import TOY_CONFIG, cosines, sentences
from tests.toy_models import SilentModel

LIKE = ("A man is playing a guitar.", "Someone plays an instrument.")
UNLIKE = ("A man is playing a guitar.", "The stock market fell on Monday.")


@pytest.fixture(scope="module")
def vectors() -> MeaningVectors:
    return open_vectors(None, load_model("embedded"))


def test_like_texts_are_nearer_than_unlike_ones(vectors: MeaningVectors) -> None:
    like, unlike, same = cosines(vectors, [LIKE, UNLIKE, (LIKE[0], LIKE[0])])
    assert unlike < like
    assert same == pytest.approx(1)


def test_they_are_read_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path))
    first = open_vectors(GENERAL, ToyModel())
    monkeypatch.setattr(general, "fit", lambda *_: pytest.fail("it was read again"))
    again = open_vectors(None, ToyModel())
    np.testing.assert_array_equal(first.encode(["a bird"]), again.encode(["a bird"]))
    source = find_vectors(None, ToyModel())
    assert source.open("profile").names == ("profile",)
    with pytest.raises(ConfigError, match="have no states"):
        source.open("states")


def test_what_is_kept_is_of_the_registers_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path))
    first = find_vectors(None, ToyModel()).open("profile")
    labels = tuple("one" if label else None for label in general_registers())
    monkeypatch.setattr(general, "general_registers", lambda: labels)
    others = find_vectors(None, ToyModel()).open("profile")
    assert first.corpus.registers is None
    assert others.corpus.registers is not None
    assert np.abs(first.encode(["a bird"]) - others.encode(["a bird"])).max() > 0.01


def test_damage_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path))
    first = open_vectors(None, ToyModel())
    arrays = list(tmp_path.rglob("arrays-*.npz"))
    assert len(arrays) == len(first.names)
    for path in arrays:
        path.write_bytes(b"rubbish")
    again = open_vectors(None, ToyModel())
    np.testing.assert_array_equal(first.encode(["a bird"]), again.encode(["a bird"]))


def test_what_ships_with_a_model_comes_first(tmp_path: Path) -> None:
    model = ToyModel()
    model.assets = tmp_path
    save(fit(model, sentences(60), TOY_CONFIG), tmp_path / "vectors")
    assert open_vectors(None, model).corpus.texts == 60
    other = ToyModel(prior=0.5)
    other.assets = tmp_path
    assert open_vectors(None, other).corpus.texts > 300


def test_a_model_that_only_scores_has_reference_trajectories() -> None:
    assert find_vectors(None, SilentModel()).names == ("trajectories",)


def test_a_model_of_a_short_context_leaves_out_what_it_cannot_read(
    tiny: Callable[[str], LocalModel],
) -> None:
    model = tiny("llama")
    longest = max(map(len, general_sentences()))
    assert longest > model.info.context_length
    vectors = find_vectors(None, model).open()
    assert 100 < vectors.corpus.texts < len(general_sentences())
