"""The one mistake to report in a request that does not validate, in the user's own words."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from similarity.errors import InputError

# So many are looked at for the one to report: a long list may have one in each item.
MISTAKES = 100

# What JSON calls the types that pydantic expects.
_TYPES = {
    "string_type": "a string",
    "list_type": "a list",
    "tuple_type": "a list",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


class FieldError(InputError):
    """What a field of a request has is wrong; `param` is the field, as the user wrote it."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True)
class _Placed:
    """A mistake, the way to it through the body, and the alternatives that lie on the way."""

    mistake: Mapping[str, Any]
    place: list[Any]
    branch: tuple[Any, ...]


def first_mistake(
    error: RequestValidationError, known: Collection[str] = ()
) -> tuple[str | None, str]:
    """Return the place and the mistake; never the value, which may be a user's text.

    A field that may be one of several things has a mistake for each. Those furthest inside are
    about what was given. Of these, it reports those of the alternatives that fit best, and in lists
    the one that took the most items before.

    Parameters
    ----------
    known
        The fields of such requests, as `field_names` gives them.
    """
    placed = [_placed(mistake, error.body) for mistake in error.errors()[:MISTAKES]]
    # Of each alternative the first of its mistakes that are furthest inside.
    firsts: dict[tuple[Any, ...], list[Any]] = {}
    for one in sorted(placed, key=lambda one: -len(one.place)):
        firsts.setdefault(one.branch, one.place)
    place = max((firsts[one.branch] for one in placed), key=_how_far)
    counts = Counter(one.branch for one in placed)
    here = [one for one in placed if one.place == place]
    least = min(counts[one.branch] for one in here)
    fitting = [one.mistake for one in here if counts[one.branch] == least]
    return written(place), _message(fitting, known)


def _how_far(place: Sequence[Any]) -> tuple[int, list[int]]:
    """Return how far inside a place is, and how many items are before it in each list."""
    return len(place), [part if isinstance(part, int) else 0 for part in place]


def written(place: Sequence[Any]) -> str | None:
    """Return a way through a body as one writes it: names between dots, numbers in brackets."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".") or None


def _message(mistakes: Sequence[Mapping[str, Any]], known: Collection[str]) -> str:
    """Return the message about mistakes in one place, each of another alternative."""
    types = [_TYPES[one["type"]] for one in mistakes if one["type"] in _TYPES]
    others = [one for one in mistakes if one["type"] not in _TYPES]
    if not others:
        return f"Input should be {_joined(types)}"
    first = others[0]
    if first["type"] == "missing":
        return "it is missing"
    if first["type"] == "extra_forbidden":
        return f"there is no such field here{_meant(str(first['loc'][-1]), known)}"
    if first["type"] == "too_short" and not first["ctx"]["actual_length"]:
        least = first["ctx"]["min_length"]
        items = f"a list of at least {least} item{'' if least == 1 else 's'}"
        return f"the list is empty; give {_joined([*types, items])}"
    return str(first["msg"]).removeprefix("Value error, ")


def _meant(name: str, known: Collection[str]) -> str:
    """Return a question after the known field whose name is the most alike, if any is."""
    near = get_close_matches(name[:40], sorted(known), n=1) if name not in known else []
    return f"; did you mean {near[0]}?" if near else "; leave it out"


def field_names(annotation: Any) -> set[str]:
    """Return the names of all fields of a request's type, and of the types within it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        return set(fields).union(*(field_names(field.annotation) for field in fields.values()))
    return set().union(*map(field_names, get_args(annotation)))


def _joined(alternatives: Sequence[str]) -> str:
    *before, last = dict.fromkeys(alternatives)
    return f"{', '.join(before)} or {last}" if before else last


def _placed(mistake: Mapping[str, Any], body: Any) -> _Placed:
    """Return a mistake with its place in the body, from the steps through the schema."""
    place: list[Any] = []
    branch: list[Any] = []
    value = body
    source, *parts = mistake["loc"]
    if source != "body":
        return _Placed(mistake, [source, *parts], ())
    for part in parts:
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        ):
            value = value[part]
        elif mistake["type"] != "missing" or part is not parts[-1]:
            branch.append(part)
            continue
        place.append(part[:40] if isinstance(part, str) else part)
    cause = mistake.get("ctx", {}).get("error")
    if isinstance(cause, FieldError):
        place.append(cause.param)
    return _Placed(mistake, place, tuple(branch))
