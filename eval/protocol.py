"""How scores are held against human judgement: correlations, how they add up, how sure they are.

Figures are × 100, as the papers of the field print them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from similarity.arrays import FloatArray
from similarity.errors import InputError

# Pairs × resamples that are ranked at once: some 32 MiB.
_BLOCK = 1 << 22
AGGREGATES = ("all", "mean", "wmean")
# Resamples of fewer pairs are few different ones, of which many are all one pair: an interval of
# them says nothing.
FEWEST = 5
# Of resamples at most: those that have a correlation say too little of a figure where more have
# none.
UNDEFINED = 0.05

Resamples = NDArray[np.int64]


def spearman(scores: Sequence[float], judgements: Sequence[float]) -> float:
    """Return Spearman's rank correlation × 100.

    Raises
    ------
    InputError
        If there are fewer than two pairs, or either side is constant: it is not defined then.
    """
    _check_defined(scores, judgements)
    return 100 * float(scipy.stats.spearmanr(scores, judgements).statistic)


def pearson(scores: Sequence[float], judgements: Sequence[float]) -> float:
    """Return Pearson's correlation × 100.

    Raises
    ------
    InputError
        As `spearman`.
    """
    _check_defined(scores, judgements)
    return 100 * float(scipy.stats.pearsonr(scores, judgements).statistic)


def _check_defined(scores: Sequence[float], judgements: Sequence[float]) -> None:
    if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(judgements) == 0:
        raise InputError("a correlation needs two pairs or more whose scores differ")


@dataclass(frozen=True)
class Estimate:
    """A figure and its bootstrap interval, × 100; the interval is None where none was computed."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Judged:
    """The human side of a task: judgements and subsets, one a pair."""

    judgements: FloatArray
    subsets: NDArray[np.str_]

    @property
    def _places(self) -> dict[str, NDArray[np.int64]]:
        """Return the positions of each subset's pairs; the first subset seen is the first."""
        found = defaultdict[str, list[int]](list)
        for place, name in enumerate(self.subsets.tolist()):
            found[name].append(place)
        return {name: np.array(places, np.int64) for name, places in found.items()}

    @property
    def left_out(self) -> dict[str, str]:
        """Return by name why a subset has no correlation by any method; it counts in "all" only."""
        found = {}
        for name, where in self._places.items():
            if len(where) < 2:
                found[name] = "one pair"
            elif np.ptp(self.judgements[where]) == 0:
                found[name] = f"all judgements {self.judgements[where[0]]:g}"
        return found

    @property
    def members(self) -> dict[str, NDArray[np.int64]]:
        """Return the positions of the pairs of each subset that has a correlation.

        Where none has one, all pairs together are one subset with the name "".
        """
        left_out = self.left_out
        defined = {name: at for name, at in self._places.items() if name not in left_out}
        return defined or {"": np.arange(len(self.judgements))}

    def resamples(self, count: int, seed: int) -> Resamples:
        """Draw pairs with replacement within each subset, shape "resample pair".

        They are drawn once a task, and are the same for every method. So two methods can be
        compared on each resample, not only by their own intervals. Subsets of one pair are drawn
        from together: each by itself would be the same in every resample.
        """
        generator = np.random.Generator(np.random.Philox(seed))
        drawn = np.empty((count, len(self.judgements)), np.int64)
        places = list(self._places.values())
        single = [where for where in places if len(where) == 1]
        several = [where for where in places if len(where) > 1]
        for where in [*several, *([np.concatenate(single)] if single else [])]:
            drawn[:, where] = where[generator.integers(len(where), size=(count, len(where)))]
        return drawn


@dataclass(frozen=True)
class Aggregate:
    """A figure × 100, and what it is in each resample of the pairs, shape "resample".

    It is NaN in a resample whose judgements or scores are all one: no correlation is defined.
    """

    value: float
    resampled: FloatArray

    @property
    def estimate(self) -> Estimate:
        """Return the figure with its 95 % percentile interval, of the resamples that have one.

        There is none where there are no resamples, or more than the share UNDEFINED has no figure.
        """
        defined = self.resampled[~np.isnan(self.resampled)]
        if not defined.size or defined.size < (1 - UNDEFINED) * self.resampled.size:
            return Estimate(self.value)
        low, high = np.percentile(defined, [2.5, 97.5])
        return Estimate(self.value, float(low), float(high))

    def __sub__(self, other: "Aggregate") -> "Aggregate":
        """Return how far this is above another figure of the same pairs and the same resamples."""
        return Aggregate(self.value - other.value, self.resampled - other.resampled)

    @classmethod
    def mean(cls, parts: "Sequence[Aggregate]") -> "Aggregate":
        """Return the mean of figures that were resampled independently and equally often.

        It has no resamples where a part has none.
        """
        resampled = [part.resampled for part in parts]
        count = min(map(len, resampled))
        return cls(
            float(np.mean([part.value for part in parts])),
            np.mean([one[:count] for one in resampled], axis=0),
        )


def aggregates(judged: Judged, scores: FloatArray, resamples: Resamples) -> dict[str, Aggregate]:
    """Return the three ways in which a task of several subsets is summed up, by name.

    "all" is one Spearman correlation of all pairs together, as the paper and SimCSE report;
    "mean" the mean over subsets, and "wmean" that weighted by pairs, as SentEval does.
    A figure has no resamples where a correlation in it is of fewer than FEWEST pairs. Scores that
    are all one count as a correlation of 0, but in resamples as none.

    Parameters
    ----------
    resamples
        Shape "resample pair"; it may have no row.
    """
    values = _aggregated(judged, scores, np.arange(len(scores))[None], undefined=0)
    drawn = _aggregated(judged, scores, resamples, undefined=np.nan)
    smallest = min(map(len, judged.members.values()))
    fewest = {"all": len(scores), "mean": smallest, "wmean": smallest}
    return {
        name: Aggregate(float(values[name][0]), drawn[name][: None if enough else 0])
        for name in AGGREGATES
        for enough in [fewest[name] >= FEWEST]
    }


def _aggregated(
    judged: Judged, scores: FloatArray, rows: Resamples, *, undefined: float
) -> dict[str, FloatArray]:
    """Return each aggregate, shape "resample", with a number for what is not defined."""

    def correlations(of: Resamples) -> FloatArray:
        found = _rank_correlations(scores, judged.judgements, of)
        return np.where(np.isnan(found), undefined, found)

    members = judged.members
    subsets = np.stack([correlations(rows[:, at]) for at in members.values()])
    sizes = np.array([len(at) for at in members.values()])
    return {
        "all": correlations(rows),
        "mean": subsets.mean(0),
        "wmean": np.average(subsets, axis=0, weights=sizes),
    }


def _rank_correlations(scores: FloatArray, judgements: FloatArray, rows: Resamples) -> FloatArray:
    """Return Spearman's correlation × 100 for each row of positions, shape "resample".

    It is NaN where scores or judgements are all one.
    """
    size = max(1, _BLOCK // rows.shape[1])
    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    return np.concatenate([np.empty(0), *(_of_block(scores[at], judgements[at]) for at in blocks)])


def _of_block(scores: FloatArray, judgements: FloatArray) -> FloatArray:
    first, second = (scipy.stats.rankdata(values, axis=1) for values in (scores, judgements))
    first -= first.mean(1, keepdims=True)
    second -= second.mean(1, keepdims=True)
    scale = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    scale[scale == 0] = np.nan
    result: FloatArray = 100 * (first * second).sum(1) / scale
    return result
