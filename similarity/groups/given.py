"""Numbers of texts as a caller gives them: checked before anything reads them."""

from typing import Any

import numpy as np

from similarity.arrays import FloatArray
from similarity.errors import InputError
from similarity.validation import shown

_CHECKED_ROWS = 256
# So much less than another similarity that of a text to itself may be, by rounding to half
# precision.
_HALF_ROUNDING = 1e-3
# So much above 0 a log-probability may be by rounding in float32.
_ROUNDING = 1e-5
_REMEDY = "; give those of a SimilarityMatrix, its .similarities"


def given_numbers(rows: Any, called: str = "similarities") -> FloatArray:
    """Return rows of numbers as an array, which may come as lists.

    Raises
    ------
    InputError
        If they are none, or complex, or a whole number is too large for a float.
    """
    try:
        if not np.iscomplexobj(rows):
            return np.asarray(rows, float)
        wrong: Exception | None = None
    except (TypeError, ValueError, OverflowError) as error:
        wrong = error
    raise InputError(f"{called} must be numbers that a float can be, got {shown(rows)}") from wrong


def checked_log_probs(log_probs: Any, count: int) -> list[float]:
    """Return a log-probability of each of so many texts, nats; they may come as an array.

    Raises
    ------
    InputError
        If they are none, or not as many.
    """
    found: list[float] = given_numbers(log_probs, "log_probs").reshape(-1).tolist()
    if len(found) != count:
        raise InputError(f"want one log-probability a text, got {len(found)} for {count}")
    for number, value in enumerate(found):
        if not -np.inf < value <= _ROUNDING:
            raise InputError(
                f"log_probs[{number}] is {value:g}, and a log-probability is a finite number of at "
                "most 0; give log P of each text in nats"
            )
    return found


def check_similarities(similarities: FloatArray) -> None:
    """Refuse what is no matrix of similarities of texts among themselves, shape "text text".

    Raises
    ------
    InputError
        If it is not square, has no texts, is not in [0, 1] or not symmetric, or a text is more
        similar to another than to itself, as it is by distances.
    """
    if (
        similarities.ndim != 2
        or len(similarities) != similarities.shape[1]
        or not len(similarities)
    ):
        shape = " × ".join(map(str, similarities.shape))
        raise InputError(f"want the similarities of texts among themselves, got {shape} numbers")
    if not similarities.any():
        raise InputError(
            "these look like distances: of each text the number with itself is 0; a text is most "
            f"similar to itself{_REMEDY}"
        )
    own = similarities.diagonal()
    # By some rows at once: of thousands of texts a matrix takes much of the memory there is.
    for start in range(0, len(similarities), _CHECKED_ROWS):
        rows = similarities[start : start + _CHECKED_ROWS]
        inside = (rows >= 0) & (rows <= 1)
        if not np.all(inside):
            wrong = rows.flat[inside.argmin()]
            raise InputError(f"similarities must be between 0 and 1, got {wrong:g}{_REMEDY}")
        columns = similarities[:, start : start + _CHECKED_ROWS].T
        if not np.allclose(rows, columns, rtol=0, atol=1e-6):
            raise InputError("similarities must be symmetric")
        less = own[start : start + _CHECKED_ROWS] < rows.max(axis=1) - _HALF_ROUNDING
        if less.any():
            row = int(less.argmax())
            raise InputError(
                f"these look like distances: of text {start + row} (from 0) the number with itself "
                f"is {rows[row, start + row]:g}, and with text {int(rows[row].argmax())} it is "
                f"{rows[row].max():g}; a text is most similar to itself{_REMEDY}"
            )
