"""From a distance to a similarity that people would give: fitted for one model and setting.

Without one, a distance's own default map holds (`similarity.distances.Distance.similarity`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression

from similarity.config import ComparisonConfig
from similarity.distances import FloatArray, get_distance
from similarity.errors import ConfigError, InputError
from similarity.files import replace_file
from similarity.models.base import LanguageModel, ModelInfo

# Beside a model's weights.
NAME = "calibration.json"


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A falling map from distance to similarity in [0, 1], linear between its knots.

    Parameters
    ----------
    revision
        Of the model that it was fitted for.
    settings
        Of the comparison, without the seed: another seed is another sample of the same thing.
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

    def applies(self, model: ModelInfo, config: ComparisonConfig) -> bool:
        """Whether it was fitted for this model and these settings."""
        return self.revision == model.revision and self.settings == comparable(config)

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of its knots."""
        knots = repr((self.distances, self.similarities))
        return hashlib.sha256(knots.encode()).hexdigest()[:16]

    def similarity(self, distance: float) -> float:
        """Return the similarity in [0, 1] of a distance; five times it is on the scale of STS."""
        return float(np.interp(distance, self.distances, self.similarities))

    def save(self, path: Path) -> None:
        """Write it as JSON.

        Raises
        ------
        InputError
            If it cannot be written there.
        """
        text = json.dumps(asdict(self), indent=1) + "\n"
        try:
            replace_file(path, lambda new: new.write_text(text, encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from error


def find_calibration(model: LanguageModel, config: ComparisonConfig) -> Calibration | None:
    """Return what was fitted for this model and these settings, if it is known to the model.

    Raises
    ------
    InputError
        If the model's file cannot be read or is no calibration.
    """
    if model.calibration_file is None:
        return None
    found = _read_once(model.calibration_file)
    return found if found.applies(model.info, config) else None


def similarity_map(
    config: ComparisonConfig, calibration: Calibration | None
) -> Callable[[float], float]:
    """Return the map from a distance to a similarity: the calibration's, or the default."""
    if calibration is not None:
        return calibration.similarity
    return get_distance(config.distance).similarity


def load_calibration(path: Path) -> Calibration:
    """Read what `Calibration.save` wrote.

    Raises
    ------
    InputError
        If it cannot be read or is no calibration.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        knots: dict[str, Any] = {
            name: tuple(map(float, content.pop(name))) for name in ("distances", "similarities")
        }
        return Calibration(**content, **knots)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is no calibration: {error}; fit it anew") from error


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
    fitted = isotonic_regression(y, increasing=False)
    knots_x, knots_y = [0.0], [1.0]
    for start, end in zip(fitted.blocks[:-1], fitted.blocks[1:], strict=True):
        centre, level = float(x[start:end].mean()), float(fitted.x[start])
        if centre > knots_x[-1]:
            knots_x.append(centre)
            knots_y.append(min(level, knots_y[-1]))
    return tuple(knots_x), tuple(knots_y)


@cache
def _read_once(path: Path) -> Calibration:
    return load_calibration(path)


def comparable(config: ComparisonConfig) -> dict[str, Any]:
    """Return the settings that a calibration depends on, as plain values."""
    settings = config.to_dict()
    sampling = {name: value for name, value in settings["sampling"].items() if name != "seed"}
    return {**settings, "sampling": sampling}
