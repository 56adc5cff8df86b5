"""Makes the reader of a group's features from its settings: one row for each kind of group."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from similarity.models.base import LanguageModel
from similarity.vectors.config import (
    GroupConfig,
    ProfileConfig,
    StatesConfig,
    TrajectoriesConfig,
    TrigramsConfig,
)
from similarity.vectors.profile import profile_reader
from similarity.vectors.reader import Arrays, Reader
from similarity.vectors.references import restored_references, sample_references
from similarity.vectors.states import StateReader
from similarity.vectors.trigrams import TrigramReader, rarity_weights


@dataclass(frozen=True)
class Kind:
    """How the readers of one kind are made.

    Parameters
    ----------
    fitted
        From a model, the settings and the first texts of a corpus.
    restored
        From the settings and what `Reader.arrays` gave.
    """

    fitted: Callable[[LanguageModel, Any, Sequence[str]], Reader]
    restored: Callable[[Any, Arrays], Reader]


def _restored_trigrams(config: TrigramsConfig, arrays: Arrays) -> Reader:
    return TrigramReader(config, arrays["weights"].astype(np.float32))


READERS: Mapping[str, Kind] = {
    ProfileConfig.kind: Kind(
        fitted=lambda _model, config, _texts: profile_reader(config),
        restored=lambda config, _arrays: profile_reader(config),
    ),
    StatesConfig.kind: Kind(
        fitted=lambda _model, config, _texts: StateReader(config),
        restored=lambda config, _arrays: StateReader(config),
    ),
    TrigramsConfig.kind: Kind(
        fitted=lambda _model, config, texts: TrigramReader(
            config, rarity_weights(texts, config.smoothing)
        ),
        restored=_restored_trigrams,
    ),
    TrajectoriesConfig.kind: Kind(
        fitted=lambda model, config, texts: sample_references(model, texts, config),
        restored=restored_references,
    ),
}


def fitted_reader(model: LanguageModel, config: GroupConfig, texts: Sequence[str]) -> Reader:
    """Return the reader of a group's features, fitted to the first texts of a corpus."""
    return READERS[config.kind].fitted(model, config, texts)


def restored_reader(config: GroupConfig, arrays: Arrays) -> Reader:
    """Return the reader of a group's features, restored from its saved arrays."""
    return READERS[config.kind].restored(config, arrays)
