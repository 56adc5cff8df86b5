"""Which scale is in force: the one that this user fitted last, else the one that ships.

A file that TRAJSIM_CALIBRATION names goes before both, for what it has.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from similarity.calibration import (
    NAME,
    Calibration,
    comparable,
    load_calibrations,
    write_calibrations,
)
from similarity.config import Settings
from similarity.digests import digest_of
from similarity.errors import InputError
from similarity.models.base import LanguageModel
from similarity.storage.files import check_folder
from similarity.storage.user_cache import cache_folder

# A file of calibrations, as for a service whose user keeps none.
VARIABLE = "TRAJSIM_CALIBRATION"
# What helps where a file cannot be read. Only those in the cache are for us to have deleted.
_OF_NAMED = f"name a file that `trajsim calibrate` wrote by {VARIABLE}, or unset it"
_OF_MODEL = "it belongs to the model: put the model's own in its place, or move it away"
_OF_CACHE = "fit it anew by `trajsim calibrate` with the same options, or forget it"


@dataclass(frozen=True, kw_only=True)
class KeptScale:
    """A scale that this user fitted and keeps.

    Parameters
    ----------
    path
        Its file.
    calibration
        What the file has, or why it cannot be read.
    """

    path: Path
    calibration: Calibration | InputError

    @property
    def name(self) -> str:
        """Return the name that `forget_scale` takes."""
        return self.path.stem

    def read(self) -> Calibration:
        """Return the calibration; raises InputError if the file cannot be read."""
        if isinstance(self.calibration, InputError):
            raise self.calibration
        return self.calibration


class KnownScales:
    """The scales that there are for a model, as they were when this was made.

    What is fitted or forgotten later changes nothing here, so that no scale changes under a
    service that runs, or within a batch.

    Parameters
    ----------
    with_kept
        Whether those that this user keeps are among them. One that is fitted anew is replaced, and
        may be damaged.

    Raises
    ------
    InputError
        If the file that TRAJSIM_CALIBRATION names, or that of the model, cannot be read.
    """

    def __init__(self, model: LanguageModel, *, with_kept: bool = True) -> None:
        self._model = model.info
        given = os.environ.get(VARIABLE)
        named = load_calibrations(Path(given), _OF_NAMED) if given else ()
        # To name a file is to keep what it has, also if `trajsim eval calibrate` wrote it.
        self._named = tuple(replace(one, kept=one.kept or {}) for one in named)
        self._kept = {scale.name: scale for scale in kept_scales()} if with_kept else {}
        beside = model.assets / NAME if model.assets else None
        self._shipped = load_calibrations(beside, _OF_MODEL) if beside and _there(beside) else ()

    def find(self, config: Settings) -> Calibration | None:
        """Return the scale that is in force for these settings; None if there is none.

        Raises
        ------
        InputError
            If this user keeps one for them whose file cannot be read, or has another in it.
        """
        return self.named(config) or self.kept(config) or self.shipped(config)

    def named(self, config: Settings) -> Calibration | None:
        """Return that of the file that TRAJSIM_CALIBRATION names."""
        return self._of(self._named, config)

    def kept(self, config: Settings) -> Calibration | None:
        """Return the one that this user fitted last; raises as `find` does."""
        kept = self._kept.get(_name(self._model.revision, comparable(config.to_dict())))
        if kept is None:
            return None
        found = self._of((kept.read(),), config)
        if found is None:
            raise InputError(
                f"{kept.path} has a scale of another model or way of comparing than its name "
                f"says; {_of_cache(kept.path)}"
            )
        return found

    def shipped(self, config: Settings) -> Calibration | None:
        """Return the one that lies beside the model's weights."""
        return self._of(self._shipped, config)

    def _of(self, known: tuple[Calibration, ...], config: Settings) -> Calibration | None:
        return next((one for one in known if one.applies(self._model, config)), None)


def find_calibration(model: LanguageModel, config: Settings) -> Calibration | None:
    """Return the scale that is in force now; raises as `KnownScales` and its `find` do."""
    return KnownScales(model).find(config)


def keep_scale(
    calibration: Calibration, model: str, compares: str
) -> tuple[KeptScale, KeptScale | None]:
    """Keep a scale for this user, in the place of the one that was kept for the same settings.

    Parameters
    ----------
    model, compares
        The model's name and the way of comparing, as a person knows them.

    Returns
    -------
    tuple
        The scale as it is kept, and the one that it replaces, if there was one.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    path = _folder() / f"{_name(calibration.revision, comparable(calibration.settings))}.json"
    before = _read(path) if _there(path) else None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write to {path.parent}: {error.strerror}; name another folder by TRAJSIM_CACHE"
        ) from error
    known_by = {"model": model, "compares": compares, "date": date.today().isoformat()}
    kept = replace(calibration, kept=known_by)
    write_calibrations(path, [kept])
    return KeptScale(path=path, calibration=kept), before


def check_keeping() -> None:
    """Check that a scale can be kept, before the work for it.

    Raises
    ------
    InputError
        If the folder of this user's scales cannot be written to.
    """
    check_folder(_folder())


def kept_scales() -> list[KeptScale]:
    """Return the scales that this user keeps, by their names; also those that cannot be read."""
    return [_read(path) for path in sorted(_folder().glob("*.json"))]


def scale_files() -> list[Path]:
    """Return the files of all scales that this user named or keeps: of what may be in force."""
    given = os.environ.get(VARIABLE)
    return [*([Path(given)] if given else []), *(scale.path for scale in kept_scales())]


def forget_scale(name: str) -> KeptScale:
    """Delete a scale that this user keeps; return what it was.

    Raises
    ------
    InputError
        If there is none of that name, or its file cannot be deleted.
    """
    known = {scale.name: scale for scale in kept_scales()}
    if name not in known:
        there = f"there are {', '.join(known)}" if known else "you keep none"
        raise InputError(f"there is no scale {name!r}; {there}")
    scale = known[name]
    try:
        scale.path.unlink()
    except OSError as error:
        raise InputError(f"cannot delete {scale.path}: {error.strerror}") from error
    return scale


def _folder() -> Path:
    return cache_folder("calibrations")


def _name(revision: str, settings: Mapping[str, Any]) -> str:
    """Return the name of the scale for a model and the comparable part of settings."""
    return digest_of({"revision": revision, "settings": settings})


def _of_cache(path: Path) -> str:
    """Return what helps where a file that this user keeps is not what it should be."""
    return f"{_OF_CACHE}: trajsim scales forget {path.stem}"


def _read(path: Path) -> KeptScale:
    remedy = _of_cache(path)
    try:
        found = load_calibrations(path, remedy)
    except InputError as error:
        return KeptScale(path=path, calibration=error)
    if len(found) != 1:
        fault = f"{path} has {len(found)} scales, and a file there has one; {remedy}"
        return KeptScale(path=path, calibration=InputError(fault))
    return KeptScale(path=path, calibration=found[0])


def _there(path: Path) -> bool:
    """Return whether this user can see a file there.

    A process without a home of its own, as in a container, may not even look into the cache.
    """
    try:
        path.stat()
    except OSError:
        return False
    return True
