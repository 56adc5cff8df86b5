"""From a distance to a similarity on a known scale: fitted for one model and setting.

A scale is fitted to judgements of pairs, or without labels to general text or to texts of the
user's own (`similarity.scales`).
Without one, a distance's own default map holds (`similarity.distances.Distance.similarity`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy

from similarity.arrays import FloatArray
from similarity.config import Settings
from similarity.digests import digest, digest_of
from similarity.errors import ConfigError, InputError
from similarity.estimators.table import ESTIMATORS
from similarity.models.base import ModelInfo
from similarity.storage.files import check_place, replace_file, writing
from similarity.storage.user_cache import reading_remedy
from similarity.validation import check_choice, given_path

# Among a model's assets.
NAME = "calibration.json"
# In such a file, of each calibration.
DIGEST = "digest"

# What helps where a file cannot be read, if no more is known of it.
_REMEDY = "name a file that `trajsim calibrate` wrote"
# In such a file, what each calibration must have, and what of JSON that is.
_KINDS = {
    "revision": str,
    "settings": dict,
    "fitted_on": dict,
    "distances": list,
    "similarities": list,
}

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
    kept
        Of one that a user keeps or names, what a person knows it by: "model", "compares" and
        "date", as far as that is known. None of one that ships.
    """

    revision: str
    settings: Mapping[str, Any]
    fitted_on: Mapping[str, Any]
    distances: tuple[float, ...]
    similarities: tuple[float, ...]
    scale: Literal["judgements", "general text", "own texts"] = JUDGEMENTS
    kept: Mapping[str, str] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        check_choice("scale", self.scale, (JUDGEMENTS, GENERAL_TEXT, OWN_TEXTS))
        x, y = np.array(self.distances), np.array(self.similarities)
        rising = x.shape == y.shape and x.size > 1 and x[0] >= 0 and (np.diff(x) > 0).all()
        if not (rising and np.isfinite(x).all()):
            raise ConfigError("a calibration wants two knots or more, distances rising from 0")
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


def add_calibration(path: str | PathLike[str], calibration: Calibration) -> None:
    """Write it into a model's file, as JSON, beside those of the model's other settings.

    What the file has of the same settings, or of another revision of the model, goes.

    Raises
    ------
    InputError
        If the file is of something else, or cannot be written.
    """
    path = given_path("path", path)
    kept = [
        other
        for other in _others(path)
        if other.revision == calibration.revision and other.settings != calibration.settings
    ]
    write_calibrations(path, [*kept, calibration])


def check_place_of_scales(path: str | PathLike[str]) -> None:
    """Refuse a place where `add_calibration` would fail, before a scale is fitted.

    Raises
    ------
    InputError
        If a file there is of something else or damaged, or none can be written.
    """
    path = given_path("path", path)
    check_place(path)
    _others(path)


def _others(path: Path) -> tuple[Calibration, ...]:
    """Return the scales of a file to which one is added; none where there is no file yet."""
    return load_calibrations(path, "name another file") if path.exists() else ()


def write_calibrations(path: str | PathLike[str], calibrations: Sequence[Calibration]) -> None:
    """Write a file anew, whole or not at all.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    path = given_path("path", path)
    text = json.dumps([_content(one) for one in calibrations], indent=1) + "\n"
    with writing(path):
        replace_file(path, lambda new: new.write_text(text, encoding="utf-8"))


def similarity_map(
    default: Callable[[float], float], calibration: Calibration | None
) -> Callable[[float], float]:
    """Return the map from a distance to a similarity: the calibration's, or the default."""
    return default if calibration is None else calibration.similarity


def load_calibrations(path: str | PathLike[str], remedy: str = _REMEDY) -> tuple[Calibration, ...]:
    """Read what `add_calibration` wrote.

    Parameters
    ----------
    remedy
        What messages say to do: it depends on whose file it is.

    Raises
    ------
    InputError
        If it cannot be read, is no calibration, or is not what was written.
    """
    path = given_path("path", path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no file; {remedy}")
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(contents, list) or not contents:
            raise ValueError("it wants a list of one scale or more")
        return tuple(_calibration(content) for content in contents)
    except PermissionError as error:
        # It may be whole, so it is not to be deleted.
        said = f"{error.strerror}{reading_remedy(error)}"
        raise InputError(f"cannot read {path}: {said}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; {remedy}") from error
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        raise InputError(f"{path} is no file of scales: {error}; {remedy}") from error


def _content(calibration: Calibration) -> dict[str, Any]:
    """Return what a file has of a calibration: its values, and the digest of them all."""
    values = asdict(calibration)
    return {**values, DIGEST: digest_of(values)}


def _calibration(content: object) -> Calibration:
    if not isinstance(content, dict):
        raise ValueError("a scale must be an object")
    # Files that were written earlier, or by hand, have none.
    given = content.pop(DIGEST, None)
    if given is not None and given != digest_of(content):
        raise ValueError("a value is not what was written there")
    _check_values(content)
    knots: dict[str, Any] = {
        name: tuple(map(float, content.pop(name))) for name in ("distances", "similarities")
    }
    # Files that were written earlier also name the number of trajectories.
    return Calibration(**{**content, "settings": comparable(content["settings"])}, **knots)


def _check_values(content: Mapping[str, Any]) -> None:
    """Raise ValueError, which names what a scale lacks or what is of a wrong kind."""
    for name, kind in _KINDS.items():
        if name not in content:
            raise ValueError(f"a scale lacks its {name}")
        if not isinstance(content[name], kind):
            raise ValueError(f"the {name} of a scale cannot be {str(content[name])[:40]!r}")
    if not isinstance(content["settings"].get("distance"), str):
        raise ValueError("the settings of a scale lack their distance")
    if not isinstance(content.get("kept"), dict | None):
        raise ValueError(f"what a scale is kept as cannot be {str(content['kept'])[:40]!r}")


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
