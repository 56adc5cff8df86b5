"""A text's own letters: the character trigrams of its words, hashed, so that no list is kept."""

import re
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from similarity.arrays import Rows
from similarity.models.base import TokenIds

# Trigrams are told apart by 16 bits of a hash; those of English are some ten thousand.
BUCKETS = 1 << 16
_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Return a text's words without case; of one that has none, what stands between spaces."""
    return _WORD.findall(text.casefold()) or text.casefold().split()


def buckets(text: str) -> TokenIds:
    """Return the number, below BUCKETS, of each trigram of the text's words and their borders."""
    return tuple(number for word in words_of(text) for number in _of_word(word))


def hashed(ids: TokenIds, weights: Rows, width: int) -> Rows:
    """Return the sum of the trigrams' weights at their coordinates, shape "width".

    A bucket's number gives coordinate and sign, so that in the mean inner products are as they
    were without collisions (the hashing trick; Weinberger et al. 2009).

    Parameters
    ----------
    ids
        Of `buckets`.
    weights
        Shape "bucket".
    """
    numbers = np.array(ids, dtype=np.int64)
    signs = 1 - 2 * (numbers // width % 2)
    sums: Rows = np.bincount(numbers % width, signs * weights[numbers], width).astype(np.float32)
    return sums


@lru_cache(maxsize=1 << 16)
def _of_word(word: str) -> TokenIds:
    padded = f" {word} "
    return tuple(_bucket(padded[at : at + 3]) for at in range(len(padded) - 2))


def _bucket(trigram: str) -> int:
    return int.from_bytes(blake2b(trigram.encode(), digest_size=2).digest(), "little")
