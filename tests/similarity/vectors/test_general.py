"""Vectors that a model has with no fit by the user."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from similarity.arrays import Rows
from similarity.errors import BackendRefusedError, ConfigError, ModelChangedError
from similarity.models.base import OnProgress, TokenIds, ignore_progress
from similarity.models.loader import load_model
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.models.wrapper import WrapperModel
from similarity.prompts import Prompt
from similarity.texts.general import general_registers, general_sentences
from similarity.vectors import MeaningVectors, fit, general, save
from similarity.vectors.config import ProfileConfig, VectorConfig
from similarity.vectors.general import GENERAL, find_vectors, open_vectors
from similarity.vectors.reading import PART_TEXTS
from tests.similarity.vectors.conftest import TOY_CONFIG, cosines, sentences
from tests.toy_models import SilentModel

# The groups of the preset "meaning".
MEANT = ("profile", "examples")
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


@pytest.mark.longer
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
    # Of a prompt that it can read: it has no vectors by the longer ones of its own.
    assert find_vectors(None, model).names == ()
    config = VectorConfig(groups=(ProfileConfig(prompt=Prompt()),))
    vectors = fit(model, general_sentences(), config)
    assert 100 < vectors.corpus.texts < len(general_sentences())


class FailingModel(WrapperModel):
    """The toy model, which fails after so many texts; all that it read is noted."""

    def __init__(self, texts: float) -> None:
        super().__init__(ToyModel())
        self.left = texts
        self.read = 0

    def next_log_probs(
        self,
        prefixes: Sequence[TokenIds],
        token_ids: Sequence[int],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        self.left -= len(prefixes)
        if self.left < 0:
            raise BackendRefusedError("it answered HTTP 500")
        self.read += len(prefixes)
        return self.wrapped.next_log_probs(prefixes, token_ids, on_progress)


def test_a_reading_that_failed_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try began again, so that with rare failures of a server none came to the end."""
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "whole"))
    whole = FailingModel(math.inf)
    vectors = find_vectors(None, whole).open("profile")
    of_all, expected = whole.read, vectors.encode(["a bird"])
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "parts"))
    failing = FailingModel(of_all - 1)
    with pytest.raises(BackendRefusedError):
        find_vectors(None, failing).open("profile")
    (damaged, *_) = (tmp_path / "parts").rglob("*.npz")
    damaged.write_bytes(b"no arrays")
    rest = FailingModel(math.inf)
    done: list[int] = []
    vectors = find_vectors(None, rest).open("profile", progress=lambda _what, _of: done.append)
    assert rest.read <= of_all - failing.read + PART_TEXTS
    np.testing.assert_array_equal(vectors.encode(["a bird"]), expected)
    assert sum(done) == len(general_sentences())
    assert [path.name for path in (tmp_path / "parts").rglob("*.parts")] == []


class FoundChangedModel(FailingModel):
    """Was another model before a call, which is found then: with an error, or at one of two."""

    def __init__(self, left: float, error: bool) -> None:
        super().__init__(left)
        self.error, self.found = error, 0

    def changes(self) -> int:
        return self.found

    def next_log_probs(
        self,
        prefixes: Sequence[TokenIds],
        token_ids: Sequence[int],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        try:
            return super().next_log_probs(prefixes, token_ids, on_progress)
        except BackendRefusedError as error:
            self.found += 1
            if self.error:
                raise ModelChangedError("another model") from error
            self.left = math.inf
            return super().next_log_probs(prefixes, token_ids, on_progress)


@pytest.mark.parametrize("error", [True, False])
def test_what_another_model_read_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: bool
) -> None:
    """It was part of the vectors that the next try made, for good."""
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path))
    model = FoundChangedModel(3 * PART_TEXTS, error)
    with pytest.raises(ModelChangedError):
        find_vectors(None, model).open("profile")
    assert model.read > PART_TEXTS
    assert list(tmp_path.rglob("*.npz")) == []


def test_a_reading_that_cannot_be_kept_is_done_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "file"))
    vectors = find_vectors(None, FailingModel(math.inf)).open("profile")
    assert vectors.encode(["a bird"]).shape[0] == 1
    assert caplog.text.count("what is read of general text is not kept") == 1


@pytest.mark.longer
def test_vectors_restored_under_the_name_of_others_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were used without a look at which group they are of, or failed with a KeyError."""
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path))
    model = load_model("embedded")
    expected = {name: find_vectors(None, model).open(name).encode(["a bird"]) for name in MEANT}
    one, other = (tmp_path / "vectors").iterdir()
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)
    for name in MEANT:
        found = find_vectors(None, model).open(name)
        assert found.config.names == (name,)
        np.testing.assert_array_equal(found.encode(["a bird"]), expected[name])
