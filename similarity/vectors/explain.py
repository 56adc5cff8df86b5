"""What the cosine of two vectors is made of: shares of groups, of words and of continuations."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from similarity.results import Explanation, Score
from similarity.vectors.implied import ImpliedWords, cosine_scale, implied_words, no_words
from similarity.vectors.meaning import Features, MeaningVectors
from similarity.vectors.profile import Profiles
from similarity.vectors.references import ReferenceReader
from similarity.vectors.trigrams import TrigramReader, buckets, words_of


@dataclass(frozen=True)
class ContinuationShare:
    """A reference trajectory, and what it adds to the cosine.

    `log_likelihoods` are after either text and `usual` on average over unlabelled text, means in
    nats per token.
    """

    text: str
    share: float
    log_likelihoods: tuple[float, float]
    usual: float


@dataclass(frozen=True)
class WordShare:
    """A word of the texts, without case, and what its trigrams add to the cosine.

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
        Of the vectors: one minus the score's distance.
    shares
        What each group adds to it: its weight times the cosine of its own part. They add up to the
        cosine but for rounding, of 1e-7.
    weights
        The weight of each group for these two texts.
    implied
        Of the first group of profiles: the words that the texts imply.
    overlap
        Of the trigrams: the texts' own words, by the size of their share. What they lack to the
        group's share is what all texts have in common.
    continuations
        Of the reference trajectories, by the size of their share; they add up to the group's.
    note
        Why no words are implied, where the model gives none that it would give elsewhere.
    """

    method: ClassVar[str] = "vectors"
    cosine: float
    shares: dict[str, float]
    weights: dict[str, float]
    implied: ImpliedWords | None
    overlap: tuple[WordShare, ...]
    continuations: tuple[ContinuationShare, ...]
    note: str | None = None

    def parts(self) -> dict[str, Any]:
        """Return what the cosine is made of, as plain values; what there is none of is left out."""
        return {
            "cosine": self.cosine,
            "shares": self.shares,
            "weights": self.weights,
            **({} if self.implied is None else {"implied": asdict(self.implied)}),
            "overlap": [asdict(word) for word in self.overlap],
            "continuations": [asdict(one) for one in self.continuations],
            **({} if self.note is None else {"note": self.note}),
        }


def explain(
    vectors: MeaningVectors,
    score: Score,
    features: Features,
    found: Profiles | None,
    top: int,
) -> VectorExplanation:
    """Explain the cosine of two texts' vectors by the shares that add up to it.

    Parameters
    ----------
    score
        Of the texts, by these vectors.
    features
        Of the two texts, in order.
    found
        Their `shown_profiles`.
    top
        How many words of each kind to give.
    """
    parts = vectors.parts(features)
    weights = vectors.weights(features)
    shares = {name: float(part[0] @ part[1]) for name, part in parts.items()}
    return VectorExplanation(
        score=score,
        # That of the score, whose vectors are rounded: the shares add up to it but for 1e-7.
        cosine=1.0 - score.distance,
        shares=shares,
        weights=weights,
        implied=None if found is None else implied_words(vectors, features, found, top),
        overlap=tuple(
            word
            for name in vectors.names
            if isinstance(vectors.groups[name].reader, TrigramReader)
            for word in _overlap(vectors, name, score.texts, features)[:top]
        ),
        continuations=tuple(
            one
            for name in vectors.names
            if isinstance(vectors.groups[name].reader, ReferenceReader)
            for one in _continuations(vectors, name, features)[:top]
        ),
        note=no_words(vectors.model, vectors.config),
    )


def _continuations(
    vectors: MeaningVectors, name: str, features: Features
) -> Sequence[ContinuationShare]:
    group, rows = vectors.groups[name], features[name]
    reader = group.reader
    assert isinstance(reader, ReferenceReader)
    centred = rows.astype(np.float64) - group.whitening.mean
    partners = centred @ group.whitening.matrix @ group.whitening.matrix.T
    shares = cosine_scale(vectors, name, features) * (centred * partners[::-1]).mean(axis=0)
    found = [
        ContinuationShare(
            text=vectors.model.decode(ids),
            share=float(share.sum()),
            log_likelihoods=(float(after[0].mean()), float(after[1].mean())),
            usual=float(usual.mean()),
        )
        for ids, share, after, usual in zip(
            reader.continuations,
            reader.of_each(shares),
            reader.of_each(rows.astype(np.float64)),
            reader.of_each(group.whitening.mean),
            strict=True,
        )
    ]
    return sorted(found, key=lambda one: -abs(one.share))


def _overlap(
    vectors: MeaningVectors, name: str, texts: tuple[str, str], features: Features
) -> Sequence[WordShare]:
    group, rows = vectors.groups[name], features[name]
    reader = group.reader
    assert isinstance(reader, TrigramReader)
    matrix = group.whitening.matrix
    white = group.whitening.apply(rows)
    # Without the last feature, which is of no trigram.
    partners = cosine_scale(vectors, name, features) / 2 * (white @ matrix.T)[::-1, :-1]
    counts = [Counter(words_of(text)) for text in texts]
    found = []
    for word in counts[0] | counts[1]:
        times = (counts[0][word], counts[1][word])
        share = float(reader.hashed(buckets(word)) @ (times @ partners))
        found.append(WordShare(word, share, times))
    return sorted(found, key=lambda word: -abs(word.share))
