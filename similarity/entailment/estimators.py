"""All estimators of entailment in one table: how far one text's meaning has that of another.

Rows are of the text that may entail (`first`) and of what it may entail (`second`), shape "place".
Of profiles they are positive parts, nats; of trajectories log M, nats per token. A premise implies
all that its consequence does, so the *second*'s meaning is looked for in the first's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from similarity.arrays import FloatArray
from similarity.distances import DISTANCES

Degree = Callable[[FloatArray, FloatArray], float]
# Of each place, what it adds to the part and to the whole of which a share is made.
Terms = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
Evidence = Literal["profiles", "trajectories"]

# Of a text's places, ranked by degree, so many are its features in average precision.
FEATURES = 100


@dataclass(frozen=True)
class EntailmentEstimator:
    """A row of the table.

    Parameters
    ----------
    summary
        What it is, in one sentence without a full stop.
    degree
        Gives the degree in [0, 1] to which the first entails the second.
    evidence
        What it reads.
    power
        Of those that are `weeds_share` with a power, that power.
    terms
        Of those that are made of the shares of sums over places: gives the terms of these.
    of_shares
        Gives such a degree from the share forward and backward, each of any shape.
    evenness
        The weight of the difference in evenness, beside that in inclusion, for the direction.
    """

    summary: str
    degree: Degree
    evidence: Evidence = "profiles"
    power: int | None = None
    evenness: float = 0.0
    terms: Terms | None = None
    of_shares: Callable[[FloatArray, FloatArray], FloatArray] = lambda forward, _backward: forward


def weeds_share(first: FloatArray, second: FloatArray, power: int) -> float:
    """Return the share of the second's degrees, to a power, at places that the first has too."""
    powers = powered(second, power)
    return _share(powers[first > 0].sum(), powers.sum())


def weeds_terms(first: FloatArray, second: FloatArray, power: int) -> tuple[FloatArray, FloatArray]:
    """Return at each place what `weeds_share` sums up: its part, and the whole."""
    powers = powered(second, power)
    return powers * (first > 0), powers


def powered(values: FloatArray, power: int) -> FloatArray:
    """Return values to a whole power, by products, which are far faster than logarithms."""
    found = values
    for _ in range(power - 1):
        found = found * values
    return found


def clarke(first: FloatArray, second: FloatArray) -> float:
    """Return Σ min / Σ second: the degree to which the second is below the first."""
    return _share(np.minimum(first, second).sum(), second.sum())


def clarke_terms(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return at each place what `clarke` sums up: its part, and the whole."""
    return np.minimum(first, second), second


def inv_cl(first: FloatArray, second: FloatArray) -> float:
    """Return the geometric mean of the second's inclusion and the first's lack of inclusion."""
    return float(_inv_cl(np.array(clarke(first, second)), np.array(clarke(second, first))))


def _inv_cl(forward: FloatArray, backward: FloatArray) -> FloatArray:
    found: FloatArray = np.sqrt(forward * (1 - backward))
    return found


def average_precision(first: FloatArray, second: FloatArray) -> float:
    """Return APinc: how early the second's features come that the first has, and how high there."""
    ranked = [i for i in _features(second) if second[i] > 0]
    rank = {i: r for r, i in enumerate(_features(first), 1)}
    relevance = [
        1 - rank[i] / (FEATURES + 1) if i in rank and first[i] > 0 else 0.0 for i in ranked
    ]
    found = np.cumsum([value > 0 for value in relevance])
    precision = found / np.arange(1, len(ranked) + 1)
    return _share(float(precision @ relevance), len(ranked))


def _features(row: FloatArray) -> list[int]:
    """Return the places of the FEATURES highest degrees, the highest first, then by place."""
    if len(row) <= FEATURES:
        places = np.arange(len(row))
    else:
        # To sort them all takes a hundred times as long.
        places = np.flatnonzero(row >= np.partition(row, -FEATURES)[-FEATURES])
    return [int(i) for i in places[np.argsort(-row[places], kind="stable")][:FEATURES]]


def balanced_average_precision(first: FloatArray, second: FloatArray) -> float:
    """Return balAPinc: the geometric mean of APinc and Lin's similarity."""
    both = (first > 0) & (second > 0)
    lin = _share((first + second)[both].sum(), first.sum() + second.sum())
    return float(np.sqrt(average_precision(first, second) * lin))


def meet_nearness(first: FloatArray, second: FloatArray) -> float:
    """Return exp(−d(M_u ∧ M_v, M_v)) under L1, of log-likelihoods: the paper's order as a degree.

    Its difference with that of the reverse has the sign of the mean of log M_u − log M_v.
    """
    meet = np.minimum(first, second)
    return float(np.exp(-DISTANCES["l1"](meet, second)))


def _weeds(summary: str, power: int, evenness: float = 0.0) -> EntailmentEstimator:
    return EntailmentEstimator(
        summary,
        partial(weeds_share, power=power),
        power=power,
        evenness=evenness,
        terms=partial(weeds_terms, power=power),
    )


# Chosen on dev sets (docs/log.md): 0.25 to 1 are alike there, and the least leaves most to words.
EVENNESS = 0.25

ESTIMATORS: Mapping[str, EntailmentEstimator] = {
    "weeds-even": _weeds(
        "the next one, and for the direction also how evenly all words may follow", 5, EVENNESS
    ),
    "weeds-fifth": _weeds(
        "the share of the consequence's information, to the fifth power, where the premise has any",
        5,
    ),
    "weeds-squared": _weeds("the same of its squares", 2),
    "weeds-precision": _weeds("the same of the information itself (Weeds and Weir 2003)", 1),
    "clarke": EntailmentEstimator(
        "the share of it that the premise has as strongly (Clarke 2009)",
        clarke,
        terms=clarke_terms,
    ),
    "inv-cl": EntailmentEstimator(
        "that, times the lack of the reverse (Lenci and Benotto 2012)",
        inv_cl,
        terms=clarke_terms,
        of_shares=_inv_cl,
    ),
    "ap-inc": EntailmentEstimator(
        "average precision of its features (Kotlerman 2010)", average_precision
    ),
    "bal-ap-inc": EntailmentEstimator(
        "that, balanced by Lin's similarity (Kotlerman 2010)", balanced_average_precision
    ),
    "paper": EntailmentEstimator(
        "the paper's order: how near the meet of both is to the consequence",
        meet_nearness,
        "trajectories",
    ),
}
# With the fifth power the strongest words decide. Chosen on dev sets (docs/log.md).
DEFAULT = "weeds-even"


def _share(part: float, whole: float) -> float:
    """Return part / whole in [0, 1]; what has nothing is had by all."""
    return min(1.0, float(part / whole)) if whole > 0 else 1.0
