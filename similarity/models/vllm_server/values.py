"""Values of a server's answers, each of the kind that it is taken for, or a TypeError.

JSON has null, strings and whole numbers of any size where a number is expected. Nothing is turned
into another kind here: a string of digits is no number.
"""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.arrays import LogProbs
from similarity.errors import WrongAnswerError
from similarity.models.base import TokenIds
from similarity.prompts import is_unicode

# No vocabulary has so many tokens, and no model reads so many.
MOST_TOKENS = 2**24
# Beyond the range of float32: no logarithm of a probability, and no number of float64 perhaps.
_LARGEST = 1e38

# vLLM puts this in the place of minus infinity.
CLAMPED = -9999.0
# Above a log-probability of zero only by rounding.
ROUNDING = 1e-3
# All probability at one place of a text, with the same rounding.
MOST_MASS = math.exp(ROUNDING)
# What helps where numbers may be those of another law than the model's own.
OWN_LAW = (
    "start it with --generation-config vllm and without --logprobs-mode, and see that nothing "
    "between changes requests"
)


def number(value: Any) -> float:
    """Return a number, which may be infinite or NaN."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r:.40} is no number")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise TypeError("a whole number has too many digits")
    return float(value)


def numbers(values: Any) -> LogProbs:
    """Return a list of numbers, shape "number"."""
    return np.array([number(value) for value in listed(values)], np.float64)


def whole(value: Any) -> int:
    """Return a whole number from 0 on, below MOST_TOKENS."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MOST_TOKENS:
        raise TypeError(f"{value!r:.40} is no number of a token")
    return value


def token_ids(values: Any) -> TokenIds:
    """Return a list of token ids."""
    return tuple(whole(value) for value in listed(values))


def string(value: Any) -> str:
    """Return a text."""
    if not (isinstance(value, str) and is_unicode(value)):
        raise TypeError(f"{value!r:.40} is no text")
    return value


def listed(values: Any) -> Sequence[Any]:
    """Return the values of a list."""
    if not isinstance(values, list):
        raise TypeError(f"{values!r:.40} is no list")
    return values


def check_range(scores: NDArray[np.floating]) -> None:
    """Raise WrongAnswerError unless all are finite log-probabilities in nats."""
    if not np.isfinite(scores).all() or (scores <= CLAMPED).any():
        raise WrongAnswerError(
            "gave log-probabilities that are not finite or were cut off at -9999; "
            f"{OWN_LAW}; or serve the model in another dtype"
        )
    if (scores > ROUNDING).any():
        raise WrongAnswerError(
            f"gave {scores.max():.3g} as a log-probability; start it without --logprobs-mode"
        )


def check_places(places: Sequence[LogProbs | Sequence[float]]) -> None:
    """Raise WrongAnswerError unless all are log-probabilities, and those of a place of one law.

    Parameters
    ----------
    places
        Log-probabilities of different tokens at each place of a text, nats.
    """
    of_all = np.fromiter(chain.from_iterable(places), np.float64)
    check_range(of_all)
    place_of = np.repeat(np.arange(len(places)), [len(place) for place in places])
    masses = np.bincount(place_of, np.exp(of_all))
    if (masses > MOST_MASS).any():
        raise WrongAnswerError(
            "gave log-probabilities of different tokens at one place whose probabilities sum to "
            f"{masses.max():.4g}, and 1 is the most; start it without --logprobs-mode"
        )


def check_read(answer: Any, tokens: int) -> None:
    """Raise WrongAnswerError if an answer says that another number of tokens was read."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    read = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if read is not None and read != tokens:
        raise WrongAnswerError(
            f"read {read!r:.40} tokens where {tokens} were sent; does something cut prompts?"
        )


def check_listed(log_probs: Any, ids: Sequence[Any]) -> None:
    """Raise WrongAnswerError if log-probabilities are listed of other tokens than were sampled."""
    named = log_probs.get("tokens")
    if named is not None and named != [f"token_id:{token}" for token in ids]:
        raise other_listed()


def other_listed() -> WrongAnswerError:
    """Return the error of an answer that lists other tokens than it says that it sampled."""
    return WrongAnswerError(
        "gave log-probabilities of other tokens than it says that it sampled; does something "
        "change its answers?"
    )


def check_prompt(choice: Any, prompt: TokenIds) -> None:
    """Raise WrongAnswerError if a choice has other ids of the prompt than were sent, or none."""
    read = choice.get("prompt_token_ids")
    if not isinstance(read, list):
        raise WrongAnswerError(
            "gave no token ids of the prompt; it must know return_token_ids (vLLM 0.11 or later)"
        )
    if read != list(prompt):
        raise WrongAnswerError(
            "answered to another prompt than was sent; does something cut prompts or mix answers?"
        )
