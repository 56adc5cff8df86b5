"""Values in files of others: numbers as files have them, and objects that say each thing once."""

import math
import re
from collections.abc import Sequence
from typing import Any

# Python's own reading takes 1_0 for ten, and the digits of every script.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.I)


def to_number(value: object) -> float | None:
    """Return what stands for a number as one, which may be infinite or NaN; None for all else."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON by its names and values.

    Raises
    ------
    ValueError
        If a name stands twice, of which any reader takes the value it likes.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:40]!r} stands twice in an object; keep one")
    return found
