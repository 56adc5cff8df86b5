"""The lines of a batch: reads from a record what to compare, or says why it cannot be."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from similarity.errors import InputError
from similarity.given import shown
from similarity.images.image import Content
from similarity.images.sources import image_file
from similarity.prompts import is_unicode
from similarity.tabular.parquet import Written
from similarity.tabular.records import Record
from similarity.tabular.texts import (
    ID_NAMES,
    PAIR_NAMES,
    bytes_hint,
    comma_hint,
    in_any_case,
    pair_columns,
    shown_columns,
)
from similarity.tabular.values import json_text

# Of one line's list: the answer has a similarity and a distance of all of them with all, and those
# of a chunk are held together. It is what a service takes, unless it is told otherwise.
MAX_LIST_TEXTS = 512

_NO_COLUMNS = f"no columns of texts named {', '.join('/'.join(pair) for pair in PAIR_NAMES)}"


@dataclass(frozen=True)
class Item:
    """A comparison that a record names: of a pair, or of all its texts among themselves."""

    record: Record
    custom_id: str
    texts: tuple[Content, ...]
    is_pair: bool


@dataclass(frozen=True)
class Answer:
    """What is written for a record: into the output, or, where it is refused, into the errors."""

    content: dict[str, Any]
    refused: bool = False


def parse(record: Record, columns: Sequence[str] = ()) -> Item:
    """Return the comparison that a record names; its texts are not checked yet.

    Parameters
    ----------
    columns
        Those that have the two texts of a pair, and maybe the id; else they are found.

    Raises
    ------
    InputError
        If it cannot be read, has neither a pair nor texts or more than one pair, or more than
        `MAX_LIST_TEXTS` texts.
    """
    if record.error is not None:
        raise record.error
    content = record.value
    if not isinstance(content, dict):
        raise InputError(f"the line must be a JSON object, got {_shown(content)}")
    _check_names(content)
    custom_id = _custom_id(record, columns)
    compared = _compared(content, columns)
    if len(compared) != 1:
        raise record.lacks(_not_one(content, columns))
    (names,) = compared
    if len(names) == 2:
        return Item(record, custom_id, tuple(_named(content, name) for name in names), True)
    return Item(record, custom_id, tuple(_texts(content, *names)), is_pair=names == ("pair",))


def scores_asked(record: Record) -> int:
    """Return how many numbers the answer to a record has, refused records aside.

    Those are a similarity and a distance for each two texts of a list, or of a pair.
    """
    content = record.value
    texts = content.get("texts") if isinstance(content, dict) else None
    return 2 * len(texts) ** 2 if isinstance(texts, list) and len(texts) <= MAX_LIST_TEXTS else 2


def image_paths(record: Record, columns: Sequence[str] = ()) -> Iterator[str]:
    """Yield the paths of the images that a record compares, also where `parse` refuses it."""
    content = record.value
    # Only what is nested can be one: a table of texts is done here.
    if not isinstance(content, dict) or not any(
        isinstance(one, dict | list) for one in content.values()
    ):
        return
    try:
        compared = _compared(content, columns)
    except InputError:  # `parse` says it
        return
    if len(compared) != 1:
        return
    named = [content[name] for name in compared[0]]
    if len(named) == 1:
        (named,) = named
    for one in named if isinstance(named, list) else ():
        if isinstance(one, dict) and _is_text_or_image(one):
            yield one["image"]


def check_columns(there: Sequence[str], columns: Sequence[str] = ()) -> None:
    """Refuse a table that has no columns of texts, or not those that are named.

    Raises
    ------
    InputError
        If it has neither two columns of texts nor one of lists, or both, or several of either, or
        lacks a named one.
    """
    lacking = [name for name in columns if name not in there]
    compared = [] if lacking else _compared(there, columns)
    if len(compared) > 1:
        both = " and ".join(",".join(names) for names in compared)
        raise InputError(f"several columns to compare, {both}: name two of texts by --columns")
    if not compared:
        missing = f"no column {' and '.join(map(repr, lacking))}" if lacking else _NO_COLUMNS
        names = ", ".join(map(shown, there)) or "none"
        raise InputError(
            f"{missing}; there are {names}: name the two of texts, and "
            f"maybe that of the id, by --columns FIRST,SECOND,ID{comma_hint(there)}"
        )


def refusal(record: Record, reason: str, columns: Sequence[str] = ()) -> Answer:
    """Return the line of the errors file for a record: enough to find and to mend it.

    Parameters
    ----------
    columns
        As `parse` takes them.
    """
    try:
        custom_id = _custom_id(record, columns)
    except InputError:  # the reason, or less than it
        custom_id = str(record.number)
    content = {
        "line": record.number,
        "custom_id": custom_id,
        "reason": " ".join(reason.split()),
        "input": record.shown,
    }
    return Answer(content, refused=True)


def _custom_id(record: Record, columns: Sequence[str]) -> str:
    """Return the record's id as a string, or the number of its line if it has none."""
    fields = record.value if isinstance(record.value, dict) else {}
    there = {name: name for name in fields} if columns[2:] else in_any_case(fields)
    names = [there[name] for name in columns[2:] or ID_NAMES if name in there]
    # An empty cell is no id.
    given = ((name, fields[name]) for name in names)
    name, found = next(
        ((name, one) for name, one in given if one is not None and str(one).strip()), ("", None)
    )
    if found is None:
        return str(record.number)
    if isinstance(found, float) and math.isfinite(found):
        # As pandas has whole numbers, where one is missing. A float may have rounded it.
        exact = Decimal(str(found))
        found = int(exact) if exact == exact.to_integral_value() else found
    # Keys of databases are decimals and times too, in Parquet.
    if not isinstance(found, str | int | Decimal | Written) or isinstance(found, bool):
        raise InputError(f"{name} must be a string or a whole number, got {_shown(found)}")
    return str(found)


def _compared(there: Collection[str], columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Return what of a record may be compared: "pair", "texts", or two fields; one is right.

    Raises
    ------
    InputError
        If several pairs of fields may be.
    """
    found = pair_columns(there, columns)
    lists = () if columns else ("pair", "texts")
    return [*((name,) for name in lists if name in there), *([] if found is None else [found])]


def _check_names(content: dict[str, Any]) -> None:
    # As the name of a column no file of UTF-8 can have it.
    unfit = next((name for name in content if not is_unicode(name)), None)
    if unfit is not None:
        raise InputError(
            f"the name of field {_shown(unfit)} is not valid Unicode: it has half of a character; "
            "rename it"
        )


def _not_one(content: dict[str, Any], columns: Sequence[str]) -> str:
    """Return what is wrong with a record that has nothing to compare, or more than one such."""
    if columns:
        return f"no columns {columns[0]} and {columns[1]}; there are {shown_columns(content)}"
    named = ", ".join("/".join(pair) for pair in PAIR_NAMES)
    return (
        "give either 'pair', two texts, or 'texts', a list of them, or two columns of the "
        f"names {named}; there are {shown_columns(content)}: name the two of texts by --columns"
    )


def _named(content: dict[str, Any], name: str) -> Content:
    if not _is_text_or_image(content[name]):
        hint = bytes_hint(content[name])
        raise InputError(
            f'{name} must be a text or {{"image": path}}, got {_shown(content[name])}{hint}'
        )
    return _read(content[name])


def _texts(content: dict[str, Any], name: str) -> list[Content]:
    texts = content[name]
    if isinstance(texts, list) and name == "texts" and len(texts) > MAX_LIST_TEXTS:
        raise InputError(
            f"texts has {len(texts)} texts, and a line may have at most {MAX_LIST_TEXTS}, as its "
            "answer has the scores of all of them with all; put them into a file of their own, one "
            "a line, and give it to trajsim matrix"
        )
    if not isinstance(texts, list) or not all(map(_is_text_or_image, texts)):
        raise InputError(
            f'{name} must be a list of strings or {{"image": path}}, got {_shown(texts)}'
        )
    if name == "pair" and len(texts) != 2:
        raise InputError(f"pair must have two texts, got {len(texts)}")
    if not texts:
        raise InputError("texts must have at least one text")
    return [_read(text) for text in texts]


def _is_text_or_image(value: object) -> bool:
    if isinstance(value, dict):
        return value.keys() == {"image"} and isinstance(value["image"], str)
    return isinstance(value, str)


def _read(value: Any) -> Content:
    """Return a text as it is, and the image of a path."""
    return image_file(value["image"]) if isinstance(value, dict) else str(value)


def _shown(value: object) -> str:
    text = json_text(value, default=str)
    return text if len(text) <= 40 else f"{text[:40]}…"
