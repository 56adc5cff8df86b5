"""Keeps fitted vectors in a folder: arrays, and a fingerprint that says what they belong to."""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from similarity.errors import ConfigError, InputError
from similarity.models.base import LanguageModel, ModelInfo
from similarity.vectors.config import VectorConfig
from similarity.vectors.meaning import Corpus, MeaningVectors
from similarity.vectors.references import References
from similarity.version import __version__
from similarity.whitening import Whitening

FINGERPRINT = "vectors.json"
# Of the files; others are refused.
FORMAT = 1
TOKEN_WEIGHTS = "token_weights"
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
    return {"id": _digest(json.dumps(content, sort_keys=True).encode()), **content}


def save(vectors: MeaningVectors, folder: Path) -> None:
    """Write the vectors to a folder, whole or not at all; what it had is replaced.

    The arrays' file is named by its content and the fingerprint, which names it, is renamed into
    its place last: so what is found there after a kill is either the old or the new.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    packed = io.BytesIO()
    frozen = _frozen(vectors.whitenings)
    frozen[TOKEN_WEIGHTS] = vectors.token_weights.astype(np.float16)
    np.savez(packed, **frozen)
    arrays = f"arrays-{_digest(packed.getvalue())}.npz"
    content = json.dumps({**fingerprint(vectors), "arrays": arrays}, indent=1) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / arrays, packed.getvalue())
        replace_file(folder / FINGERPRINT, content.encode())
        for stale in folder.glob("arrays-*.npz"):
            if stale.name != arrays:
                stale.unlink()
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}") from error


def load(folder: Path, model: LanguageModel) -> MeaningVectors:
    """Read vectors that were fitted with this model.

    Raises
    ------
    ConfigError
        If there are none, they are damaged, or they belong to another model.
    """
    content = _fingerprint_in(folder)
    _check_model(ModelInfo(**content["model"]), model.info, folder)
    references = content["references"]
    arrays = _arrays_in(folder / content["arrays"])
    return MeaningVectors(
        model=model,
        config=VectorConfig.from_dict(content["config"]),
        references=References(
            tuple(map(tuple, references["continuations"])), tuple(references["sources"])
        ),
        token_weights=arrays.pop(TOKEN_WEIGHTS).astype(np.float32),
        whitenings=_thawed(arrays),
        corpus=Corpus(**content["corpus"]),
    )


def rounded(whitening: Whitening) -> Whitening:
    """Return the map as a file would give it back."""
    return _thawed(_frozen({"": whitening}))[""]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under another name, then rename it: nobody ever sees a part of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


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


def _fingerprint_in(folder: Path) -> dict[str, Any]:
    path = folder / FINGERPRINT
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"no meaning vectors in {folder}: {error.strerror}; make them by trajsim fit"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path} is damaged; make the vectors anew by trajsim fit") from error
    if content.get("format") != FORMAT:
        raise ConfigError(
            f"{path} has format {content.get('format')!r}, and {FORMAT} is read here; "
            "make the vectors anew by trajsim fit"
        )
    return content


def _arrays_in(path: Path) -> Arrays:
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; fit the vectors anew") from error
    if path.name != f"arrays-{_digest(packed)}.npz":
        raise ConfigError(f"{path} is damaged; make the vectors anew by trajsim fit")
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return dict(arrays)


def _check_model(fitted: ModelInfo, given: ModelInfo, folder: Path) -> None:
    unknown = UNKNOWN in (fitted.revision, given.revision)
    if fitted.revision != given.revision or (unknown and fitted.name != given.name):
        raise ConfigError(
            f"the vectors in {folder} are of model {fitted.name} at {fitted.revision}, and this "
            f"is {given.name} at {given.revision}; use that model, or make vectors of this one "
            "by trajsim fit"
        )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
