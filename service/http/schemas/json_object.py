"""Objects of any content that an answer repeats: what is read is not all that JSON can write."""

import math
from collections.abc import Collection, Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from service.http.json_stream import json_bytes

Place = tuple[str | int, ...]

_NUMBER = "a number is too large: no answer can repeat it; give one below 1e308"
_UNICODE = "is not valid Unicode: it has half a character, a lone surrogate; send whole ones"


def _check(content: dict[str, Any]) -> dict[str, Any]:
    """Refuse what cannot be written, as a mistake in its own place."""
    # To look for a place takes many times as long as to write all.
    fault = None if _is_written(content) else _fault_in(content)
    if fault is None:
        return content
    place, message = fault
    mistake = PydanticCustomError("not_json", "{fault}", {"fault": message})
    raise ValidationError.from_exception_data(
        "JSON", [InitErrorDetails(type=mistake, loc=place, input=None)]
    )


def _is_written(content: dict[str, Any]) -> bool:
    try:
        json_bytes(content)
    except ValueError:
        return False
    return True


def _fault_in(content: dict[str, Any]) -> tuple[Place, str] | None:
    """Return a place and what is wrong there; None where all can be written."""
    open_values: list[tuple[Place, Any]] = [((), content)]
    while open_values:
        place, value = open_values.pop()
        named = isinstance(value, dict)
        if named and not _can_be_written(value):
            return place, f"the name of a field {_UNICODE}"
        inner = value.values() if named else value
        entries: Iterable[tuple[str | int, Any]] = value.items() if named else enumerate(value)
        if not _can_be_written(inner):
            return next(
                ((*place, name), _NUMBER if isinstance(one, float) else f"it {_UNICODE}")
                for name, one in entries
                if not _can_be_written([one])
            )
        if {dict, list} & set(map(type, inner)):
            open_values += [
                ((*place, name), one) for name, one in entries if isinstance(one, dict | list)
            ]
    return None


def _can_be_written(values: Collection[Any]) -> bool:
    """Return whether the strings and numbers among values are valid.

    All at once: of the million that an object may have, each by itself would take too long.
    """
    kinds = set(map(type, values))
    if float in kinds and not all(math.isfinite(one) for one in values if type(one) is float):
        return False
    if str not in kinds:
        return True
    try:
        "".join(one for one in values if type(one) is str).encode()
    except UnicodeEncodeError:
        return False
    return True


JsonObject = Annotated[dict[str, Any], AfterValidator(_check)]
