"""How far answers to one question share their own words: evidence that profiles do not give.

After a question all answers make the model expect much the same, the wrong ones too. Then only the
words themselves distinguish "Paris" from "London", and above all 1945 from 1918.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from similarity.arrays import FloatArray, Rows
from similarity.given import given_strings, given_texts
from similarity.groups.numbers import names_percent, numbers_in
from similarity.images.image import Content, Image
from similarity.models.base import OnProgress, ignore_progress
from similarity.texts.general import general_sentences
from similarity.texts.normal_forms import normal_form
from similarity.vectors.config import TrigramsConfig
from similarity.vectors.trigrams import buckets, rarity_weights, words_of

_ROWS = 256


def shared_words(
    question: str, answers: Sequence[str], on_progress: OnProgress = ignore_progress
) -> FloatArray:
    """Return how far answers share what they have beyond the question, in [0, 1].

    Shape "answer answer". It is the weight of the trigrams of words that both have, of what the one
    with less has; rare trigrams weigh more. It is 1 where one of both has no word of its own, or
    both have a number in common. `on_progress` is called as by `unequal_numbers`.
    """
    answers, known = given_strings(answers), set(words_of(question))
    trigrams = []
    for text in answers:
        trigrams.append(set(buckets(" ".join(w for w in words_of(text) if w not in known))))
        on_progress(1)
    rows = _membership(trigrams)
    present = sorted(set().union(*trigrams))
    weighed = rows.multiply(_weights()[present]).tocsr()
    own = weighed.sum(axis=1)
    least = np.minimum.outer(own, own)
    shared = (weighed @ rows.T).toarray()
    found = np.divide(shared, least, out=np.ones_like(least), where=least > 0)
    # Not by ordinals: who is the first is not said by "first".
    numbers = _membership(_own_numbers(question, answers, ordinals=False))
    found[(numbers @ numbers.T).toarray() > 0] = 1.0
    capped: FloatArray = np.minimum(found, 1.0)
    return capped


def unequal_numbers(
    question: str, answers: Sequence[str], on_progress: OnProgress = ignore_progress
) -> NDArray[np.bool_]:
    """Return whether answers have numbers beyond the question's, of which neither has all.

    Shape "answer answer". Numbers are those of `numbers_in`, each as often as it stands.
    `on_progress` is called with 1 for each answer that is read; what it raises ends the work.
    """
    answers = given_strings(answers)
    rows = _membership(_own_numbers(question, answers, on_progress=on_progress))
    counts = rows.sum(axis=1)
    found = np.empty((len(answers), len(answers)), dtype=bool)
    # By some rows at once: counts of all would take eight times what is found.
    for start in range(0, len(answers), _ROWS):
        some = slice(start, start + _ROWS)
        shared = (rows[some] @ rows.T).toarray()
        found[some] = shared < np.minimum.outer(counts[some], counts)
    return found


def first_of_wording(
    contents: Sequence[Content], on_progress: OnProgress = ignore_progress
) -> list[int]:
    """Return for each text the first that is the same by its wording: itself, if none before is.

    Such texts have the same numbers, and differ in case, white space or the form of characters
    alone. Forms are those that Unicode takes for compatible (NFKC), such as full-width digits and
    ligatures. An image is the same as itself alone. `on_progress` is called as by
    `unequal_numbers`.
    """
    first: dict[object, int] = {}
    found = []
    for i, one in enumerate(given_texts(contents)):
        found.append(i if isinstance(one, Image) else first.setdefault(_wording(one), i))
        on_progress(1)
    return found


def _wording(text: str) -> tuple[str, tuple[str, ...]]:
    normal = normal_form("NFKC", normal_form("NFKC", text).casefold())
    # Letters of another width may be another number: 10² and 102.
    return " ".join(normal.split()), tuple(numbers_in(" ".join(text.split())))


def numbers_differ(
    contents: Sequence[Content], on_progress: OnProgress = ignore_progress
) -> NDArray[np.bool_]:
    """Return what `unequal_numbers` does of texts without a question; an image has no numbers.

    White space is no part of a wording, so it makes no other numbers.
    """
    return unequal_numbers(
        "",
        ["" if isinstance(one, Image) else " ".join(one.split()) for one in contents],
        on_progress,
    )


def _own_numbers(
    question: str,
    answers: Sequence[str],
    *,
    ordinals: bool = True,
    on_progress: OnProgress = ignore_progress,
) -> list[set[tuple[str, int]]]:
    """Return the numbers of each answer that are not in the question.

    Each is the number and how many times the answer had it before, so that "3 of 3" and "3 of 4"
    are not the same numbers.
    """
    known = set(numbers_in(question))
    # An answer to "What percentage?" need not say it.
    unit = "%" if names_percent(question) else ""
    found = []
    for answer in answers:
        before: Counter[str] = Counter()
        own = set()
        for number in numbers_in(answer, ordinals=ordinals):
            plain = number.removesuffix(unit)
            if number not in known:
                own.add((plain, before[plain]))
                before[plain] += 1
        found.append(own)
        on_progress(1)
    return found


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
