"""A text's own words by their character trigrams, hashed, so that no list of them is kept."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.errors import UnsupportedError
from similarity.images.image import Content, Image
from similarity.models.base import LanguageModel, OnProgress, TokenIds, ignore_progress
from similarity.prompts import Prompt
from similarity.trajectories import encode_prefixes
from similarity.vectors.config import TrigramsConfig
from similarity.vectors.reader import Arrays, Reader
from similarity.vectors.whitening import Whitening, WhiteningFit

# Trigrams are known by 16 bits of a hash; English has some ten thousand.
BUCKETS = 1 << 16
_WORD = re.compile(r"\w+")


class TrigramReader(Reader):
    """Reads the trigrams of words, each by how rare it is, and how many words are names.

    The last feature is the share of names and numbers: it is part of no vector, and says how much
    the others weigh.

    Parameters
    ----------
    weights
        Of each bucket, shape "bucket"; `rarity_weights` gives them.
    """

    def __init__(self, config: TrigramsConfig, weights: Rows) -> None:
        self.config = config
        self.weights = weights

    def rows(
        self,
        model: LanguageModel,
        texts: Sequence[Content],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Return the sums of the weights of the trigrams hashed to each coordinate, and names."""
        del on_progress  # the model reads nothing
        self.tokens(model, texts)  # refuses what the model could not read
        found = [
            np.append(self.hashed(buckets(text)), names_in(text))
            for text in map(_words_alone, texts)
        ]
        return np.stack(found).astype(np.float32)

    def tokens(self, model: LanguageModel, texts: Sequence[Content]) -> list[int]:
        """Return 0 for each text: the model reads none of it."""
        own = [_words_alone(text) for text in texts]
        return [0 for _ in encode_prefixes(model, own, Prompt(), 0)]

    def whitening(
        self, model: LanguageModel, fit: WhiteningFit, registers: FloatArray
    ) -> Whitening:
        """Return the whitening of the trigrams; words have no register."""
        trigrams = np.eye(fit.width)[:, :-1]
        inner = fit.through(trigrams).fit(self.config.shrinkage, self.config.rank)
        return Whitening(mean=fit.mean, matrix=trigrams @ inner.matrix)

    def emphasis(self, rows: Rows) -> FloatArray:
        """Return the weight that names and numbers add to that of the texts' own words."""
        found: FloatArray = self.config.names * rows[:, -1].astype(np.float64)
        return found

    def arrays(self) -> Arrays:
        """Return the weights, in half precision."""
        return {"weights": self.weights.astype(np.float16)}

    def hashed(self, ids: TokenIds) -> Rows:
        """Return the sum of some trigrams' weights at their coordinates, shape "width".

        A bucket's number gives coordinate and sign, so that in the mean inner products are as they
        were without collisions (the hashing trick; Weinberger et al. 2009).
        """
        width = self.config.width
        numbers = np.array(ids, dtype=np.int64)
        signed = (1 - 2 * (numbers // width % 2)) * self.weights[numbers]
        sums: Rows = np.bincount(numbers % width, signed, width).astype(np.float32)
        return sums


def _words_alone(content: Content) -> str:
    if isinstance(content, Image):
        raise UnsupportedError(
            f"the group trigrams compares texts' own words, and image {content.name!r} has none; "
            "compare by a preset without it, such as meaning or paper"
        )
    return content


def words_of(text: str) -> list[str]:
    """Return a text's words in lower case; if it has none, its parts between spaces."""
    return _WORD.findall(text.casefold()) or text.casefold().split()


def names_in(text: str) -> float:
    """Return the share of a text's words that are names or numbers, by their looks.

    They have a digit, or begin with a capital and do not begin the text.
    """
    words: list[str] = _WORD.findall(text) or text.split()
    names = [
        any(map(str.isdigit, word)) or (place > 0 and word[0].isupper())
        for place, word in enumerate(words)
    ]
    return sum(names) / len(names)


def buckets(text: str) -> TokenIds:
    """Return the number, below BUCKETS, of each trigram of the text's words and their borders."""
    return tuple(number for word in words_of(text) for number in _of_word(word))


def rarity_weights(texts: Iterable[str], smoothing: float) -> Rows:
    """Return a / (a + p) for each bucket, p its frequency in these texts, shape "bucket".

    What is in every text weighs next to nothing, and what is in none weighs 1. Rounded to half
    precision, in which it is kept.
    """
    counts = np.bincount([number for text in texts for number in buckets(text)], minlength=BUCKETS)
    weights = smoothing / (smoothing + counts / max(1, counts.sum()))
    kept: Rows = weights.astype(np.float16).astype(np.float32)
    return kept


@lru_cache(maxsize=1 << 16)
def _of_word(word: str) -> TokenIds:
    padded = f" {word} "
    return tuple(_bucket(padded[at : at + 3]) for at in range(len(padded) - 2))


def _bucket(trigram: str) -> int:
    return int.from_bytes(blake2b(trigram.encode(), digest_size=2).digest(), "little")
