"""Checks that a setting is what it may be, with a message that says what is allowed."""

import math
import operator
import os
import sys
from numbers import Real
from pathlib import Path
from typing import Any

from similarity.errors import ConfigError

# Characters of a value in a message.
_SHOWN = 60


def check_kind(name: str, value: object, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raise ConfigError unless the value is of this kind, which a message calls `wanted`."""
    if not isinstance(value, kind):
        raise ConfigError(f"{name} must be {wanted}, got {shown(value)}", name)


def given_path(name: str, value: object) -> Path:
    """Return a path, given as one of any kind or a string; raise ConfigError if it is neither."""
    found = as_text(value)
    check_kind(name, found, str, "a path")
    return Path(found)  # type: ignore[arg-type]  # checked


def as_text(value: object) -> object:
    """Return the text of a path of any kind, such as pathlib's; anything else as it is."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def given_integer(name: str, value: object, *, at_least: int, at_most: int | None = None) -> int:
    """Return a whole number of any kind, such as NumPy's, as Python's; True and False are none.

    Raises
    ------
    ConfigError
        If it is no whole number, or out of this range, both ends inclusive.
    """
    try:
        found = operator.index(value)  # type: ignore[arg-type]  # tried
    except TypeError:
        found = None
    if found is None or isinstance(value, bool):
        wanted = "a whole number" + ("" if at_most is not None else f" of at least {at_least}")
        raise ConfigError(f"{name} must be {wanted}, got {shown(value)}", name)
    if found < at_least or (at_most is not None and found > at_most):
        raise ConfigError(f"{name} must be {_range(at_least, at_most)}, got {shown(found)}", name)
    return found


def given_number(
    name: str, value: object, *, at_least: float = -math.inf, at_most: float | None = None
) -> float:
    """Return a finite number of any kind, such as NumPy's, as Python's; True and False are none.

    Raises
    ------
    ConfigError
        If it is no finite number, too large for a float, or out of this range, both ends inclusive.
    """
    found = as_float(value)
    is_large = math.isinf(found) and not isinstance(value, float)
    if math.isfinite(found) or is_large:
        exact: Any = value if is_large else found
        if exact < at_least or (at_most is not None and exact > at_most):
            got = shown(value) if is_large else f"{found:g}"
            raise ConfigError(f"{name} must be {_range(at_least, at_most)}, got {got}", name)
    if not math.isfinite(found):
        below = f" below {sys.float_info.max:.2g}" if is_large else ""
        raise ConfigError(f"{name} must be a finite number{below}, got {shown(value)}", name)
    return found


def shown(value: object) -> str:
    """Return a value as a message shows it: its beginning, in one line."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # so Python refuses to write a longer number
        return f"one of more than {sys.get_int_max_str_digits()} digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _range(at_least: float, at_most: float | None) -> str:
    """Return a range in words; whole numbers of it have all their digits."""
    ends = [end for end in (at_least, at_most) if end is not None]
    shown = " and ".join(f"{end}" if isinstance(end, int) else f"{end:g}" for end in ends)
    return f"between {shown}" if at_most is not None else f"at least {shown}"


def as_float(value: object) -> float:
    """Return a number as a float: ±infinity if it is too large for one, NaN for what is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        above: bool = value > 0  # type: ignore[operator]  # all kinds of numbers can be compared
        return math.inf if above else -math.inf


def check_choice(name: str, value: object, allowed: Any) -> None:
    """Raise ConfigError unless the value is among those allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError(f"unknown {name} {shown(value)}; allowed: {', '.join(allowed)}", name)
