"""Keeps fitted vectors in a folder: arrays, and a fingerprint that says what they belong to."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from similarity.errors import ConfigError
from similarity.models.base import LanguageModel, ModelInfo
from similarity.storage.bundle import read_manifest, write_bundle
from similarity.vectors.config import VectorConfig
from similarity.vectors.meaning import Corpus, MeaningVectors
from similarity.vectors.references import References
from similarity.vectors.whitening import Whitening
from similarity.version import __version__

MANIFEST, ARRAYS = "vectors.json", "arrays.npz"
# Of the files; others are refused.
FORMAT = 2
WEIGHTS = ("token_weights", "trigram_weights")
# A hub's model whose commit nobody knows.
UNKNOWN = "unknown"

Arrays = dict[str, Any]


def fingerprint(vectors: MeaningVectors) -> dict[str, Any]:
    """Return all that vectors depend on, with a digest of it as "id"; equal ones are comparable."""
    content = {
        "format": FORMAT,
        "version": __version__,
        "model": asdict(vectors.model.info),
        "config": vectors.config.to_dict(),
        "references": asdict(vectors.references),
        "corpus": asdict(vectors.corpus),
    }
    canonical = json.dumps(content, sort_keys=True).encode()
    return {"id": hashlib.sha256(canonical).hexdigest()[:16], **content}


def save(vectors: MeaningVectors, folder: Path) -> None:
    """Write the vectors to a folder, whole or not at all; what it had is replaced.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    arrays = _frozen(vectors.whitenings)
    arrays |= {name: getattr(vectors, name).astype(np.float16) for name in WEIGHTS}
    write_bundle(
        folder, MANIFEST, fingerprint(vectors), {ARRAYS: lambda path: _write_arrays(path, arrays)}
    )


def load(folder: Path, model: LanguageModel) -> MeaningVectors:
    """Read vectors that were fitted with this model.

    Raises
    ------
    ConfigError
        If there are none, they are damaged, or they belong to another model.
    """
    content = read_manifest(folder, MANIFEST, what="meaning vectors", command="trajsim fit")
    if content["format"] != FORMAT:
        raise ConfigError(
            f"{folder / MANIFEST} has format {content['format']}, and {FORMAT} is read here; "
            "make the vectors anew by trajsim fit"
        )
    _check_model(ModelInfo(**content["model"]), model.info, folder)
    references = content["references"]
    arrays = _read_arrays(folder / content["files"][ARRAYS])
    return MeaningVectors(
        model=model,
        config=VectorConfig.from_dict(content["config"]),
        references=References(
            tuple(map(tuple, references["continuations"])), tuple(references["sources"])
        ),
        **{name: arrays.pop(name).astype(np.float32) for name in WEIGHTS},
        whitenings=_thawed(arrays),
        corpus=Corpus(**content["corpus"]),
    )


def rounded(whitening: Whitening) -> Whitening:
    """Return the map as a file would give it back."""
    return _thawed(_frozen({"": whitening}))[""]


def _frozen(whitenings: Mapping[str, Whitening]) -> Arrays:
    """Return small arrays: matrices in half precision, each column by a power of two.

    A power of two loses nothing, so to freeze what was thawed changes nothing.
    """
    arrays: Arrays = {}
    for group, whitening in whitenings.items():
        largest = np.abs(whitening.matrix).max(axis=0)
        scales = np.exp2(np.ceil(np.log2(largest)))
        arrays[f"{group}/mean"] = whitening.mean.astype(np.float32)
        arrays[f"{group}/scales"] = scales.astype(np.float32)
        arrays[f"{group}/matrix"] = (whitening.matrix / scales).astype(np.float16)
    return arrays


def _thawed(arrays: Arrays) -> dict[str, Whitening]:
    return {
        group: Whitening(
            mean=arrays[f"{group}/mean"].astype(np.float64),
            matrix=arrays[f"{group}/matrix"].astype(np.float64) * arrays[f"{group}/scales"],
        )
        for group in dict.fromkeys(name.partition("/")[0] for name in arrays)
    }


def _write_arrays(path: Path, arrays: Arrays) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _read_arrays(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _check_model(fitted: ModelInfo, given: ModelInfo, folder: Path) -> None:
    unknown = UNKNOWN in (fitted.revision, given.revision)
    if fitted.revision != given.revision or (unknown and fitted.name != given.name):
        raise ConfigError(
            f"the vectors in {folder} are of model {fitted.name} at {fitted.revision}, and this "
            f"is {given.name} at {given.revision}; use that model, or make vectors of this one "
            "by trajsim fit"
        )
