"""From a distance to a similarity that people would give: fitted for one model and setting.

Without one, a distance's own default map holds (`similarity.distances.Distance.similarity`).
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from similarity.arrays import FloatArray
from similarity.config import Settings
from similarity.errors import ConfigError, InputError
from similarity.models.base import LanguageModel, ModelInfo
from similarity.storage.files import replace_file

# Among a model's assets.
NAME = "calibration.json"
# A file that `trajsim eval calibrate` wrote, for a model without assets of its own.
VARIABLE = "TRAJSIM_CALIBRATION"


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
    """

    revision: str
    settings: Mapping[str, Any]
    fitted_on: Mapping[str, Any]
    distances: tuple[float, ...]
    similarities: tuple[float, ...]

    def __post_init__(self) -> None:
        x, y = np.array(self.distances), np.array(self.similarities)
        if not (x.shape == y.shape and x.size > 1 and (np.diff(x) > 0).all()):
            raise ConfigError("a calibration wants two knots or more, distances rising")
        if not ((np.diff(y) <= 0).all() and y[0] <= 1 and y[-1] >= 0):
            raise ConfigError("a calibration's similarities must be in [0, 1] and never rise")

    def applies(self, model: ModelInfo, config: Settings) -> bool:
        """Whether it was fitted for this model and these settings."""
        return self.revision == model.revision and self.settings == comparable(config.to_dict())

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of its knots."""
        knots = repr((self.distances, self.similarities))
        return hashlib.sha256(knots.encode()).hexdigest()[:16]

    def similarity(self, distance: float) -> float:
        """Return the similarity in [0, 1] of a distance; five times it is on the scale of STS."""
        return float(np.interp(distance, self.distances, self.similarities))


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
    text = json.dumps([asdict(one) for one in (*kept, calibration)], indent=1) + "\n"
    try:
        replace_file(path, lambda new: new.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def find_calibration(model: LanguageModel, config: Settings) -> Calibration | None:
    """Return what was fitted for this model and these settings, if it is known to the model.

    Raises
    ------
    InputError
        If the file cannot be read or is no calibration.
    """
    path = _file_of(model)
    found = () if path is None else _read_once(path)
    return next((one for one in found if one.applies(model.info, config)), None)


def _file_of(model: LanguageModel) -> Path | None:
    """Return the file that the environment names, or the one among the model's assets, if any."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    shipped = None if model.assets is None else model.assets / NAME
    return shipped if shipped is not None and shipped.is_file() else None


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
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} has no calibrations: {error}; fit them anew") from error


def _calibration(content: dict[str, Any]) -> Calibration:
    knots: dict[str, Any] = {
        name: tuple(map(float, content.pop(name))) for name in ("distances", "similarities")
    }
    return Calibration(**content, **knots)


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


@cache
def _read_once(path: Path) -> tuple[Calibration, ...]:
    return load_calibrations(path)


def comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a calibration depends on.

    Not the seed of trajectories: another seed is another sample of the same thing.
    """
    return {
        name: {key: value for key, value in of_it.items() if key != "seed"}
        if name == "sampling"
        else of_it
        for name, of_it in settings.items()
    }
