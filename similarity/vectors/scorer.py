"""Compares texts by the cosine of their meaning vectors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from similarity.arrays import FloatArray
from similarity.calibration import similarity_map
from similarity.fingerprint import Fingerprint
from similarity.given import Pair, read_once
from similarity.images.image import Content, name_of, order_of
from similarity.known_scales import KnownScales
from similarity.models.base import OnProgress
from similarity.results import Score, SimilarityMatrix
from similarity.room import MATRIX_PAIR, check_all_pairs
from similarity.scorer import Progress, Scorer, no_progress
from similarity.vectors.config import GroupConfig, StatesConfig, TrigramsConfig, VectorConfig
from similarity.vectors.exact import exact_distances, on_grid
from similarity.vectors.explain import VectorExplanation, explain
from similarity.vectors.implied import shown_profiles
from similarity.vectors.meaning import Corpus, Features, MeaningVectors, in_batches
from similarity.vectors.tiles import in_tiles

DISTANCE = "vector-cosine"

# Gives the features of texts by group, each of shape "text feature".
Read = Callable[[Sequence[Content], OnProgress], Features]


@dataclass(frozen=True, kw_only=True)
class VectorSettings:
    """What the distance of two vectors depends on besides the model and the texts."""

    config: VectorConfig
    corpus: Corpus

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested values."""
        vectors = {**self.config.to_dict(), "corpus": self.corpus.to_dict()}
        return {"distance": DISTANCE, "vectors": vectors}

    def describe(self) -> str:
        """Return the most important settings as a text."""
        total = sum(group.weight for group in self.config.groups)
        groups = [
            f"{group.name} {group.weight / total:.0%}{_more(group)}" for group in self.config.groups
        ]
        return f"meaning vectors ({', '.join(groups)}), fitted to {self.corpus.texts:,} texts"


class VectorScorer(Scorer):
    """Compares by the cosine of meaning vectors; N texts cost N.

    Parameters
    ----------
    vectors
        Those of one model.
    read
        Gives features in another way than `vectors.read`, as from a cache.
    scales
        Those that may be in force; None for those that there are now.
    """

    fingerprint: Fingerprint[VectorSettings]

    def __init__(
        self,
        vectors: MeaningVectors,
        read: Read | None = None,
        scales: KnownScales | None = None,
    ) -> None:
        self._vectors = vectors
        # No lambda: a scorer can be sent to another process.
        self._read = read or partial(in_batches, vectors.read)
        settings = settings_of(vectors)
        calibration = (scales or KnownScales(vectors.model)).find(settings)
        self.fingerprint = Fingerprint(vectors.model.info, settings, calibration)
        self._similarity = similarity_map(_cosine, calibration)

    def check(self, texts: Sequence[Content]) -> None:
        """Raise InputError if a text is empty, not valid Unicode, or too long for the model."""
        self._vectors.tokens(texts)

    def score(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> Sequence[Score]:
        """Return the score of each pair; a text that repeats is read once."""
        if not pairs:
            return []
        texts, features = self._features((text for pair in pairs for text in pair), progress)
        rows = self._rows(features)
        return [self._score(pair, texts, rows) for pair in pairs]

    def matrix(
        self,
        rows: Sequence[Content],
        columns: Sequence[Content] | None = None,
        progress: Progress = no_progress,
    ) -> SimilarityMatrix:
        """Return all scores, at the cost of reading N + M texts."""
        columns = rows if columns is None else columns
        check_all_pairs(len(rows), len(columns), MATRIX_PAIR)
        distances = self._matrix(rows, columns, progress)
        return SimilarityMatrix(
            rows=tuple(map(name_of, rows)),
            columns=tuple(map(name_of, columns)),
            distances=distances,
            similarities=self._similarities(distances),
            fingerprint=self.fingerprint,
        )

    def explain(
        self, pairs: Sequence[Pair], top: int = 5, progress: Progress = no_progress
    ) -> Sequence[VectorExplanation]:
        """Return the score of each pair with what its cosine is made of."""
        if not pairs:
            return []
        texts, features = self._features((text for pair in pairs for text in pair), progress)
        rows = self._rows(features)
        # Each takes as long as many scores do: who gives up waiting ends it between two.
        on_progress = progress("explaining", len(pairs))
        found = {}
        for tile in in_tiles([(texts[first], texts[second]) for first, second in pairs]):
            of_tile = _of(features, tile.texts)
            profiles = shown_profiles(self._vectors, of_tile)
            for place, both in tile.pairs:
                score = self._score(pairs[place], texts, rows)
                of_both = None if profiles is None else profiles.of(both)
                found[place] = explain(self._vectors, score, _of(of_tile, both), of_both, top)
                on_progress(1)
        return [found[place] for place in range(len(pairs))]

    def _matrix(
        self, rows: Sequence[Content], columns: Sequence[Content], progress: Progress
    ) -> FloatArray:
        """Return all distances, shape "row column"."""
        if not rows or not columns:
            self.check([*rows, *columns])
            return np.empty((len(rows), len(columns)))
        texts, features = self._features([*rows, *columns], progress)
        vectors = self._rows(features)
        right = vectors[[texts[column] for column in columns]]
        return exact_distances(vectors[[texts[row] for row in rows]], right)

    def _similarities(self, distances: FloatArray) -> FloatArray:
        """Return the similarity that the scale gives for each distance."""
        calibration = self.fingerprint.calibration
        if calibration is not None:
            return calibration.of_all(distances)
        # As `_cosine` of each, without a Python number for each of perhaps millions.
        found: FloatArray = 1.0 - distances
        return np.maximum(found, 0.0, out=found)

    def _score(self, pair: Pair, texts: Mapping[Content, int], rows: FloatArray) -> Score:
        first, second = (rows[[texts[text]]] for text in pair)
        distance = exact_distances(first, second).item()
        return Score(
            texts=(name_of(pair[0]), name_of(pair[1])),
            distance=distance,
            similarity=self._similarity(distance),
            fingerprint=self.fingerprint,
        )

    def _features(
        self, texts: Iterable[Content], progress: Progress
    ) -> tuple[Mapping[Content, int], Features]:
        """Return the place of each distinct text, and the features of all."""
        # In an order of their own, so that rounding does not depend on that of the pairs.
        distinct, places = read_once(sorted(set(texts), key=order_of))
        features = self._read(distinct, progress("encoding", len(distinct)))
        return places, features

    def _rows(self, features: Features) -> FloatArray:
        """Return the vectors on the grid, shape "text width"."""
        return on_grid(self._vectors.join(features))


def _of(features: Features, texts: Sequence[int]) -> Features:
    """Return the features of some texts, by their places."""
    return {name: rows[list(texts)] for name, rows in features.items()}


def _more(group: GroupConfig) -> str:
    if isinstance(group, StatesConfig):
        return " over states"
    named = isinstance(group, TrigramsConfig) and group.names > 0
    return ", more by names and numbers" if named else ""


def settings_of(vectors: MeaningVectors) -> VectorSettings:
    """Return the settings that the distances of these vectors depend on."""
    return VectorSettings(config=vectors.config, corpus=vectors.corpus)


def _cosine(distance: float) -> float:
    """Return the cosine, and 0 where it is below."""
    return max(0.0, 1.0 - distance)
