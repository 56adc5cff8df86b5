import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from similarity.errors import ConfigError, InputError
from similarity.models.base import ModelInfo
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors, fit, load, save, storage
from similarity.vectors.recipes import over_tokens
from similarity.vectors.storage import MANIFEST, fingerprint
from tests.similarity.vectors.conftest import sentences

TEXTS = sentences(5, seed=2)


def arrays(folder: Path) -> list[Path]:
    return sorted(folder.glob("arrays-*.npz"))


def test_what_is_kept_gives_the_same_vectors(tiny_vectors: MeaningVectors, tmp_path: Path) -> None:
    save(tiny_vectors, tmp_path / "new" / "folder")
    found = load(tmp_path / "new" / "folder", tiny_vectors.model)
    np.testing.assert_array_equal(found.encode(TEXTS), tiny_vectors.encode(TEXTS))
    assert fingerprint(found) == fingerprint(tiny_vectors)
    save(found, tmp_path / "again")
    names = [[path.name for path in arrays(tmp_path / f)] for f in ("new/folder", "again")]
    assert names[0] == names[1]


def test_other_tokens_have_a_fingerprint_of_their_own(
    toy_vectors: MeaningVectors, tmp_path: Path
) -> None:
    other = fit(toy_vectors.model, sentences(60), over_tokens(toy_vectors.config, 32))
    assert fingerprint(other)["id"] != fingerprint(toy_vectors)["id"]
    save(other, tmp_path)
    assert load(tmp_path, toy_vectors.model).config == other.config


def test_a_part_of_vectors_is_kept_as_that(toy_vectors: MeaningVectors, tmp_path: Path) -> None:
    save(toy_vectors.only("profile"), tmp_path)
    found = load(tmp_path, toy_vectors.model)
    assert found.names == ("profile",)
    np.testing.assert_array_equal(found.encode(TEXTS), toy_vectors.only("profile").encode(TEXTS))


def test_what_was_there_is_replaced(
    toy_vectors: MeaningVectors, tiny_vectors: MeaningVectors, tmp_path: Path
) -> None:
    save(toy_vectors, tmp_path)
    save(tiny_vectors, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert load(tmp_path, tiny_vectors.model).width == tiny_vectors.width


@pytest.mark.parametrize(
    ("fitted", "given", "accepted"),
    [
        (("a", "r"), ("b", "r"), True),
        (("a", "r"), ("a", "s"), False),
        (("a", "unknown"), ("b", "unknown"), False),
        (("a", "unknown"), ("a", "unknown"), True),
    ],
)
def test_another_model_is_refused(
    toy_vectors: MeaningVectors,
    tmp_path: Path,
    fitted: tuple[str, str],
    given: tuple[str, str],
    accepted: bool,
) -> None:
    def model(name: str, revision: str) -> ToyModel:
        toy = ToyModel()
        toy.info = ModelInfo(name=name, revision=revision, dtype="float64", context_length=99)
        return toy

    save(replace(toy_vectors, model=model(*fitted)), tmp_path)
    if accepted:
        assert load(tmp_path, model(*given))
    else:
        with pytest.raises(ConfigError, match="use that model, or make vectors of this one"):
            load(tmp_path, model(*given))


def test_damage_is_reported(toy_vectors: MeaningVectors, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trajsim fit makes such a folder"):
        load(tmp_path, toy_vectors.model)
    save(toy_vectors, tmp_path)
    (path,) = arrays(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(ConfigError, match="is damaged"):
        load(tmp_path, toy_vectors.model)
    path.write_bytes(content)
    manifest = tmp_path / MANIFEST
    text = manifest.read_text()
    of_another_version = json.loads(text) | {"format": 99}
    del of_another_version["digest"]
    manifest.write_text(json.dumps(of_another_version))
    with pytest.raises(ConfigError, match="format 99"):
        load(tmp_path, toy_vectors.model)
    manifest.write_text(text[:-9])
    with pytest.raises(ConfigError, match="is damaged"):
        load(tmp_path, toy_vectors.model)


def test_a_folder_that_cannot_be_written_is_reported(
    toy_vectors: MeaningVectors, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write "):
        save(toy_vectors, tmp_path / "file")


def test_vectors_that_are_fitted_anew_while_they_are_read_are_the_new_ones(
    toy_vectors: MeaningVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = fit(toy_vectors.model, sentences(50, seed=9), toy_vectors.config)
    read, paths = storage._read_arrays, list[Path]()

    def read_late(path: Path) -> Any:
        if not paths:
            save(new, tmp_path)
        paths.append(path)
        return read(path)

    save(toy_vectors, tmp_path)
    monkeypatch.setattr(storage, "_read_arrays", read_late)
    assert fingerprint(load(tmp_path, toy_vectors.model)) == fingerprint(new)
    assert len(paths) == 2


def save_for_ever(vectors: MeaningVectors, folder: Path) -> None:
    for number in range(10**6):
        corpus = replace(vectors.corpus, texts=number)
        save(replace(vectors, corpus=corpus), folder)


def test_a_kill_leaves_the_old_or_the_new(toy_vectors: MeaningVectors, tmp_path: Path) -> None:
    save(toy_vectors, tmp_path)
    expected = toy_vectors.encode(TEXTS[:1])
    for delay in (0.01, 0.02, 0.03, 0.05):
        process = multiprocessing.get_context("fork").Process(
            target=save_for_ever, args=(toy_vectors, tmp_path)
        )
        process.start()
        time.sleep(delay)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        found = load(tmp_path, toy_vectors.model)
        np.testing.assert_array_equal(found.encode(TEXTS[:1]), expected)
