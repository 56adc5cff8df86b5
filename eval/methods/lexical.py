"""Scores that need no model: what a result must be read against."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from eval.methods.base import Method, Pair, Setting
from eval.methods.texts import unlabelled_texts
from similarity.digests import digest_of_texts

_WORD = re.compile(r"\w+")


def word_overlap(first: str, second: str) -> float:
    """Return the Jaccard index, in [0, 1], of the two texts' lower-cased words."""
    words = [set(_words(text)) for text in (first, second)]
    union = words[0] | words[1]
    return len(words[0] & words[1]) / len(union) if union else 1.0


class WordOverlap(Method):
    """The Jaccard index of the two texts' words."""

    def __init__(self, _setting: Setting) -> None:
        self.settings = {"words": _WORD.pattern}

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the index of each pair, in [0, 1]."""
        return [word_overlap(*pair) for pair in pairs]


class TfIdf(Method):
    """The cosine of term counts, each times log((1 + N) / (1 + N_w)) + 1.

    N is the number of unlabelled texts, and N_w of those that hold the word w. It is scikit-learn's
    smoothed inverse document frequency, but that a word in none of them counts as well (N_w = 0).

    Raises
    ------
    ConfigError
        If there are no unlabelled texts.
    """

    def __init__(self, setting: Setting) -> None:
        texts = unlabelled_texts(setting, "tf-idf")
        self._number = len(texts)
        self._holding = Counter(word for text in texts for word in set(_words(text)))
        self.settings = {"words": _WORD.pattern, "fitted on": digest_of_texts(texts)}

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the cosine of each pair, in [0, 1]."""
        return [self._cosine(*map(self._weights, pair)) for pair in pairs]

    def _weights(self, text: str) -> dict[str, float]:
        return {
            word: count * (math.log((1 + self._number) / (1 + self._holding[word])) + 1)
            for word, count in Counter(_words(text)).items()
        }

    @staticmethod
    def _cosine(first: dict[str, float], second: dict[str, float]) -> float:
        # Two texts without words are alike, and neither is like one with words.
        if not first or not second:
            return float(first == second)
        # An exact sum does not depend on which text's words come first.
        product = math.fsum(first[word] * second[word] for word in first.keys() & second.keys())
        return product / (math.hypot(*first.values()) * math.hypot(*second.values()))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
