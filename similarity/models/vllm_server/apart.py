"""Numbers that cannot be: of prompts that differ much, yet alike, or of a length that none has."""

from collections.abc import Sequence
from itertools import takewhile

import numpy as np

from similarity.arrays import LogProbs, Rows
from similarity.errors import WrongAnswerError
from similarity.models.base import TokenIds

# How many times shorter or longer than those of a paragraph's beginnings states may be: those of
# the embedded model differ by 8 %, and other models may have more.
LENGTH_FACTOR = 10.0
# The part of its tokens in which a prompt differs from another that cannot have the same state.
LEAST_APART = 1 / 8


def check_apart(prefixes: Sequence[TokenIds], states: Rows, lengths: tuple[float, float]) -> None:
    """Check that prefixes that differ much have different states, of lengths that may be.

    Parameters
    ----------
    lengths
        The least and the greatest of a paragraph's beginnings.

    Raises
    ------
    WrongAnswerError
        If two have one state, or one is far shorter or longer than those.
    """
    check_different(prefixes, states, "state")
    found = np.linalg.norm(states.astype(np.float64), axis=1)
    least, most = lengths[0] / LENGTH_FACTOR, lengths[1] * LENGTH_FACTOR
    if found.min() < least or found.max() > most:
        raise WrongAnswerError(
            f"gave a state of length {found.min():.3g} to {found.max():.3g}, and from {least:.3g} "
            f"to {most:.3g} are possible after those at loading; does something change its answers?"
        )


def check_different(prefixes: Sequence[TokenIds], rows: Rows | LogProbs, what: str) -> None:
    """Check that prefixes that differ much have different numbers.

    Parameters
    ----------
    rows
        The numbers after each prefix, shape "prefix number".
    what
        What a message calls one row of them.

    Raises
    ------
    WrongAnswerError
        If two have the same.
    """
    first: dict[bytes, TokenIds] = {}
    for prefix, row in zip(prefixes, rows, strict=True):
        if _much_apart(first.setdefault(row.tobytes(), prefix), prefix):
            raise WrongAnswerError(
                f"gave two different prompts the same {what}; does something between repeat "
                "answers or cut prompts, or are the model's weights damaged?"
            )


def _much_apart(one: TokenIds, other: TokenIds) -> bool:
    """Return whether what differs between two prompts is more than a few of their tokens.

    By a token far before the end a state may differ less than rounding shows.
    """
    same = _alike(one, other)
    same += _alike(one[same:][::-1], other[same:][::-1])
    longest = max(len(one), len(other))
    return longest - same > LEAST_APART * longest


def _alike(one: TokenIds, other: TokenIds) -> int:
    """Return how many tokens are the same at the beginning."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
