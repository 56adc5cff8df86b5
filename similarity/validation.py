"""Checks that a setting is what it may be, with a message that says what is allowed."""

import math
from typing import Any

from similarity.errors import ConfigError


def check_integer(name: str, value: object, *, at_least: int, at_most: int) -> None:
    """Raise ConfigError unless the value is a whole number in this range."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{name} must be a whole number, got {value!r}", name)
    if not at_least <= value <= at_most:
        raise ConfigError(f"{name} must be between {at_least} and {at_most}, got {value}", name)


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
