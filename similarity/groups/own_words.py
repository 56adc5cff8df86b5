"""How far answers to one question share their own words: evidence that profiles do not give.

After a question all answers make the model expect much the same, the wrong ones too. Then only the
words themselves distinguish "Paris" from "London", and above all 1945 from 1918.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from similarity.arrays import FloatArray, Rows
from similarity.texts.general import general_sentences
from similarity.vectors.config import TrigramsConfig
from similarity.vectors.trigrams import buckets, rarity_weights, words_of

_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_UNIT_NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TEN_NAMES = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS = {name: value for value, name in enumerate(_UNIT_NAMES.split())}
_TENS = {name: 10 * value for value, name in enumerate(_TEN_NAMES.split(), start=2)}


def shared_words(question: str, answers: Sequence[str]) -> FloatArray:
    """Return how far answers share what they have beyond the question, in [0, 1].

    Shape "answer answer". It is the weight of the trigrams of words that both have, of what the one
    with less has; rare trigrams weigh more. It is 1 where one of both has no word of its own, or
    both have the same numbers.
    """
    known = set(words_of(question))
    beyond = [" ".join(w for w in words_of(text) if w not in known) for text in answers]
    rows = _membership([set(buckets(text)) for text in beyond])
    present = sorted({bucket for text in beyond for bucket in buckets(text)})
    weighed = rows.multiply(_weights()[present]).tocsr()
    own = weighed.sum(axis=1)
    least = np.minimum.outer(own, own)
    shared = (weighed @ rows.T).toarray()
    found = np.divide(shared, least, out=np.ones_like(least), where=least > 0)
    numbers = _membership(_own_numbers(question, answers))
    found[(numbers @ numbers.T).toarray() > 0] = 1.0
    capped: FloatArray = np.minimum(found, 1.0)
    return capped


def unequal_numbers(question: str, answers: Sequence[str]) -> NDArray[np.bool_]:
    """Return whether answers have numbers beyond the question's, of which neither has all.

    Shape "answer answer". Numbers are digits, and English words below a hundred.
    """
    rows = _membership(_own_numbers(question, answers))
    counts = rows.sum(axis=1)
    found: NDArray[np.bool_] = (rows @ rows.T).toarray() < np.minimum.outer(counts, counts)
    return found


def same_wording(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Return whether texts differ in case, white space or width of letters alone: "text text"."""
    normal = [" ".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in texts]
    _, labels = np.unique(normal, return_inverse=True)
    found: NDArray[np.bool_] = np.equal.outer(labels, labels)
    return found


def numbers_in(text: str) -> set[float]:
    """Return the numbers in a text, by digits or by English words below a hundred."""
    found = {float(number.replace(",", "")) for number in _DIGITS.findall(text) if _plain(number)}
    tens = 0
    for word in words_of(text):
        if tens and 0 < _UNITS.get(word, 0) < 10:
            found = (found - {float(tens)}) | {float(tens + _UNITS[word])}
        elif word in _UNITS or word in _TENS:
            found.add(float(_UNITS.get(word, _TENS.get(word, 0))))
        tens = _TENS.get(word, 0)
    return found


def _plain(number: str) -> bool:
    return number.isascii() and number.count(".") < 2


def _own_numbers(question: str, answers: Sequence[str]) -> list[set[float]]:
    in_question = numbers_in(question)
    return [numbers_in(text) - in_question for text in answers]


def _membership(sets: Sequence[set[Any]]) -> Any:
    """Return which of all members, in rising order, each set has: a sparse array "set member"."""
    place = {member: i for i, member in enumerate(sorted(set().union(*sets)))}
    columns = [place[member] for members in sets for member in members]
    starts = np.cumsum([0, *map(len, sets)])
    ones = np.ones(len(columns))
    return scipy.sparse.csr_array((ones, columns, starts), shape=(len(sets), len(place)))


@cache
def _weights() -> Rows:
    return rarity_weights(general_sentences(), TrigramsConfig().smoothing)
