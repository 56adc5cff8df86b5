"""A setting that cannot be, in one line: its name, what is allowed, what was got."""

from collections.abc import Collection
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from service.settings import Settings
from similarity.cli.variables import LIBRARY

_OF_VALIDATORS = "Value error, "
_PREFIX = Settings.model_config["env_prefix"]
# The library's variables are settings too, whichever program it is used by.
VARIABLES = frozenset(_PREFIX + name.upper() for name in Settings.model_fields) | LIBRARY


def mistake_in(error: ValidationError, options: Collection[str]) -> str:
    """Return the first mistake in settings.

    Parameters
    ----------
    options
        Names of the settings that were given as options; all others are from the environment.
    """
    first = error.errors()[0]
    message = first["msg"].removeprefix(_OF_VALIDATORS)
    name = str(first["loc"][0]) if first["loc"] else ""
    if name not in Settings.model_fields:
        # A rule about several settings has no one value, and its input would hold the keys.
        return message
    given = "--" + name.replace("_", "-") if name in options else _PREFIX + name.upper()
    rule = message if first["type"] == "value_error" else f"must be {allowed(name)}"
    got = repr(str(first["input"])[:80])
    # A rule of our own may say in its words what was given.
    return f"{given}: {rule}" if got in rule else f"{given}: {rule}, got {got}"


def allowed(name: str) -> str:
    """Return in words what a setting may be."""
    field = Settings.model_fields[name]
    kinds = [kind for kind in _kinds(field.annotation) if kind is not type(None)]
    if kinds and get_origin(kinds[0]) is Literal:
        return "one of " + ", ".join(map(str, get_args(kinds[0])))
    if bool in kinds:
        return "true or false"
    if int in kinds or float in kinds:
        return f"a {'whole ' if int in kinds else ''}number{_range(field)}"
    return "a text that is not empty"


def _kinds(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _range(field: FieldInfo) -> str:
    bounds = {
        bound: getattr(one, bound)
        for one in field.metadata
        for bound in ("ge", "gt", "le")
        if hasattr(one, bound)
    }
    low = f" of at least {bounds['ge']:,g}" if "ge" in bounds else ""
    low = f" above {bounds['gt']:,g}" if "gt" in bounds else low
    joined = " and" if low else ""
    return low + (f"{joined} at most {bounds['le']:,g}" if "le" in bounds else "")
