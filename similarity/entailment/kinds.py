"""Whether one word is a kind of another, by how likely sentences are that would say so.

"A dog is a kind of animal" is likelier than its reverse. But one of both sentences always is, so a
verdict has three more conditions. The second word must be likelier than after no word at all ("It
is a kind of"), or the words have nothing to do with each other. It must not be as likely after
"Another word for dog is", or they mean the same. And all wordings must agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from similarity.arrays import FloatArray
from similarity.entailment.continuations import scored
from similarity.models.base import LanguageModel
from similarity.scorer import Progress, no_progress

Pair = tuple[str, str]
KindVerdict = Literal["first is a kind of second", "second is a kind of first", "alike", "neither"]
FIRST_IS: KindVerdict = "first is a kind of second"
SECOND_IS: KindVerdict = "second is a kind of first"
ALIKE: KindVerdict = "alike"
NEITHER: KindVerdict = "neither"

# What stands before the second word; the first has its article, in small letters or not.
KINDS = ("{A} is a kind of", "{A} is a type of", "If something is {a}, then it is a kind of")
ANY = "It is a kind of"
ANOTHER = "Another word for {word} is"
CONFIDENCE = 0.95
# Chosen on WordNet pairs, random ones, synonyms and siblings by SmolLM2 (docs/log.md), nats.
# Of 100 random pairs, 3 are so much likelier than usual in the direction of the verdict.
RELATED = 2.5
# What the margin, and what "a kind of" has more than "another word for", must sum to.
STRENGTH = 6.5


@dataclass(frozen=True)
class KindReading:
    """How likely it is said that a word is a kind of another, both ways.

    Parameters
    ----------
    kind
        log P of the other word after each of KINDS, shape "way=2 pattern", nats. The first way is
        that the first is a kind of the second.
    usual
        The same after ANY, shape "way=2".
    another
        The same after ANOTHER, shape "way=2".
    """

    kind: FloatArray
    usual: FloatArray
    another: FloatArray

    @property
    def margin(self) -> float:
        """Return the mean over patterns of what the first way has more than the second, nats."""
        return float(self._margins.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Return that of the margin, over patterns, by Student's law."""
        n = len(self._margins)
        error = float(self._margins.std(ddof=1)) / n**0.5
        half = float(scipy.special.stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * error
        return self.margin - half, self.margin + half

    @property
    def beyond_usual(self) -> tuple[float, float]:
        """Return how much likelier than usual each way is after the first of KINDS, nats."""
        forth, back = self.kind[:, 0] - self.usual
        return float(forth), float(back)

    @property
    def strength(self) -> float:
        """Return the evidence for a kind rather than a synonym, in the likelier way: nats."""
        way = 0 if self.margin > 0 else 1
        return abs(self.margin) + float(self.kind[way].mean() - self.another[way])

    @property
    def verdict(self) -> KindVerdict:
        """Return one of four; "alike" are words of one meaning, or of one kind such as siblings."""
        low, high = self.interval
        way = 0 if self.margin > 0 else 1
        sure = (low > 0 or high < 0) and self.strength >= STRENGTH
        if sure and self.beyond_usual[way] >= RELATED:
            return FIRST_IS if way == 0 else SECOND_IS
        each_other = min(*self.beyond_usual, *(self.another - self.usual))
        return ALIKE if each_other >= RELATED else NEITHER

    @property
    def _margins(self) -> FloatArray:
        found: FloatArray = self.kind[0] - self.kind[1]
        return found


def read_kinds(model: LanguageModel, pairs: Sequence[Pair]) -> list[KindReading]:
    """Return what sentences say of each pair of words.

    Raises
    ------
    InputError
        If a word is too long for the model.
    """
    of_pattern = [_sums(model, pairs, pattern, no_progress) for pattern in (*KINDS, ANY, ANOTHER)]
    found = np.array(of_pattern).reshape(len(KINDS) + 2, len(pairs), 2)
    return [
        KindReading(kind=one[: len(KINDS)].T, usual=one[-2], another=one[-1])
        for one in found.swapaxes(0, 1)
    ]


def kind_margins(
    model: LanguageModel, pairs: Sequence[Pair], progress: Progress = no_progress
) -> list[float]:
    """Return the margin of each pair alone: above 0 where the first is a kind of the second.

    Raises
    ------
    InputError
        If a word is too long for the model.
    """
    sums = np.array([_sums(model, pairs, pattern, progress) for pattern in KINDS])
    ways = sums.reshape(len(KINDS), len(pairs), 2).mean(axis=0)
    return [float(forth - back) for forth, back in ways]


def _sums(
    model: LanguageModel, pairs: Sequence[Pair], pattern: str, progress: Progress
) -> list[float]:
    """Return log P of the second word after the pattern of the first, and of the reverse."""
    ways = [way for first, second in pairs for way in ((first, second), (second, first))]
    conditionals = [(_filled(pattern, one), f" {other}") for one, other in ways]
    # Some may be equal, as what stands before the words of ANY is always the same.
    distinct = list(dict.fromkeys(conditionals))
    rows = scored(model, distinct, progress)
    sums = {one: float(row.sum()) for one, row in zip(distinct, rows, strict=True)}
    return [sums[one] for one in conditionals]


def _filled(pattern: str, word: str) -> str:
    article = "an" if word[0].lower() in "aeiou" else "a"
    return pattern.format(A=f"{article.capitalize()} {word}", a=f"{article} {word}", word=word)
