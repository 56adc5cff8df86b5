"""Groups of texts by their similarities: agglomerative clusters, silhouettes, near-duplicates.

All functions take similarities in [0, 1], shape "text text", symmetric: those of a
`SimilarityMatrix`, or the `cosines` of vectors. A text is most similar to
itself. What parts two texts is one minus their similarity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy

from similarity.arrays import FloatArray
from similarity.errors import ConfigError, InputError
from similarity.given import given_texts
from similarity.groups.given import check_similarities, given_numbers
from similarity.groups.own_words import first_of_wording, numbers_differ
from similarity.groups.ties import ROUNDING, first_greatest
from similarity.images.image import Content
from similarity.room import CLUSTER_PAIR, DEDUPLICATE_PAIR, MATRIX_PAIR, check_all_pairs
from similarity.scorer import Progress, no_progress
from similarity.validation import check_choice, given_integer, given_number

# The similarity of two groups is the mean, the least or the greatest of those of their texts.
Linkage = Literal["average", "complete", "single"]
LINKAGES: tuple[Linkage, ...] = get_args(Linkage)
# Why a text is the same as one that is kept.
Reason = Literal["wording", "similarity"]
# Of a similarity: texts of one group share something, duplicates say the same.
GROUP_THRESHOLD, DUPLICATE_THRESHOLD = 0.4, 0.8


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """A partition of texts, by their numbers from 0.

    Attributes
    ----------
    groups
        The numbers in each group, ascending; the largest group first, then by the first number.
    representatives
        Of each group, the text with the highest mean similarity to the others. Where rounding
        alone parts some, it is the first of them.
    silhouettes
        Of each text, in [-1, 1], shape "text": how much nearer it is to its own group than to the
        next (Rousseeuw 1987). 0 in a group of one text; None where there is one group only.
    order
        All numbers, so that the texts that were joined first stand together.
    """

    groups: tuple[tuple[int, ...], ...]
    representatives: tuple[int, ...]
    silhouettes: FloatArray | None
    order: tuple[int, ...]

    @property
    def silhouette(self) -> float | None:
        """Return the mean of the silhouettes."""
        return None if self.silhouettes is None else float(np.mean(self.silhouettes))

    @property
    def labels(self) -> list[int]:
        """Return the number of each text's group."""
        labels = {i: label for label, group in enumerate(self.groups) for i in group}
        return [labels[i] for i in range(len(labels))]


@dataclass(frozen=True)
class Duplicates:
    """A text that is kept, and those like it that are not; by their numbers from 0.

    Attributes
    ----------
    reasons
        Of each of the others, why it is not kept: "wording" where it differs from the one that is
        in case, white space or the form of characters alone, else "similarity".
    """

    kept: int
    others: tuple[int, ...]
    reasons: tuple[Reason, ...]


def cluster(
    similarities: FloatArray,
    *,
    threshold: float | None = None,
    k: int | None = None,
    linkage_by: Linkage = "average",
) -> Clustering:
    """Return groups of like texts, by agglomerative clustering.

    Parameters
    ----------
    similarities
        Shape "text text".
    threshold
        Join groups while their similarity is at least this.
    k
        Join groups until there are k.
    linkage_by
        One of `LINKAGES`. By "complete" all texts of a group are that similar to each other.

    Raises
    ------
    ConfigError
        Unless either a threshold in [0, 1] or a k from 1 to the number of texts is given.
    InputError
        If the similarities are not symmetric or not in [0, 1], they look like distances, or
        memory for groups is lacking.
    """
    check_choice("linkage", linkage_by, LINKAGES)
    distances = _distances(given_numbers(similarities))
    count = len(distances)
    if (threshold is None) == (k is None):
        raise ConfigError("give either a threshold or k, the number of groups")
    tree = np.empty((0, 4))
    if count > 1:
        condensed = scipy.spatial.distance.squareform(distances, checks=False)
        tree = scipy.cluster.hierarchy.linkage(condensed, linkage_by)
    if k is not None:
        merges = count - given_integer("k", k, at_least=1, at_most=count)
    else:
        least = given_number("threshold", threshold, at_least=0, at_most=1)
        merges = int(np.sum(tree[:, 2] <= 1 - least + ROUNDING))
    groups = _groups(tree[:merges], count)
    return Clustering(
        groups=groups,
        representatives=tuple(_medoid(distances, group) for group in groups),
        silhouettes=_silhouettes(distances, groups) if len(groups) > 1 else None,
        order=tuple(scipy.cluster.hierarchy.leaves_list(tree).tolist()) if count > 1 else (0,),
    )


def _silhouettes(distances: FloatArray, groups: tuple[tuple[int, ...], ...]) -> FloatArray:
    """Return the silhouette of each text, shape "text", for two or more groups.

    Parameters
    ----------
    distances
        Shape "text text".
    """
    members = np.zeros((len(distances), len(groups)))
    for label, group in enumerate(groups):
        members[list(group), label] = 1
    sizes = members.sum(axis=0)
    sums = distances @ members
    own = members.astype(bool)
    # A text is not counted in the mean distance to its own group.
    within = sums[own] / np.maximum(members @ sizes - 1, 1)
    others = np.where(own, np.inf, sums / sizes).min(axis=1)
    larger = np.maximum(within, others)
    found = np.divide(others - within, larger, out=np.zeros_like(larger), where=larger > 0)
    return np.where(members @ sizes > 1, found, 0.0)


def deduplicate(
    similarities: FloatArray,
    threshold: float,
    texts: Sequence[Content] | None = None,
    progress: Progress = no_progress,
) -> list[Duplicates]:
    """Return the texts to keep, in order, each with those that it stands for.

    A text is dropped where it is at least that similar to one that is kept before it. It goes to
    the most similar of these, or the first of those that rounding alone parts. So no two that are
    kept are that similar, and each that is dropped is that similar to the one that stands for it.

    Where the texts are given, their wording goes before a similarity. Texts of which neither has
    all numbers of the other are not the same. Those of one wording are
    (`similarity.groups.own_words.first_of_wording`): what is done with the first of them is done
    with all, whatever their own similarities.

    Parameters
    ----------
    similarities
        Shape "text text".
    threshold
        In [0, 1].
    texts
        That the similarities are of. An image among them has no wording.
    progress
        Counts the texts whose wording is compared, and then those whose numbers are.

    Raises
    ------
    ConfigError
        If the threshold is out of range.
    InputError
        If the similarities are not symmetric or not in [0, 1], they look like distances, there
        are not as many texts, or memory is lacking.
    """
    threshold = given_number("threshold", threshold, at_least=0, at_most=1)
    similarities = given_numbers(similarities)
    check_similarities(similarities)
    alike, first = similarities, list(range(len(similarities)))
    if texts is not None:
        texts = _texts_of(similarities, texts)
        check_all_pairs(len(texts), len(texts), DEDUPLICATE_PAIR)
        first = first_of_wording(texts, progress("comparing wordings", len(texts)))
        alike = similarities.copy()
        alike[numbers_differ(texts, progress("comparing numbers", len(texts)))] = -1.0
    groups: dict[int, list[int]] = {}
    for i, kept in enumerate(_kept_for_each(alike, threshold, first)):
        groups.setdefault(kept, []).append(i)
    return [
        Duplicates(
            kept,
            tuple(others),
            tuple("wording" if first[i] == kept else "similarity" for i in others),
        )
        for kept, (_, *others) in groups.items()
    ]


def _kept_for_each(alike: FloatArray, threshold: float, first: Sequence[int]) -> list[int]:
    """Return for each text the one that is kept for it: maybe itself.

    Parameters
    ----------
    alike
        Shape "text text"; below 0 where two texts are not the same.
    first
        Of each text, the first of its wording.
    """
    is_kept = np.zeros(len(alike), dtype=bool)
    found: list[int] = []
    for i, row in enumerate(alike):
        if first[i] < i:
            found.append(found[first[i]])
            continue
        like = np.where(is_kept & (row >= threshold - ROUNDING), row, -np.inf)
        is_kept[i] = not np.isfinite(like).any()
        found.append(i if is_kept[i] else first_greatest(like))
    return found


def cosines(vectors: FloatArray) -> FloatArray:
    """Return the cosines of vectors of length 1, shape "text width", with 0 for those below it.

    Raises
    ------
    InputError
        If they are no numbers, or there is no memory for the cosines of so many.
    """
    vectors = given_numbers(vectors, "vectors")
    if vectors.ndim != 2:
        shape = " × ".join(map(str, vectors.shape)) or "one"
        raise InputError(f"vectors must be a row of numbers for each text, got {shape} numbers")
    check_all_pairs(len(vectors), len(vectors), MATRIX_PAIR)
    found: FloatArray = np.clip(vectors @ vectors.T, 0.0, 1.0)
    found = (found + found.T) / 2
    np.fill_diagonal(found, 1.0)
    return found


def _texts_of(similarities: FloatArray, texts: Sequence[Content]) -> list[Content]:
    """Return the texts of similarities; InputError unless they are texts, and as many."""
    found = given_texts(texts)
    if len(found) != len(similarities):
        raise InputError(f"there are {len(found)} texts and similarities of {len(similarities)}")
    return found


def _distances(similarities: FloatArray) -> FloatArray:
    """Return 1 less the mean of both directions, in one matrix of its own."""
    check_similarities(similarities)
    check_all_pairs(len(similarities), len(similarities), CLUSTER_PAIR)
    distances: FloatArray = similarities + similarities.T
    distances /= -2
    distances += 1.0
    np.fill_diagonal(distances, 0.0)
    return distances


def _groups(merges: FloatArray, count: int) -> tuple[tuple[int, ...], ...]:
    """Return the groups that the first rows of a tree of scipy leave."""
    groups: dict[int, list[int]] = {i: [i] for i in range(count)}
    for step, (left, right, *_) in enumerate(merges):
        groups[count + step] = groups.pop(int(left)) + groups.pop(int(right))
    found = [tuple(sorted(group)) for group in groups.values()]
    return tuple(sorted(found, key=lambda group: (-len(group), group[0])))


def _medoid(distances: FloatArray, group: tuple[int, ...]) -> int:
    inside: FloatArray = distances[np.ix_(group, group)].mean(axis=1)
    return group[first_greatest(-inside)]
