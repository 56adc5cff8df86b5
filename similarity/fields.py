"""Settings, each declared once: default, bounds, choices and help are in a field of a dataclass.

The checks of new values, the options of the command line and the schemas of the service are made
from them, or are tested to agree with them (`tests/test_options_agree.py`).
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Any

from similarity.validation import check_choice, check_kind, given_integer, given_number

_KEY = "setting"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting that a user may give.

    Attributes
    ----------
    default
        Its value where nothing is given; its type is that of the setting.
    help
        One sentence that begins with a verb.
    at_least, at_most
        Bounds of a number, both inclusive; None for what is no number.
    choices
        All that a name may be, of an option or a request; None for what is no name.
    in_python
        All that a name may be in Python; None for the same.
    """

    name: str
    default: int | float | bool | str
    help: str
    at_least: float | None = None
    at_most: float | None = None
    choices: tuple[str, ...] | None = None
    in_python: tuple[str, ...] | None = None

    @property
    def type(self) -> type[int] | type[float] | type[bool] | type[str]:
        """Return the type of its values."""
        return type(self.default)

    def given(self, value: Any) -> Any:
        """Return a value as one of the setting's type; raise ConfigError if it may not have it."""
        if self.choices is not None:
            check_choice(self.name, value, self.in_python or self.choices)
        elif self.at_least is not None and self.at_most is not None:
            bounds: Any = {"at_least": self.at_least, "at_most": self.at_most}
            read = given_integer if self.type is int else given_number
            return read(self.name, value, **bounds)
        elif self.type is bool:
            check_kind(self.name, value, bool, "True or False")
        return value


def setting(
    default: int | float | bool | str,
    sentence: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    choices: Collection[str] | None = None,
    in_python: Collection[str] | None = None,
) -> Any:
    """Declare a field of a settings dataclass: a `Setting` whose help is the sentence."""
    metadata = {
        "default": default,
        "help": sentence,
        "at_least": at_least,
        "at_most": at_most,
        "choices": None if choices is None else tuple(choices),
        "in_python": None if in_python is None else tuple(in_python),
    }
    return field(default=default, metadata={_KEY: metadata})


def settings_of(*classes: type) -> dict[str, Setting]:
    """Return the settings that the fields of dataclasses declare, by name, in their order."""
    return {
        declared.name: Setting(name=declared.name, **declared.metadata[_KEY])
        for cls in classes
        for declared in fields(cls)
        if _KEY in declared.metadata
    }


def keep(instance: Any, **values: Any) -> None:
    """Set fields of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)


def keep_integer(
    instance: Any,
    name: str,
    *,
    at_least: int,
    at_most: int | None = None,
    called: str | None = None,
) -> None:
    """Check a field, and keep it as a whole number of Python.

    Parameters
    ----------
    called
        What messages call it, if not by its name.

    Raises
    ------
    ConfigError
        If it is no whole number, or out of this range, both ends inclusive.
    """
    value = getattr(instance, name)
    keep(
        instance, **{name: given_integer(called or name, value, at_least=at_least, at_most=at_most)}
    )


def keep_number(
    instance: Any, name: str, *, at_least: float = -math.inf, at_most: float | None = None
) -> None:
    """Check a field, and keep it as a float; raises as `keep_integer` does."""
    value = getattr(instance, name)
    keep(instance, **{name: given_number(name, value, at_least=at_least, at_most=at_most)})


def keep_settings(instance: Any) -> None:
    """Check each declared setting of an instance, and keep it as one of its type.

    A number of NumPy would be another in a file or a fingerprint, or none.

    Raises
    ------
    ConfigError
        If one is of another type, out of its bounds or not among its choices.
    """
    for name, declared in settings_of(type(instance)).items():
        keep(instance, **{name: declared.given(getattr(instance, name))})
