from pathlib import Path

import numpy as np

from similarity.models.loader import load_model
from similarity.vectors import fit, load, save
from similarity.vectors.recipes import config_for

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
