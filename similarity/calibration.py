"""From a distance to a similarity on a known scale: fitted for one model and setting.

A scale is fitted to judgements of pairs, or without labels to general text or to texts of the
user's own (`similarity.scales`).
Without one, a distance's own default map holds (`similarity.distances.Distance.similarity`).
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy

from similarity.arrays import FloatArray
from similarity.config import Settings
from similarity.digests import digest, digest_of
from similarity.errors import ConfigError, InputError
from similarity.estimators.table import ESTIMATORS
from similarity.models.base import LanguageModel, ModelInfo
from similarity.storage.files import replace_file, writing
from similarity.storage.user_cache import cache_folder
from similarity.validation import check_choice

# Among a model's assets.
NAME = "calibration.json"
# A file that `trajsim eval calibrate` wrote, for a model without assets of its own.
VARIABLE = "TRAJSIM_CALIBRATION"

# What a similarity of 0 and of 1 means: what people said of pairs; or the distance of unrelated
# general sentences, or of the user's own texts, and of a text to itself; or nothing that is the
# same for two settings.
Scale = Literal["judgements", "general text", "own texts", "none"]
JUDGEMENTS: Literal["judgements"] = "judgements"
GENERAL_TEXT: Literal["general text"] = "general text"
OWN_TEXTS: Literal["own texts"] = "own texts"


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A falling map from distance to similarity in [0, 1], linear between its knots.

    Parameters
    ----------
    revision
        Of the model that it was fitted for.
    settings
        Of the comparison, as `comparable` gives them.
    fitted_on
        What it was fitted on, for the record.
    distances
        Knots, shape "knot", rising from 0.
    similarities
        Their similarities, shape "knot", never rising, from 1.
    scale
        What it was fitted to.
    """

    revision: str
    settings: Mapping[str, Any]
    fitted_on: Mapping[str, Any]
    distances: tuple[float, ...]
    similarities: tuple[float, ...]
    scale: Literal["judgements", "general text", "own texts"] = JUDGEMENTS

    def __post_init__(self) -> None:
        check_choice("scale", self.scale, (JUDGEMENTS, GENERAL_TEXT, OWN_TEXTS))
        x, y = np.array(self.distances), np.array(self.similarities)
        if not (x.shape == y.shape and x.size > 1 and (np.diff(x) > 0).all()):
            raise ConfigError("a calibration wants two knots or more, distances rising")
        if not ((np.diff(y) <= 0).all() and y[0] <= 1 and y[-1] >= 0):
            raise ConfigError("a calibration's similarities must be in [0, 1] and never rise")

    def applies(self, model: ModelInfo, config: Settings) -> bool:
        """Return whether it was fitted for this model and these settings."""
        return self.revision == model.revision and self.settings == comparable(config.to_dict())

    @property
    def digest(self) -> str:
        """Return the first 16 hexadecimal digits of the SHA-256 of its knots."""
        return digest(repr((self.distances, self.similarities)).encode())

    def similarity(self, distance: float) -> float:
        """Return the similarity in [0, 1] of a distance; five times it is on the scale of STS."""
        return float(np.interp(distance, self.distances, self.similarities))

    def of_all(self, distances: FloatArray) -> FloatArray:
        """Return the similarity of each distance, the same as `similarity` gives of it alone."""
        found: FloatArray = np.interp(distances, self.distances, self.similarities)
        return found


def add_calibration(path: Path, calibration: Calibration) -> None:
    """Write it into a model's file, as JSON, beside those of the model's other settings.

    What the file has of the same settings, or of another revision of the model, goes.

    Raises
    ------
    InputError
        If the file is of something else, or cannot be written.
    """
    kept = [
        other
        for other in (load_calibrations(path) if path.exists() else ())
        if other.revision == calibration.revision and other.settings != calibration.settings
    ]
    _write(path, [*kept, calibration])


def _write(path: Path, calibrations: Sequence[Calibration]) -> None:
    text = json.dumps([asdict(one) for one in calibrations], indent=1) + "\n"
    with writing(path):
        replace_file(path, lambda new: new.write_text(text, encoding="utf-8"))


def find_calibration(model: LanguageModel, config: Settings) -> Calibration | None:
    """Return what was fitted for this model and these settings, if it is known.

    The file that TRAJSIM_CALIBRATION names goes before the user's cache, and that before the
    model's assets; of these two, what was fitted to judgements goes before all else.

    Raises
    ------
    InputError
        If a file cannot be read or is no calibration.
    """

    def those_in(path: Path) -> list[Calibration]:
        known = _read_once(path, _stamp(path))
        return [one for one in known if one.applies(model.info, config)]

    if (given := os.environ.get(VARIABLE)) and (named := those_in(Path(given))):
        return named[0]
    places = [_kept(model.info.revision, comparable(config.to_dict()))]
    places += [model.assets / NAME] if model.assets else []
    found = [one for path in places if _stamp(path) for one in those_in(path)]
    return next((one for one in found if one.scale == JUDGEMENTS), found[0] if found else None)


def keep_calibration(calibration: Calibration) -> Path:
    """Write it into the user's cache, whole or not at all, where it is found; return its file.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    path = _kept(calibration.revision, comparable(calibration.settings))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write to {path.parent}: {error.strerror}; name another folder by TRAJSIM_CACHE"
        ) from error
    _write(path, [calibration])
    return path


def _kept(revision: str, settings: Mapping[str, Any]) -> Path:
    """Return the file of the user's cache for a model and the comparable part of settings."""
    name = digest_of({"revision": revision, "settings": settings})
    return cache_folder("calibrations") / f"{name}.json"


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file does; None if this user cannot see one there.

    A process without a home of its own, as in a container, may not even look into the cache.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def similarity_map(
    default: Callable[[float], float], calibration: Calibration | None
) -> Callable[[float], float]:
    """Return the map from a distance to a similarity: the calibration's, or the default."""
    return default if calibration is None else calibration.similarity


def load_calibrations(path: Path) -> tuple[Calibration, ...]:
    """Read what `add_calibration` wrote.

    Raises
    ------
    InputError
        If it cannot be read or is no calibration.
    """
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_calibration(content) for content in contents)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} has no calibrations: {error}; delete it, and fit them anew"
        ) from error


def _calibration(content: dict[str, Any]) -> Calibration:
    knots: dict[str, Any] = {
        name: tuple(map(float, content.pop(name))) for name in ("distances", "similarities")
    }
    # Files that were written earlier also name the number of trajectories.
    return Calibration(**{**content, "settings": comparable(content["settings"])}, **knots)


def fit_knots(
    distances: FloatArray, similarities: FloatArray
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the knots of the falling map nearest to judged pairs in the mean square.

    Isotonic regression: pairs that would make the map rise are pooled. A pool becomes one knot, its
    mean distance and similarity, and between knots the map is linear, so that it falls wherever
    the judgements say so. Distance 0 is similarity 1: identical texts are alike.

    Parameters
    ----------
    distances
        Shape "pair".
    similarities
        Judgements in [0, 1], shape "pair".
    """
    order = np.argsort(distances, kind="stable")
    x, y = distances[order], similarities[order]
    fitted = scipy.optimize.isotonic_regression(y, increasing=False)
    knots_x, knots_y = [0.0], [1.0]
    for start, end in zip(fitted.blocks[:-1], fitted.blocks[1:], strict=True):
        centre, level = float(x[start:end].mean()), float(fitted.x[start])
        if centre > knots_x[-1]:
            knots_x.append(centre)
            knots_y.append(min(level, knots_y[-1]))
    return tuple(knots_x), tuple(knots_y)


@lru_cache(maxsize=64)
def _read_once(path: Path, _stamp: tuple[int, int] | None) -> tuple[Calibration, ...]:
    return load_calibrations(path)


def comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a calibration depends on.

    Not the seed of trajectories: another seed is another sample of the same thing. Nor their
    number, where the distance is a mean over them, whose expectation is the same for every number.
    """
    of_a_sample = {"seed", "n_trajectories"} if _is_mean(settings["distance"]) else {"seed"}
    return {
        name: {key: value for key, value in of_it.items() if key not in of_a_sample}
        if name == "sampling"
        else of_it
        for name, of_it in settings.items()
    }


def _is_mean(distance: str) -> bool:
    return distance in ESTIMATORS and ESTIMATORS[distance].distance.is_mean
