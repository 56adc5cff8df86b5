"""Meaning vectors as a way to compare texts."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.calibration import find_calibration, similarity_map
from similarity.fingerprint import Fingerprint
from similarity.models.base import Advance
from similarity.results import Score, SimilarityMatrix
from similarity.scorer import Pair, Progress, Scorer, no_progress
from similarity.vectors.config import VectorConfig
from similarity.vectors.explain import VectorExplanation, explain
from similarity.vectors.meaning import Corpus, MeaningVectors

DISTANCE = "vector-cosine"

# Gives the vectors of texts, shape "text width", each of length 1.
Encode = Callable[[Sequence[str], Advance], Rows]


@dataclass(frozen=True, kw_only=True)
class VectorSettings:
    """What the distance of two vectors depends on besides the model and the texts.

    `references` is a digest of the reference trajectories.
    """

    config: VectorConfig
    references: str
    corpus: Corpus

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested values."""
        fitted = {"references": self.references, "corpus": asdict(self.corpus)}
        return {"distance": DISTANCE, "vectors": {**self.config.to_dict(), **fitted}}

    def describe(self) -> str:
        """Return what matters most of the settings, for a person."""
        *others, last = self.config.groups
        groups = f"{', '.join(others)} and {last}" if others else last
        return f"meaning vectors of {groups}, fitted to {self.corpus.texts:,} texts"


class VectorScorer(Scorer):
    """Compares by the cosine of meaning vectors; N texts cost N.

    Parameters
    ----------
    vectors
        Those of one model.
    encode
        Gives vectors in another way than `vectors.encode`, as from a cache.
    """

    def __init__(self, vectors: MeaningVectors, encode: Encode | None = None) -> None:
        self._vectors = vectors
        self._encode = encode or (lambda texts, advance: vectors.encode(texts, advance=advance))
        settings = settings_of(vectors)
        calibration = find_calibration(vectors.model, settings)
        self.fingerprint = Fingerprint(vectors.model.info, settings, calibration)
        self._similarity = similarity_map(_cosine, calibration)

    def check(self, texts: Sequence[str]) -> None:
        """Raise InputError if a text is empty, not valid Unicode, or too long for the model."""
        self._vectors.tokens(texts)

    def score(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> Sequence[Score]:
        """Return the score of each pair; a text that repeats is read once."""
        vectors = self._vectors_of((text for pair in pairs for text in pair), progress)
        return [
            Score(
                texts=pair,
                distance=distance,
                similarity=self._similarity(distance),
                fingerprint=self.fingerprint,
            )
            for pair in pairs
            for distance in (float(_distances(*(vectors[text] for text in pair))),)
        ]

    def matrix(
        self,
        rows: Sequence[str],
        columns: Sequence[str] | None = None,
        progress: Progress = no_progress,
    ) -> SimilarityMatrix:
        """Return all scores, at the cost of reading N + M texts."""
        columns = rows if columns is None else columns
        vectors = self._vectors_of([*rows, *columns], progress)
        right = np.stack([vectors[column] for column in columns])
        distances = np.stack([_distances(vectors[row], right) for row in rows])
        return SimilarityMatrix(
            rows=tuple(rows),
            columns=tuple(columns),
            distances=distances,
            similarities=np.vectorize(self._similarity, otypes=[float])(distances),
            fingerprint=self.fingerprint,
        )

    def explain(
        self, pairs: Sequence[Pair], top: int, progress: Progress = no_progress
    ) -> Sequence[VectorExplanation]:
        """Return the score of each pair with what its cosine is made of."""
        scores = self.score(pairs, progress)
        return [explain(self._vectors, score, top) for score in scores]

    def _vectors_of(self, texts: Iterable[str], progress: Progress) -> dict[str, FloatArray]:
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return {}
        rows = self._encode(distinct, progress("encoding", len(distinct))).astype(np.float64)
        return dict(zip(distinct, rows, strict=True))


def settings_of(vectors: MeaningVectors) -> VectorSettings:
    """Return what the distances of these vectors depend on."""
    digest = hashlib.sha256(repr(vectors.references).encode()).hexdigest()[:16]
    return VectorSettings(config=vectors.config, references=digest, corpus=vectors.corpus)


def _distances(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return one minus the cosine of vectors of length 1, along the last axis, in [0, 2].

    As half the square of what parts them, which is exactly 0 for a vector and itself.
    """
    distances: FloatArray = np.square(first - second).sum(axis=-1) / 2
    return distances


def _cosine(distance: float) -> float:
    """Return the cosine, and 0 where it is below."""
    return max(0.0, 1.0 - distance)
