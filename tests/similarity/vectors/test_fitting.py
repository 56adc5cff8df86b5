from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from similarity.errors import InputError
from similarity.models.base import LanguageModel
from similarity.models.loader import load_model
from similarity.texts.general import general_registers, general_sentences
from similarity.vectors import MeaningVectors, ProfileConfig, VectorConfig, fit, load, save
from similarity.vectors.config import GroupConfig, TrigramsConfig
from similarity.vectors.meaning import BATCH_TEXTS
from similarity.vectors.recipes import config_for
from similarity.vectors.scorer import VectorScorer
from similarity.vectors.storage import fingerprint

TEXTS = [f"the {one} {other} is here" for one in ("red", "old", "far") for other in "abcdefgh"]


def test_without_settings_it_fits_those_of_the_command() -> None:
    model = load_model("toy")
    plain, named = fit(model, TEXTS), fit(model, TEXTS, config_for(model))
    assert plain.config == named.config
    assert "trajectories" not in plain.names
    np.testing.assert_array_equal(plain.encode(["a red car"]), named.encode(["a red car"]))


def test_a_folder_may_be_named_by_a_text(tmp_path: Path) -> None:
    model = load_model("toy")
    fitted, folder = fit(model, TEXTS), str(tmp_path / "mine")
    save(fitted, folder)
    kept = load(folder, model)
    np.testing.assert_array_equal(kept.encode(["a red car"]), fitted.encode(["a red car"]))


def test_a_person_who_prints_them_sees_what_they_are_and_no_arrays() -> None:
    shown = repr(fit(load_model("toy"), TEXTS))
    assert "corpus=Corpus(texts=24" in shown
    assert "array" not in shown
    assert len(shown) < 2000


def digests(vectors: MeaningVectors) -> tuple[str, str]:
    """Return the identity of vectors, and that of the scores by them."""
    return fingerprint(vectors)["id"], VectorScorer(vectors).fingerprint.digest


def fitted(model: LanguageModel, texts: Sequence[str], registers: Sequence[str | None] = ()) -> Any:
    return fit(model, texts, VectorConfig(groups=(ProfileConfig(tokens=64),)), registers=registers)


def test_fits_with_other_registers_are_others(tmp_path: Path) -> None:
    model = load_model("toy")
    labels = ["one", "other"] * 12
    without, labelled = fitted(model, TEXTS), fitted(model, TEXTS, labels)
    exchanged = fitted(model, TEXTS, labels[12:] + ["other", "one"] * 6)
    assert np.abs(without.encode(["a red car"]) - labelled.encode(["a red car"])).max() > 0.01
    # Of the three each has its own, in memory and from a folder.
    for place in (0, 1):
        assert len({digests(one)[place] for one in (without, labelled, exchanged)}) == 3
    assert digests(fitted(model, TEXTS, [None] * 24)) == digests(without)
    save(labelled, tmp_path)
    assert digests(load(tmp_path, model)) == digests(labelled)


@pytest.mark.parametrize("registers", [["one"] * 23, ["one"] * 25, ["one"]])
def test_registers_are_as_many_as_the_texts(registers: list[str]) -> None:
    """Texts without one were taken as of no register, and what was too much was left out."""
    message = f"there are 24 texts and {len(registers)} registers; give one each"
    given: tuple[Any, ...] = (TEXTS, iter(TEXTS), (text for text in TEXTS))
    for texts in given:
        with pytest.raises(InputError, match=message):
            fitted(load_model("toy"), texts, registers)
    whole: Any = iter(TEXTS)
    labels = ["one", "other"] * 12
    expected = digests(fitted(load_model("toy"), TEXTS, labels))
    assert digests(fitted(load_model("toy"), whole, labels)) == expected


def test_identities_from_before_registers_were_told_stay() -> None:
    model = load_model("toy")
    assert fingerprint(fitted(model, TEXTS))["corpus"].keys() == {"texts", "digest"}
    # Vectors of the general sentences always had these registers: those that ship among them.
    usual = fitted(model, general_sentences(), general_registers())
    assert fingerprint(usual)["corpus"].keys() == {"texts", "digest"}
    bare = fitted(model, general_sentences())
    assert fingerprint(bare)["corpus"]["registers"] == "none"


@pytest.mark.longer
@pytest.mark.parametrize("group", [TrigramsConfig(), ProfileConfig(tokens=16, rank=4)])
def test_a_batch_whose_texts_are_all_too_long_is_left_out(group: GroupConfig) -> None:
    model, config = load_model("toy"), VectorConfig(groups=(group,))
    long = ["x" * 5_000] * BATCH_TEXTS
    for texts in ([*long, *TEXTS], [*TEXTS, *TEXTS, *long, *TEXTS]):
        found = fit(model, texts, config)
        plain = fit(model, [text for text in texts if text in TEXTS], config)
        assert found.corpus == plain.corpus
        np.testing.assert_allclose(
            found.encode(["a red car"]), plain.encode(["a red car"]), atol=1e-6
        )
