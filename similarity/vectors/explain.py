"""Reads two vectors back: on which continuations and next words their texts agree or part.

A cosine of whitened features is a sum over the features, so each trajectory, and each place before
a next word, has a share of it that is known exactly.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.models.base import TokenIds
from similarity.results import Explanation, Score
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.trigrams import buckets, hashed, words_of

Pair = tuple[str, str]


@dataclass(frozen=True)
class NextWords:
    """What may come next at one place, of those words on which a text says more than usual.

    Parameters
    ----------
    before
        The words of a reference trajectory that come first; none at its beginning.
    share
        What the place adds to the similarity; negative where the texts part.
    both, first, second
        The words that both texts, or one rather than the other, make likelier than the texts do
        from which the trajectories were sampled; what tells most comes first.
    """

    before: str
    share: float
    both: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]


@dataclass(frozen=True)
class ScoredTrajectory:
    """A reference trajectory, what it adds to the similarity, and how likely it is.

    `log_likelihoods` are after either text, `usual` is their average over the corpus; all are
    means in nats per token.
    """

    text: str
    share: float
    log_likelihoods: tuple[float, float]
    usual: float


@dataclass(frozen=True)
class WordShare:
    """A word of the texts, without case, and what its letters add to the similarity.

    `counts` are how often either text has it.
    """

    word: str
    share: float
    counts: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class VectorExplanation(Explanation):
    """A score with what the cosine of the two vectors is made of.

    Parameters
    ----------
    cosine
        Of the vectors.
    shares
        What each group adds to it.
    places, trajectories
        Of the groups `distributions` and `trajectories`, by the size of their share; they add
        up to the group's.
    words
        Of the group `trigrams`, by the size of their share; what they lack to the group's is what
        all texts have in common.
    top
        How many of each kind `to_dict` gives.
    """

    method: ClassVar[str] = "vectors"
    cosine: float
    shares: dict[str, float]
    places: tuple[NextWords, ...]
    trajectories: tuple[ScoredTrajectory, ...]
    words: tuple[WordShare, ...]
    top: int

    def to_dict(self) -> dict[str, Any]:
        """Return the score and its parts as plain values, for JSON."""
        return {
            **self.score.to_dict(),
            "method": self.method,
            "cosine": self.cosine,
            "shares": self.shares,
            "places": [asdict(place) for place in self.places[: self.top]],
            "trajectories": [asdict(one) for one in self.trajectories[: self.top]],
            "words": [asdict(word) for word in self.words[: self.top]],
        }


def explain(vectors: MeaningVectors, score: Score, top: int, words: int = 3) -> VectorExplanation:
    """Return what the cosine of two texts' vectors is made of.

    Parameters
    ----------
    score
        Of the texts, by these vectors.
    top
        How many parts of each kind `to_dict` gives.
    words
        How many words to give of each kind at a place.
    """
    texts = score.texts
    rows = {group: vectors.reader.rows(group, texts) for group in vectors.groups}
    shares = {group: _shares(vectors, group, found) for group, found in rows.items()}
    return VectorExplanation(
        score=score,
        cosine=float(sum(found.sum() for found in shares.values())),
        shares={group: float(found.sum()) for group, found in shares.items()},
        places=_places(vectors, texts, shares.get("distributions"), words),
        trajectories=_trajectories(vectors, rows, shares.get("trajectories")),
        words=_of_words(vectors, texts, rows.get("trigrams")),
        top=top,
    )


def _shares(vectors: MeaningVectors, group: str, rows: Rows) -> FloatArray:
    """Return what each feature adds to the similarity, shape "width"."""
    centred = rows.astype(np.float64) - vectors.whitenings[group].mean
    partners = _partners(vectors, group, rows)
    shares: FloatArray = (centred * partners).sum(axis=0)
    return shares


def _partners(vectors: MeaningVectors, group: str, rows: Rows) -> FloatArray:
    """Return what a feature of either text is to be multiplied by for its share, shape "2 width".

    With x, y the centred features, W the whitening and c the two vectors' scale, the group's part
    is c·xWWᵀy: the mean of its two readings, as x over Wy and as y over Wx, is the same for (x, y)
    and (y, x).
    """
    matrix = vectors.whitenings[group].matrix
    white = (rows.astype(np.float64) - vectors.whitenings[group].mean) @ matrix
    parts = vectors.whitened(group, rows)
    lengths = np.linalg.norm(white, axis=1)
    scale = np.linalg.norm(parts, axis=1) / np.where(lengths > 0, lengths, 1)
    partners: FloatArray = scale.prod() / 2 * (white @ matrix.T)[::-1]
    return partners


def _of_words(vectors: MeaningVectors, texts: Pair, rows: Rows | None) -> tuple[WordShare, ...]:
    if rows is None:
        return ()
    partners = _partners(vectors, "trigrams", rows)
    counts = [Counter(words_of(text)) for text in texts]
    weights, width = vectors.trigram_weights, vectors.config.trigram_width
    found = []
    for word in counts[0] | counts[1]:
        times = (counts[0][word], counts[1][word])
        share = float(hashed(buckets(word), weights, width) @ (times @ partners))
        found.append(WordShare(word, share, times))
    return tuple(sorted(found, key=lambda word: -abs(word.share)))


def _trajectories(
    vectors: MeaningVectors, rows: dict[str, Rows], shares: FloatArray | None
) -> tuple[ScoredTrajectory, ...]:
    if shares is None:
        return ()
    shape = (-1, vectors.config.reference_tokens)
    usual = vectors.whitenings["trajectories"].mean.reshape(shape).mean(axis=1)
    after = [row.reshape(shape).mean(axis=1) for row in rows["trajectories"]]
    of_each = shares.reshape(shape).sum(axis=1)
    return tuple(
        ScoredTrajectory(
            text=vectors.model.decode(vectors.references.continuations[i]),
            share=float(of_each[i]),
            log_likelihoods=(float(after[0][i]), float(after[1][i])),
            usual=float(usual[i]),
        )
        for i in np.argsort(-np.abs(of_each), kind="stable")
    )


def _places(
    vectors: MeaningVectors, texts: Pair, shares: FloatArray | None, words: int
) -> tuple[NextWords, ...]:
    if shares is None:
        return ()
    of_each = shares.reshape(-1, vectors.config.projection).sum(axis=1)
    first, second, *sources = _roots(vectors, (*texts, *vectors.references.sources))
    usual = np.mean(sources, axis=0)
    places = vectors.references.places
    return tuple(
        NextWords(
            vectors.model.decode(places[i]),
            float(of_each[i]),
            *_words(vectors, (first[i] - usual[i], second[i] - usual[i]), words),
        )
        for i in np.argsort(-np.abs(of_each), kind="stable")
    )


def _roots(vectors: MeaningVectors, texts: Sequence[str]) -> list[Rows]:
    """Return each text's roots as its features have them, shape "place token", all as wide."""
    if not vectors.config.top_k:
        return list(vectors.reader.roots(texts))
    found = list(vectors.reader.top_roots(texts))
    width = 1 + max(int(ids.max()) for ids, _ in found)
    rows = [np.zeros((len(ids), width), np.float32) for ids, _ in found]
    for row, (ids, roots) in zip(rows, found, strict=True):
        np.put_along_axis(row, ids, roots, axis=1)
    return rows


def _words(
    vectors: MeaningVectors, raised: tuple[Rows, Rows], count: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the words that both raise, the first rather than the second, and the reverse."""
    a, b = raised
    both = np.minimum(a, b)
    return (
        _decoded(vectors, both, count),
        _decoded(vectors, np.minimum(a, a - b), count),
        _decoded(vectors, np.minimum(b, b - a), count),
    )


def _decoded(vectors: MeaningVectors, scores: Rows, count: int) -> tuple[str, ...]:
    """Return the words of the highest scores above 0."""
    best = np.argsort(-scores, kind="stable")[:count]
    tokens: Sequence[TokenIds] = [(int(i),) for i in best if scores[i] > 0]
    return tuple(vectors.model.decode(token) for token in tokens)
