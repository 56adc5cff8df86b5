"""Checks that a setting is what it may be, with a message that says what is allowed."""

import math
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from similarity.errors import ConfigError


def check_kind(name: str, value: object, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raise ConfigError unless the value is of this kind, which a message calls `wanted`.

    True and False are no numbers, though they are of Python's kinds of numbers.
    """
    taken_for_number = isinstance(value, bool) and kind in (Integral, Real)
    if taken_for_number or not isinstance(value, kind):
        raise ConfigError(f"{name} must be {wanted}, got {repr(value)[:60]}", name)


def given_path(name: str, value: object) -> Path:
    """Return a path, given as one or as a string; raise ConfigError if it is neither."""
    check_kind(name, value, (str, Path), "a path")
    return Path(value)  # type: ignore[arg-type]  # checked


def check_integer(name: str, value: object, *, at_least: int, at_most: int) -> None:
    """Raise ConfigError unless the value is a whole number in this range."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{name} must be a whole number, got {value!r}", name)
    if not at_least <= value <= at_most:
        raise ConfigError(f"{name} must be between {at_least} and {at_most}, got {value}", name)


def check_count(name: str, value: object) -> None:
    """Raise ConfigError unless the value is a whole number of at least 1."""
    check_kind(name, value, Integral, "a whole number of at least 1")
    if value < 1:  # type: ignore[operator]  # checked
        raise ConfigError(f"{name} must be at least 1, got {value}", name)


def check_number(name: str, value: object, *, at_least: float, at_most: float) -> None:
    """Raise ConfigError unless the value is a finite number in this range."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ConfigError(f"{name} must be a finite number, got {value!r}", name)
    if not at_least <= value <= at_most:
        raise ConfigError(
            f"{name} must be between {at_least:g} and {at_most:g}, got {value:g}", name
        )


def check_choice(name: str, value: object, allowed: Any) -> None:
    """Raise ConfigError unless the value is among those allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError(f"unknown {name} {value!r}; allowed: {', '.join(allowed)}", name)
