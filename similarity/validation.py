"""Checks that a setting is what it may be, with a message that says what is allowed."""

import math
import operator
from numbers import Real
from pathlib import Path
from typing import Any

from similarity.errors import ConfigError


def check_kind(name: str, value: object, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raise ConfigError unless the value is of this kind, which a message calls `wanted`."""
    if not isinstance(value, kind):
        raise ConfigError(f"{name} must be {wanted}, got {_shown(value)}", name)


def given_path(name: str, value: object) -> Path:
    """Return a path, given as one or as a string; raise ConfigError if it is neither."""
    check_kind(name, value, (str, Path), "a path")
    return Path(value)  # type: ignore[arg-type]  # checked


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
        raise ConfigError(f"{name} must be {wanted}, got {_shown(value)}", name)
    if found < at_least or (at_most is not None and found > at_most):
        raise ConfigError(f"{name} must be {_range(at_least, at_most)}, got {found}", name)
    return found


def given_number(
    name: str, value: object, *, at_least: float = -math.inf, at_most: float | None = None
) -> float:
    """Return a finite number of any kind, such as NumPy's, as Python's; True and False are none.

    Raises
    ------
    ConfigError
        If it is no finite number, or out of this range, both ends inclusive.
    """
    found = _as_float(value)
    if not math.isfinite(found):
        raise ConfigError(f"{name} must be a finite number, got {_shown(value)}", name)
    if found < at_least or (at_most is not None and found > at_most):
        raise ConfigError(f"{name} must be {_range(at_least, at_most)}, got {found:g}", name)
    return found


def _shown(value: object) -> str:
    """Return a value as a message shows it: its beginning, in one line."""
    return " ".join(repr(value).split())[:60]


def _range(at_least: float, at_most: float | None) -> str:
    """Return a range in words; whole numbers of it have all their digits."""
    ends = [end for end in (at_least, at_most) if end is not None]
    shown = " and ".join(f"{end}" if isinstance(end, int) else f"{end:g}" for end in ends)
    return f"between {shown}" if at_most is not None else f"at least {shown}"


def _as_float(value: object) -> float:
    """Return a number as a float: infinity if it is too large for one, NaN for what is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def check_choice(name: str, value: object, allowed: Any) -> None:
    """Raise ConfigError unless the value is among those allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError(f"unknown {name} {_shown(value)}; allowed: {', '.join(allowed)}", name)
