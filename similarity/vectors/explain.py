"""What the cosine of two vectors is made of: shares of groups, of words and of continuations."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from similarity.arrays import Rows
from similarity.results import Explanation, Score
from similarity.vectors.implied import ImpliedWords, cosine_scale, implied_words
from similarity.vectors.meaning import Features, MeaningVectors
from similarity.vectors.profile import (
    ProfileReader,
)
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
        Of the vectors.
    shares
        What each group adds to it.
    implied
        Of the groups of profiles: the words that the texts imply.
    overlap
        Of the trigrams: the texts' own words, by the size of their share. What they lack to the
        group's share is what all texts have in common.
    continuations
        Of the reference trajectories, by the size of their share; they add up to the group's.
    """

    method: ClassVar[str] = "vectors"
    cosine: float
    shares: dict[str, float]
    implied: ImpliedWords | None
    overlap: tuple[WordShare, ...]
    continuations: tuple[ContinuationShare, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the score and its parts as plain values, for JSON."""
        return {
            **self.score.to_dict(),
            "method": self.method,
            "cosine": self.cosine,
            "shares": self.shares,
            "implied": None if self.implied is None else asdict(self.implied),
            "overlap": [asdict(word) for word in self.overlap],
            "continuations": [asdict(one) for one in self.continuations],
        }


def explain(
    vectors: MeaningVectors, score: Score, features: Features, top: int
) -> VectorExplanation:
    """Return what the cosine of two texts' vectors is made of.

    Parameters
    ----------
    score
        Of the texts, by these vectors.
    features
        Of the two texts, in order.
    top
        How many words of each kind to give.
    """
    parts = {name: vectors.part(name, features[name]) for name in vectors.names}
    shares = {name: float(part[0] @ part[1]) for name, part in parts.items()}
    implied = [
        implied_words(vectors, name, features[name], top)
        for name in vectors.names
        if isinstance(vectors.groups[name].reader, ProfileReader)
    ]
    return VectorExplanation(
        score=score,
        cosine=sum(shares.values()),
        shares=shares,
        # Where there are several prompts, that of the first group is shown.
        implied=implied[0] if implied else None,
        overlap=tuple(
            word
            for name in vectors.names
            if isinstance(vectors.groups[name].reader, TrigramReader)
            for word in _overlap(vectors, name, score.texts, features[name])[:top]
        ),
        continuations=tuple(
            one
            for name in vectors.names
            if isinstance(vectors.groups[name].reader, ReferenceReader)
            for one in _continuations(vectors, name, features[name])[:top]
        ),
    )


<<<<<<< HEAD
@dataclass(frozen=True)
class Profiles:
    """The profiles of some texts, over the tokens that a group looks at.

    Parameters
    ----------
    tokens
        Token ids, shape "token".
    beyond_usual
        ℓ − ℓ̄ less its mean over the tokens, shape "text token", nats.
    log_probs
        ℓ, shape "text token", nats.
    partners
        What the profile of another text is multiplied by for the product of the two parts, shape
        "text token": the product is the sum over tokens.
    """

    tokens: NDArray[np.int64]
    beyond_usual: FloatArray
    log_probs: FloatArray
    partners: FloatArray


def profiles(model: LanguageModel, group: Group, rows: Rows) -> Profiles:
    """Return the profiles of texts from a group's features, shape "text feature"."""
    reader = group.reader
    assert isinstance(reader, ProfileReader)
    centred = rows.astype(np.float64) - group.whitening.mean
    beyond = reader.information(model, group.whitening.mean, rows)
    # The part is centred @ matrix, and a product of parts is centred @ metric @ centred.T.
    metric = centred @ group.whitening.matrix @ group.whitening.matrix.T
    if isinstance(reader, SubsetProfileReader):
        tokens = np.array(chosen_tokens(model, reader.config.tokens))
        return Profiles(tokens, beyond, rows.astype(np.float64), metric)
    weight, bias = model.output_head()
    covariance = head_covariance(model)
    # Directions in which the head does not vary are seen by no token.
    through = metric @ np.linalg.pinv(covariance, rcond=1e-10, hermitian=True) / len(weight)
    mean = weight.mean(axis=0, dtype=np.float64)
    logits = (rows @ weight.T).astype(np.float64) + (0.0 if bias is None else bias)
    return Profiles(
        tokens=np.arange(len(weight)),
        beyond_usual=beyond,
        log_probs=logits - np.logaddexp.reduce(logits, axis=1, keepdims=True),
        partners=(through @ weight.T) - (through @ mean)[:, None],
    )


def telling_words(
    vectors: MeaningVectors, name: str, rows: Rows, top: int
) -> list[tuple[str, float, float]]:
    """Return the words that one text makes likelier than usual, the most first.

    Returns
    -------
    list
        Word, nats beyond the usual, log-probability in nats.
    """
    found = profiles(vectors.model, vectors.groups[name], rows)
    raised = np.where(found.log_probs[0] > LIKELY, found.beyond_usual[0], -np.inf)
    words: dict[str, tuple[float, float]] = {}
    for i in np.argsort(-raised, kind="stable")[: CANDIDATES * top]:
        word = _word(vectors.model, int(found.tokens[i]))
        if word and raised[i] > 0:
            words.setdefault(word, (float(raised[i]), float(found.log_probs[0, i])))
    return [(word, beyond, log_prob) for word, (beyond, log_prob) in list(words.items())[:top]]


def implied_words(vectors: MeaningVectors, name: str, rows: Rows, top: int) -> ImpliedWords:
    """Return the words that two texts imply, from their features, shape "text=2 feature".

    Parameters
    ----------
    name
        Of a group of profiles.
    top
        How many words of each kind to give.
    """
    group = vectors.groups[name]
    found = profiles(vectors.model, group, rows)
    # The mean of the two readings is the same for (u, v) and (v, u).
    shares = _scale(vectors, group, rows) * (found.beyond_usual * found.partners[::-1]).mean(axis=0)
    a, b = found.beyond_usual
    likely = found.log_probs > LIKELY
    return ImpliedWords(
        both=_chosen(vectors.model, found, shares, np.minimum(a, b), likely[0] & likely[1], top),
        first=_chosen(vectors.model, found, shares, np.minimum(a, a - b), likely[0], top),
        second=_chosen(vectors.model, found, shares, np.minimum(b, b - a), likely[1], top),
    )


def _chosen(
    model: LanguageModel,
    found: Profiles,
    shares: FloatArray,
    scores: FloatArray,
    likely: NDArray[np.bool_],
    top: int,
) -> tuple[ImpliedWord, ...]:
    """Return the words of the highest scores above 0; variants in case and space are joined."""
    order = np.argsort(-np.where(likely, scores, -np.inf), kind="stable")[: CANDIDATES * top]
    joined: dict[str, list[int]] = defaultdict(list)
    for i in order:
        word = _word(model, int(found.tokens[i]))
        if word and likely[i] and scores[i] > 0:
            joined[word].append(int(i))
    return tuple(
        ImpliedWord(
            word,
            float(shares[at].sum()),
            (float(found.beyond_usual[0, at[0]]), float(found.beyond_usual[1, at[0]])),
        )
        for word, at in list(joined.items())[:top]
    )


def _word(model: LanguageModel, token: int) -> str:
    """Return a token as a word to show, or "" where it is none."""
    text = model.decode((token,)).strip().casefold()
    return text if any(character.isalnum() for character in text) else ""


def _scale(vectors: MeaningVectors, group: Group, rows: Rows) -> float:
    """Return what the product of two texts' whitened rows is multiplied by in the cosine."""
    lengths = np.linalg.norm(group.whitening.apply(rows), axis=1)
    return float(vectors.config.share(group.config) / np.where(lengths > 0, lengths, 1).prod())


=======
>>>>>>> dd6d526 (Words that texts imply in a file of their own; groups that fit a model's context)
def _continuations(vectors: MeaningVectors, name: str, rows: Rows) -> Sequence[ContinuationShare]:
    group = vectors.groups[name]
    reader = group.reader
    assert isinstance(reader, ReferenceReader)
    centred = rows.astype(np.float64) - group.whitening.mean
    partners = centred @ group.whitening.matrix @ group.whitening.matrix.T
    shares = cosine_scale(vectors, group, rows) * (centred * partners[::-1]).mean(axis=0)
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
    vectors: MeaningVectors, name: str, texts: tuple[str, str], rows: Rows
) -> Sequence[WordShare]:
    group = vectors.groups[name]
    reader = group.reader
    assert isinstance(reader, TrigramReader)
    matrix = group.whitening.matrix
    white = group.whitening.apply(rows)
    partners = cosine_scale(vectors, group, rows) / 2 * (white @ matrix.T)[::-1]
    counts = [Counter(words_of(text)) for text in texts]
    found = []
    for word in counts[0] | counts[1]:
        times = (counts[0][word], counts[1][word])
        share = float(reader.hashed(buckets(word)) @ (times @ partners))
        found.append(WordShare(word, share, times))
    return sorted(found, key=lambda word: -abs(word.share))
