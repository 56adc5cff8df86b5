"""What methods fitted, kept in a run's folder: a run that goes on fits nothing again."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from eval.methods.base import Setting
from similarity.digests import digest_of
from similarity.errors import ConfigError, InputError
from similarity.storage.arrays import load_arrays
from similarity.storage.files import replace_file, writing
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.storage import load, save
from similarity.vectors.whitening import Whitening

Fitted = TypeVar("Fitted")


def kept_vectors(
    setting: Setting, fitted_to: Mapping[str, Any], fit: Callable[[], MeaningVectors]
) -> MeaningVectors:
    """Return the vectors that an earlier process fitted, or fit them and keep them.

    Parameters
    ----------
    fitted_to
        All that they depend on besides the model, as plain values.
    """
    return _kept(_place(setting, fitted_to), lambda path: load(path, setting.model), fit, save)


def kept_whitening(
    setting: Setting, fitted_to: Mapping[str, Any], fit: Callable[[], Whitening]
) -> Whitening:
    """Return the whitening that an earlier process fitted, or fit it and keep it.

    Parameters
    ----------
    fitted_to
        All that it depends on besides the model, as plain values.
    """
    place = _place(setting, fitted_to)
    path = None if place is None else place.with_suffix(".npz")
    return _kept(path, _read_whitening, fit, _save_whitening)


def _kept(
    path: Path | None,
    read: Callable[[Path], Fitted],
    fit: Callable[[], Fitted],
    keep: Callable[[Fitted, Path], None],
) -> Fitted:
    """Return what is at a path; if it is missing or damaged, fit it and keep it there."""
    if path is None:
        return fit()
    try:
        return read(path)
    except ConfigError:
        fitted = fit()
    keep(fitted, path)
    return fitted


def _read_whitening(path: Path) -> Whitening:
    try:
        arrays = load_arrays(path)
        return Whitening(mean=arrays["mean"], matrix=arrays["matrix"])
    except (InputError, KeyError) as error:
        raise ConfigError(f"{path} has no whitening: {error}") from error


def _save_whitening(whitening: Whitening, path: Path) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda new: _write(new, whitening))


def _place(setting: Setting, fitted_to: Mapping[str, Any]) -> Path | None:
    if setting.kept is None:
        return None
    content = {"model": asdict(setting.model.info), **fitted_to}
    return setting.kept / digest_of(content)


def _write(path: Path, whitening: Whitening) -> None:
    with path.open("wb") as file:
        np.savez(file, mean=whitening.mean, matrix=whitening.matrix)
