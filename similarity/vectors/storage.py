"""Keeps fitted vectors in a folder: arrays, and a fingerprint that says what they belong to."""

from collections.abc import Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from similarity.digests import digest_of
from similarity.errors import ConfigError, InputError
from similarity.models.base import LanguageModel, ModelInfo
from similarity.models.revision import UNKNOWN_REVISION, identity
from similarity.storage.arrays import load_arrays
from similarity.storage.bundle import BundleKind, read_bundle, write_bundle
from similarity.validation import check_kind, given_path
from similarity.vectors.config import GroupConfig, VectorConfig
from similarity.vectors.kinds import restored_reader
from similarity.vectors.meaning import Corpus, Group, MeaningVectors
from similarity.vectors.reader import Arrays
from similarity.vectors.whitening import Whitening
from similarity.version import __version__

MANIFEST, ARRAYS = "vectors.json", "arrays.npz"
# Of the files; others are refused.
FORMAT = 4
KIND = BundleKind(MANIFEST, (ARRAYS,), what="meaning vectors", command="trajsim fit")


def fingerprint(vectors: MeaningVectors) -> dict[str, Any]:
    """Return all that vectors depend on, with a digest of it as "id"; equal ones are comparable."""
    content = {
        "format": FORMAT,
        "version": __version__,
        "model": identity(vectors.model.info),
        "config": vectors.config.to_dict(),
        "corpus": vectors.corpus.to_dict(),
    }
    return {"id": digest_of(content), **content}


def save(vectors: MeaningVectors, folder: str | PathLike[str]) -> None:
    """Write the vectors to a folder, whole or not at all, in place of older ones.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    folder = given_path("folder", folder)
    arrays: Arrays = {}
    for name in vectors.names:
        group = vectors.groups[name]
        kept = _frozen(group.whitening) | group.reader.arrays()
        arrays |= {f"{name}/{key}": array for key, array in kept.items()}
    files = {ARRAYS: lambda path: _write_arrays(path, arrays)}
    write_bundle(KIND, folder, fingerprint(vectors), files)


def load(folder: str | PathLike[str], model: LanguageModel) -> MeaningVectors:
    """Read vectors that were fitted with this model.

    Raises
    ------
    ConfigError
        If there are none, they are damaged, or they belong to another model.
    """
    check_kind("model", model, LanguageModel, "what load_model returns")
    folder = given_path("folder", folder)
    return read_bundle(KIND, folder, partial(_opened, folder, model))


def _opened(folder: Path, model: LanguageModel, content: dict[str, Any]) -> MeaningVectors:
    if content["format"] != FORMAT:
        raise ConfigError(
            f"{folder / MANIFEST} has format {content['format']}, and {FORMAT} is read here; "
            "make the vectors anew by trajsim fit"
        )
    _check_model(content["model"], model.info, folder)
    config = VectorConfig.from_dict(content["config"])
    arrays = _read_arrays(folder / content["files"][ARRAYS])
    return MeaningVectors(
        model=model,
        config=config,
        groups={group.name: _restored(group, arrays) for group in config.groups},
        corpus=Corpus(**content["corpus"]),
    )


def rounded(whitening: Whitening) -> Whitening:
    """Return the map as a file would give it back."""
    return _thawed(_frozen(whitening))


def _restored(config: GroupConfig, arrays: Arrays) -> Group:
    start = f"{config.name}/"
    own = {key.removeprefix(start): a for key, a in arrays.items() if key.startswith(start)}
    return Group(config, restored_reader(config, own), _thawed(own))


def _frozen(whitening: Whitening) -> Arrays:
    """Return the map in single precision."""
    return {
        "mean": whitening.mean.astype(np.float32),
        "matrix": whitening.matrix.astype(np.float32),
    }


def _thawed(arrays: Mapping[str, Any]) -> Whitening:
    return Whitening(
        mean=arrays["mean"].astype(np.float64), matrix=arrays["matrix"].astype(np.float64)
    )


def _write_arrays(path: Path, arrays: Arrays) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _read_arrays(path: Path) -> Arrays:
    try:
        return load_arrays(path)
    except InputError as error:
        raise ConfigError(f"{error}; make the meaning vectors anew by trajsim fit") from error


def _check_model(fitted: Mapping[str, Any], given: ModelInfo, folder: Path) -> None:
    name, revision = fitted["name"], fitted["revision"]
    unknown = UNKNOWN_REVISION in (revision, given.revision)
    if revision != given.revision or (unknown and name != given.name):
        raise ConfigError(
            f"the vectors in {folder} are of model {name} at {revision}, and this "
            f"is {given.name} at {given.revision}; use that model, or make vectors of this one "
            "by trajsim fit"
        )
