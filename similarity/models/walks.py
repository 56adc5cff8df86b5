"""Checks how states were pooled, by those of the beginnings of one text.

Wanted are states of the last token, at their own length, that depend on that text alone.
"""

from collections.abc import Callable

import numpy as np

from similarity.arrays import Rows
from similarity.errors import ModelError
from similarity.models.checks import Check
from similarity.models.drifts import Drift

# By how much lengths of states differ from 1 where they were made 1, in half precision.
LENGTH_ROUNDING = 0.005
# A mean over n tokens moves by a part of n with each. Where the last quarter of a text moves the
# state by less than this part of what the first quarter does, it is such a mean.
FADING = 0.4
# Below this part of a state's length a token does not move it.
STILL = 1e-3

# Makes the error that says what is wrong.
Refused = Callable[[str], ModelError]


def check_pooled(walk: Rows, refused: Refused) -> list[Check]:
    """Check that states are the last token's, and have their own length; say what they offer.

    Parameters
    ----------
    walk
        The states after the beginnings of a text, the shortest first: shape "beginning width".
    """
    offers = (
        f"it pools: states of {walk.shape[1]} numbers, without words; no samples or scores of "
        "continuations"
    )
    return [Check("offers", offers), _check_lengths(walk, refused), _check_last(walk, refused)]


def _check_lengths(walk: Rows, refused: Refused) -> Check:
    """Check that states have their own length: it says how far texts are from the usual."""
    lengths = np.linalg.norm(walk, axis=1)
    found = f"from {lengths.min():.4g} to {lengths.max():.4g}"
    error: ModelError | None = None
    if np.abs(lengths - 1).max() < LENGTH_ROUNDING:
        error = refused("makes all states of length 1, and their length carries meaning")
    return Check("lengths of states", found, error)


def _check_last(walk: Rows, refused: Refused) -> Check:
    """Check that a state is that of the last token: each token moves it as much as any before."""
    walk = walk.astype(np.float64)
    moves = np.linalg.norm(np.diff(walk, axis=0), axis=1)
    quarter = max(1, len(moves) // 4)
    early, late = float(np.median(moves[:quarter])), float(np.median(moves[-quarter:]))
    length = float(np.linalg.norm(walk, axis=1).mean())
    found = f"early tokens move the state by {early / length:.2g} of its length, late ones by "
    found += f"{late / length:.2g}"
    what: str | None = None
    if late < STILL * length:
        what = "gives states that later tokens do not move"
    elif late < FADING * early:
        what = "gives means over all tokens"
    if what is None:
        return Check("pooled token", f"the last; {found}")
    error = refused(f"{what}, and states of the last token are needed")
    return Check("pooled token", found, error)


def check_repeated(walk: Rows, backwards: Rows, alone: Rows, refused: Refused) -> Check:
    """Check that states depend on nothing but their tokens.

    Parameters
    ----------
    backwards
        The states of the walk, requested in the opposite order.
    alone
        The last of them, requested alone.
    """
    name = "states again, in another order, one at a time"
    again, single = Drift.between(backwards[::-1], walk), Drift.between(alone, walk[-1:])
    found = f"they differ by {again}; one alone by {single.worst:.2g}"
    error = None
    if not (again.is_rounding and single.may_be_rounding):
        error = refused(f"gives a text other states beside other texts: {found}")
    return Check(name, found, error)
