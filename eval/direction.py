"""Direction of entailment and of words: how often a score finds which of a pair is which.

Every score is positive where it takes the first of a pair for the premise, or for the hyponym.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy

from eval.labelled import ENTAILMENT, REST, Labelled, Pair
from eval.methods.lexical import word_overlap
from eval.protocol import FEWEST
from similarity.arrays import FloatArray
from similarity.entailment.continuations import scored
from similarity.entailment.kinds import kind_margins
from similarity.entailment.profiles import ProfileEntailment
from similarity.errors import InputError
from similarity.models.base import LanguageModel
from similarity.scorer import Progress, no_progress
from similarity.vectors.trigrams import words_of

Scores = Callable[[Sequence[Pair]], Sequence[float]]

# Lengths of a pair that differ by so many words at most are alike.
ALIKE = 2
RESAMPLES = 1000
# Of the labels in an error.
SHOWN = 10
# Stands before a text whose own likelihood is computed.
BEFORE = 'This sentence : "'
# The paper's figures: SNLI by LLaMA-13B, by prompt.
PUBLISHED = {"snli direction, LLaMA-13B": [63.6, 65.9]}


@dataclass(frozen=True)
class Figure:
    """A figure × 100 with its 95 % bootstrap interval, and the number of pairs.

    Of fewer than FEWEST pairs there is no interval.
    """

    value: float
    low: float | None
    high: float | None
    pairs: int


def chosen(items: Sequence[Any], limit: int | None, seed: int) -> list[Any]:
    """Return so many of the items, drawn by a seed; all, in an order of the seed, for None."""
    return random.Random(seed).sample(list(items), min(limit or len(items), len(items)))


def alike(pair: Pair) -> bool:
    """Return whether the lengths of a pair differ by ALIKE words at most."""
    first, second = (len(text.split()) for text in pair)
    return abs(first - second) <= ALIKE


def direction(scores: Scores, pairs: Sequence[Pair], seed: int) -> Figure:
    """Return how often the score names the first text of a pair, in an order shuffled by a seed.

    A score of 0 is half right.
    """
    draw = random.Random(seed)
    signs = np.array([draw.choice([1, -1]) for _ in pairs])
    shown = [pair if sign > 0 else pair[::-1] for pair, sign in zip(pairs, signs, strict=True)]
    right = (np.sign(np.array(scores(shown)) * signs) + 1) / 2
    return _figure(lambda at: float(right[at].mean()), len(pairs), seed)


def area(positive: FloatArray, negative: FloatArray, seed: int) -> Figure:
    """Return the area under the receiver operating characteristic."""
    values = np.concatenate([positive, negative])
    labels = np.arange(len(values)) < len(positive)

    def of(at: Any) -> float:
        of_positive = labels[at]
        high = int(of_positive.sum())
        if not 0 < high < len(at):
            return 0.5
        # By ranks (Mann and Whitney): all pairs of both kinds are too many to look at.
        wins = scipy.stats.rankdata(values[at])[of_positive].sum() - high * (high + 1) / 2
        return float(wins / (high * (len(at) - high)))

    return _figure(of, len(values), seed)


def _figure(of: Callable[[Any], float], count: int, seed: int) -> Figure:
    value = 100 * of(np.arange(count))
    if count < FEWEST:
        return Figure(value, None, None, count)
    draw = np.random.default_rng(seed)
    found = [of(draw.integers(count, size=count)) for _ in range(RESAMPLES)]
    low, high = np.quantile(found, [0.025, 0.975])
    return Figure(value, 100 * float(low), 100 * float(high), count)


def word_length(pairs: Sequence[Pair]) -> list[float]:
    """Return how many words more the first has."""
    return [float(len(first.split()) - len(second.split())) for first, second in pairs]


def word_inclusion(pairs: Sequence[Pair]) -> list[float]:
    """Return the share of the second's words that the first has."""
    words = [[set(words_of(text)) for text in pair] for pair in pairs]
    return [len(first & second) / len(second) for first, second in words]


def letter_length(pairs: Sequence[Pair]) -> list[float]:
    """Return how many letters more the first has."""
    return [float(len(first) - len(second)) for first, second in pairs]


def joint_likelihood(model: LanguageModel, progress: Progress = no_progress) -> Scores:
    """Return how much less likely the first is than the second, each by itself: nats."""
    return _rarity(model, BEFORE, "", progress)


def _rarity(model: LanguageModel, before: str, space: str, progress: Progress) -> Scores:
    """Return how much less likely the first is than the second, behind one text: nats."""

    def scores(pairs: Sequence[Pair]) -> list[float]:
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        rows = scored(model, [(before, f"{space}{text}") for text in texts], progress)
        sums = {text: float(row.sum()) for text, row in zip(texts, rows, strict=True)}
        return [sums[second] - sums[first] for first, second in pairs]

    return scores


def conditional_likelihood(model: LanguageModel, progress: Progress = no_progress) -> Scores:
    """Return log P(second | first) less log P(first | second), nats per token."""
    one_way = conditional_mean(model, progress)
    return lambda pairs: [
        forth - back
        for forth, back in zip(one_way(pairs), one_way([pair[::-1] for pair in pairs]), strict=True)
    ]


def conditional_mean(model: LanguageModel, progress: Progress = no_progress) -> Scores:
    """Return log P(second | first), nats per token."""
    return lambda pairs: [
        float(row.mean()) for row in scored(model, [(a, f" {b}") for a, b in pairs], progress)
    ]


def by_profiles(scorer: ProfileEntailment, progress: Progress = no_progress) -> Scores:
    """Return the directions that a scorer gives, nats."""
    return lambda pairs: scorer.pair_directions(pairs, progress)


def by_forward_degrees(scorer: ProfileEntailment, progress: Progress = no_progress) -> Scores:
    """Return the degrees to which the first entails the second."""
    return lambda pairs: [float(forward) for forward, _ in scorer.pair_degrees(pairs, progress)]


def entailment_figures(
    model: LanguageModel,
    scorers: Mapping[str, ProfileEntailment],
    rows: Sequence[Labelled],
    limit: int | None,
    seed: int,
    likelihoods: bool,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Return all figures of a file of labelled pairs, by score.

    Parameters
    ----------
    limit
        Of pairs of each label, and of pairs of like length.
    likelihoods
        Whether conditional likelihoods are scored too, which cost both texts twice.
    progress
        Follows each reading of the texts.
    """
    entailed = [row.pair for row in rows if row.label == ENTAILMENT]
    if not entailed:
        labels = ", ".join(repr(label) for label in sorted({row.label for row in rows})[:SHOWN])
        raise InputError(
            f"no pair has the label {ENTAILMENT!r}, as those must have whose first text entails "
            f"the second; the labels are {labels}"
        )
    pairs = chosen(entailed, limit, seed)
    like = chosen([pair for pair in entailed if alike(pair)], limit, seed)
    ways: dict[str, Scores] = {"length in words": word_length, "length in letters": letter_length}
    ways["joint likelihood"] = joint_likelihood(model, progress)
    if likelihoods:
        ways["conditional likelihood"] = conditional_likelihood(model, progress)
    ways |= {name: by_profiles(scorer, progress) for name, scorer in scorers.items()}
    found: dict[str, Any] = {"seed": seed, "chance": 50.0, "published": PUBLISHED}
    found["direction"] = {name: asdict(direction(of, pairs, seed)) for name, of in ways.items()}
    found["direction, like length"] = {
        name: asdict(direction(of, like, seed)) for name, of in ways.items() if like
    }
    degrees: dict[str, Scores] = {
        "word overlap": lambda pairs: [word_overlap(*pair) for pair in pairs],
        "words that the premise has": word_inclusion,
    }
    if likelihoods:
        degrees["conditional likelihood"] = conditional_mean(model, progress)
    for name, scorer in scorers.items():
        degrees[name] = by_forward_degrees(scorer, progress)
    others = {
        label: chosen([row.pair for row in rows if row.label == label], limit, seed)
        for label in sorted({row.label for row in rows} - {ENTAILMENT})
    }
    for name, of in degrees.items():
        high = np.array(of(pairs))
        low = {label: np.array(of(others[label])) for label in others}
        if len(low) > 1:
            low[REST] = np.concatenate(list(low.values()))
        for label, scores in low.items():
            figures = found.setdefault(f"area against {label}", {})
            figures[name] = asdict(area(high, scores, seed))
    return found


def hyponymy_figures(
    model: LanguageModel,
    scorers: Mapping[str, ProfileEntailment],
    words: Sequence[Pair],
    limit: int | None,
    seed: int,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Return the figures of a file of hyponyms and hypernyms, by score."""
    pairs = chosen(words, limit, seed)
    if not pairs:
        raise InputError("the file has no pairs")
    ways: dict[str, Scores] = {
        "length in letters": letter_length,
        "frequency of the word": _rarity(model, "This is a", " ", progress),
        "sentences": lambda pairs: kind_margins(model, pairs, progress),
        **{name: by_profiles(scorer, progress) for name, scorer in scorers.items()},
    }
    return {
        "seed": seed,
        "chance": 50.0,
        "direction": {name: asdict(direction(of, pairs, seed)) for name, of in ways.items()},
    }
