"""Where the vectors of a model come from: a folder, what ships with the model, or general text.

Any model that gives next states or log-probabilities of chosen tokens has vectors, with no fit by
the user. They are fitted to the general sentences of the library when they are first used, and kept
in the user's cache folder.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from os import PathLike
from pathlib import Path

from similarity.digests import digest_of
from similarity.errors import ConfigError, InputError
from similarity.models.base import LanguageModel
from similarity.models.revision import UNKNOWN_REVISION
from similarity.presets import (
    MEANING,
    VECTOR_PRESETS,
    no_vectors,
    preset_groups,
    vector_groups,
)
from similarity.scorer import Progress, no_progress
from similarity.storage.user_cache import cache_folder
from similarity.texts.general import general_digest, general_registers, general_sentences
from similarity.validation import check_choice
from similarity.vectors.config import VectorConfig
from similarity.vectors.fitting import fit
from similarity.vectors.identity import registers_of
from similarity.vectors.meaning import Corpus, MeaningVectors
from similarity.vectors.reading import KeptReading
from similarity.vectors.recipes import Recipe, recipe_of
from similarity.vectors.storage import FORMAT, MANIFEST, load, save

logger = logging.getLogger(__name__)

GENERAL = "general"
# Of a model's assets.
SHIPPED = "vectors"


@dataclass(frozen=True)
class VectorSource:
    """Vectors of a model before they are opened, which may take a reading of the general text.

    Parameters
    ----------
    opened
        Where they are in a folder; None where they are fitted to the general text.
    config
        Their settings; None where the model has no vectors.
    short
        Which groups are left out as the model's context is too short; empty where none is.
    """

    model: LanguageModel
    config: VectorConfig | None
    opened: MeaningVectors | None = None
    short: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the groups that they have."""
        return () if self.config is None else self.config.names

    @property
    def lacks(self) -> str:
        """Return why there are no other groups, as far as the model knows; empty if it does not."""
        known = () if self.opened is not None else (self.short, self.model.lacks)
        return "; ".join(filter(None, known))

    def open(self, *names: str, progress: Progress = no_progress) -> MeaningVectors:
        """Return the vectors of these groups, or of all.

        Raises
        ------
        ConfigError
            If there are no vectors, or no group of such a name.
        """
        if self.opened is not None:
            return self.opened.only(*names)
        if self.config is None:
            raise ConfigError(no_vectors(self.lacks))
        return _fitted_to_general_text(self.model, self.config.only(*names), progress)


def find_vectors(where: str | PathLike[str] | None, model: LanguageModel) -> VectorSource:
    """Return the vectors of a folder, or without one those of the model.

    Parameters
    ----------
    where
        A folder of `trajsim fit`; None or "general" for those that ship with the model, or are
        fitted to the general text.

    Raises
    ------
    ConfigError
        If the folder has no vectors, or those of another model.
    """
    if where is not None and where != GENERAL:
        vectors = load(where, model)
        return VectorSource(model, vectors.config, vectors)
    shipped = None if model.assets is None else model.assets / SHIPPED
    if shipped is not None and (shipped / MANIFEST).is_file():
        try:
            vectors = load(shipped, model)
        except ConfigError:
            # Of another dtype or revision of the model: then it is read like any other.
            return _of_general_text(model)
        if _readable(vectors):
            return VectorSource(model, vectors.config, vectors)
    return _of_general_text(model)


def _of_general_text(model: LanguageModel) -> VectorSource:
    recipe = recipe_of(model)
    if recipe.short:
        _warn_once(model.info.name, recipe)
    return VectorSource(model, recipe.config, short=recipe.short)


@cache
def _warn_once(name: str, recipe: Recipe) -> None:
    """Say what is left out of a model's vectors, once in a process however often they are found."""
    what = "some groups of features" if recipe.config else "all meaning vectors"
    logger.warning("%s goes without %s: %s", name, what, recipe.short)


def open_vectors(
    where: str | PathLike[str] | None,
    model: LanguageModel,
    progress: Progress = no_progress,
    *,
    preset: str | None = None,
) -> MeaningVectors:
    """Return the vectors whose cosine a preset compares by.

    Parameters
    ----------
    preset
        A name in VECTOR_PRESETS; None is for "meaning", or for all groups where there are none of
        its own.

    Raises
    ------
    ConfigError
        If the folder has no vectors, or those of another model or of no group of the preset, or
        the model has none.
    """
    if preset is not None:
        check_choice("preset", preset, VECTOR_PRESETS)
    source = find_vectors(where, model)
    if preset is None:
        names = preset_groups(MEANING, source.names)
    else:
        names = vector_groups(preset, source.names, source.lacks)
    return source.open(*names, progress=progress)


def _readable(vectors: MeaningVectors) -> bool:
    """Return whether the model gives all that the vectors are made of: a server gives less."""
    return all(group.reader.needs <= vectors.model.abilities for group in vectors.groups.values())


def _fitted_to_general_text(
    model: LanguageModel, config: VectorConfig, progress: Progress
) -> MeaningVectors:
    """Return vectors whose groups are each fitted when they are first used, and kept."""
    parts = [_fitted_group(model, config.only(name), progress) for name in config.names]
    groups = {name: group for part in parts for name, group in part.groups.items()}
    corpus = _common([part.corpus for part in parts])
    return MeaningVectors(model=model, config=config, groups=groups, corpus=corpus)


def _common(corpora: Sequence[Corpus]) -> Corpus:
    """Return that of all groups; in a short context the longer prompts have fewer texts."""
    different = dict.fromkeys(corpora)
    least = min(different, key=lambda corpus: corpus.texts)
    if len(different) == 1:
        return least
    return replace(least, digest=digest_of([corpus.to_dict() for corpus in corpora]))


def _fitted_group(model: LanguageModel, config: VectorConfig, progress: Progress) -> MeaningVectors:
    folder = _folder(model, config)
    kept = None if folder is None else _kept(folder, model, config)
    if kept is not None:
        return kept
    sentences = general_sentences()
    on_progress = progress("reading general text, once for this model", len(sentences))
    if folder is None:
        return fit(model, sentences, config, on_progress, general_registers())
    # A server may fail at any of some hundred requests, or the process be stopped.
    reading = KeptReading(folder.with_name(f"{folder.name}.parts"))
    vectors = fit(model, sentences, config, on_progress, general_registers(), reading.read)
    try:
        save(vectors, folder)
    except InputError as error:
        logger.warning("the vectors of general text are not kept: %s", error)
    else:
        reading.remove()
    return vectors


def _kept(folder: Path, model: LanguageModel, config: VectorConfig) -> MeaningVectors | None:
    """Return the vectors that a folder keeps; None if they are to be made anew in its place."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        vectors = load(folder, model)
    except ConfigError:
        return None  # damaged
    # A folder that was restored under another's name is whole, and has other vectors.
    meant = vectors.config.to_dict() == config.to_dict()
    return vectors if meant and vectors.corpus.registers == _general_registers() else None


def _general_registers() -> str | None:
    return registers_of(zip(general_sentences(), general_registers(), strict=True))


def _folder(model: LanguageModel, config: VectorConfig) -> Path | None:
    """Return the folder where vectors are kept; None if the model's revision is unknown."""
    if model.info.revision == UNKNOWN_REVISION:
        return None
    content = {
        "format": FORMAT,
        "model": asdict(model.info),
        "config": config.to_dict(),
        "text": general_digest(),
    }
    registers = _general_registers()
    if registers is not None:
        content["registers"] = registers
    return cache_folder("vectors") / digest_of(content)
