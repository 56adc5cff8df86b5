"""Texts and pairs of texts in records, under the names that users give their columns."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from similarity.errors import ConfigError, InputError
from similarity.printable import printable
from similarity.prompts import checked_text
from similarity.tabular.folders import read_folder
from similarity.tabular.formats import READ_FORMATS, STANDARD, format_of, open_binary, place
from similarity.tabular.parquet import Written
from similarity.tabular.records import (
    OnRead,
    PlacedTexts,
    Record,
    counted,
    ignore_read,
    read_records,
)

TEXT_NAMES = ("text", "sentence", "content", "document", "body", "input")
PAIR_NAMES = (
    ("text1", "text2"),
    ("sentence1", "sentence2"),
    ("text_1", "text_2"),
    ("sentence_1", "sentence_2"),
    ("first", "second"),
    ("s1", "s2"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
)
ID_NAMES = ("custom_id", "id")
# Characters of the name of a column in a message: where a quotation mark is missing, it has lines.
_SHOWN = 40
_QUOTED = "a name that has a comma stands in quotation marks"


def split_columns(columns: str | None) -> tuple[str, ...]:
    """Return the names in a list with commas; () for None. One in quotation marks may have commas.

    Raises
    ------
    ConfigError
        If one is empty or there twice.
    """
    if columns is None:
        return ()
    (row,) = csv.reader([columns], skipinitialspace=True)
    names = tuple(name.strip() for name in row)
    if not all(names) or len(set(names)) < len(names):
        raise unfit_columns("different names between commas", columns)
    return names


def unfit_columns(wanted: str, columns: str | None) -> ConfigError:
    """Return the error of an option --columns that is not what is wanted."""
    hint = f"; {_QUOTED}" if "," in (columns or "") else ""
    return ConfigError(f"--columns wants {wanted}, got {columns!r}{hint}")


def comma_hint(there: Iterable[str]) -> str:
    """Return how --columns takes a name that has a comma, if one of a table's columns has such."""
    names = [name for name in there if "," in name]
    if not names:
        return ""
    # One that is shown otherwise cannot be given so.
    name = next((name for name in names if _shown(name) == name), None)
    doubled = "" if name is None else name.replace('"', '""')
    return f'; {_QUOTED}: "{doubled}"' if doubled else f"; {_QUOTED}"


def shown_columns(there: Iterable[str]) -> str:
    """Return the names of columns for a message: cut where they are long, with escapes.

    Of no columns it is "none".
    """
    return ", ".join(map(_shown, there)) or "none"


def _shown(name: str) -> str:
    # A name of blanks alone would be seen as none.
    name = name if name.strip() else repr(name)
    return printable(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")


def has_header(columns: Sequence[str]) -> bool:
    """Return whether columns are named, or not given at all, rather than numbered from 1."""
    return not columns or not all(name.isdecimal() for name in columns)


def read_file_or_folder(
    path: str,
    kind: str | None = None,
    columns: str | None = None,
    *,
    on_read: OnRead = ignore_read,
) -> PlacedTexts:
    """Return the texts of a file, or those of a folder, which has one in each file.

    Takes what `read_file` does.

    Raises
    ------
    InputError
        As `read_file` and `read_folder` do.
    ConfigError
        If a format or a column is given for a folder.
    """
    if path == STANDARD or not Path(path).is_dir():
        return read_file(path, kind, columns, on_read=on_read)
    if kind is not None or columns is not None:
        raise ConfigError(
            f"{path} is a folder, of which each file is one text; leave --input-format and "
            "--columns out, or give a file"
        )
    return read_folder(Path(path), on_read)


def read_file(
    path: str,
    kind: str | None = None,
    columns: str | None = None,
    *,
    options: bool = True,
    on_read: OnRead = ignore_read,
) -> PlacedTexts:
    """Return the texts of a file, or of standard input for "-".

    Parameters
    ----------
    kind
        One of `READ_FORMATS`; None is that of the file's ending, and text without one.
    columns
        The name of the column that has the texts, or its number where there is no header; None
        takes the first of `TEXT_NAMES` that is there.
    options
        Whether the user has --input-format and --columns for this file, for messages.
    on_read
        Called now and then with the number of texts that were read since the last call.

    Raises
    ------
    InputError
        If it cannot be read, has no texts, or a record has none; it names the line.
    ConfigError
        If the format is unknown, or more than one column is named.
    """
    texts, places = [], []
    for text, where in counted(stream_file(path, kind, columns, options=options), on_read):
        texts.append(text)
        places.append(where)
    if not texts:
        raise InputError(f"{place(path)} has no texts; put one on each line")
    return PlacedTexts(texts=texts, places=places)


def stream_file(
    path: str, kind: str | None = None, columns: str | None = None, *, options: bool = True
) -> Iterator[tuple[str, str]]:
    """Yield the texts of a file, each with what messages call its place, and hold one at a time.

    Takes what `read_file` does but `on_read`, and raises the same. A file may have no texts.
    """
    names = split_columns(columns)
    if len(names) > 1:
        raise unfit_columns("one column of texts", columns)
    flag = "--input-format" if options else None
    kind = format_of(path, kind, allowed=READ_FORMATS, default="text", flag=flag, packed=True)
    if names and kind == "text":
        raise ConfigError(
            f"{place(path)} is read as text, which has no columns; leave --columns out, or give "
            "--input-format csv, tsv, jsonl or parquet"
        )
    here = place(path)
    with open_binary(path) as source:
        for record in _located(path, source, kind, names):
            text = text_of(here, record, names, options=options)
            yield text, f"{here} line {record.number}"


def _located(path: str, source: Any, kind: str, names: Sequence[str]) -> Iterator[Record]:
    try:
        yield from read_records(
            source, kind, header=has_header(names), names=names, only=names or TEXT_NAMES
        )
    except InputError as error:
        raise InputError(f"cannot read {place(path)}: {error}") from error


def text_of(place: str, record: Record, names: Sequence[str], *, options: bool = True) -> str:
    """Return the text of a record.

    Parameters
    ----------
    place
        What messages call where the record is from.
    names
        The column that has it; () takes the first of `TEXT_NAMES` that is there.
    options
        As `read_file` takes it.

    Raises
    ------
    InputError
        If it cannot be read, or has none; it names the line.
    """
    try:
        if record.error is not None:
            raise record.error
        return checked_text(_found_text(record, names, options))
    except InputError as error:
        raise InputError(f"{place} line {record.number}: {error}") from error


def _found_text(record: Record, names: Sequence[str], options: bool) -> str:
    value: Any = record.value
    if isinstance(value, str) and not names:
        return value
    if not isinstance(value, dict):
        raise InputError(f"want a text or an object with one, got {str(value)[:40]}")
    there = {name: name for name in value} if names else in_any_case(value)
    found = [there[name] for name in names or TEXT_NAMES if name in there]
    if not found:
        raise record.lacks(_no_column(names or TEXT_NAMES, record.there, options))
    filled = [name for name in found if value[name] is not None]
    if not filled:
        raise InputError(
            f"there is no text in column {' or '.join(found)}, it is null; give one, or leave the "
            "row out"
        )
    text = value[filled[0]]
    if not isinstance(text, str):
        raise InputError(f"{filled[0]} must be a text, got {str(text)[:40]}{bytes_hint(text)}")
    return text


def bytes_hint(value: object) -> str:
    """Return how a column of bytes, as Parquet may have texts, is written as one of texts."""
    if not isinstance(value, Written) or not value.is_bytes:
        return ""
    return (
        ", bytes in Base64; write the column as texts, as in pandas: frame[column] = "
        'frame[column].str.decode("utf-8")'
    )


def _no_column(wanted: Sequence[str], there: Sequence[str], options: bool) -> str:
    remedy = (
        "name yours by --columns, or give its number, from 1, where the first line has no names"
        f"{comma_hint(there)}"
        if options
        else f"call that of the texts {wanted[0]}"
    )
    return f"no column {' or '.join(wanted)}; there are {shown_columns(there)}; {remedy}"


def pair_columns(there: Iterable[str], names: Sequence[str]) -> tuple[str, str] | None:
    """Return which of the columns there have the two texts of a pair, or None if none do.

    Raises
    ------
    InputError
        If none are named, and several have: any could be meant.
    """
    if names:
        return (names[0], names[1]) if {names[0], names[1]} <= set(there) else None
    known = in_any_case(there)
    found = [pair for pair in PAIR_NAMES if known.keys() >= set(pair)]
    if len(found) > 1:
        pairs = " and ".join(f"{known[one]},{known[other]}" for one, other in found)
        raise InputError(f"several pairs of columns of texts, {pairs}: name one by --columns")
    return next(((known[one], known[other]) for one, other in found), None)


def in_any_case(there: Iterable[str]) -> dict[str, str]:
    """Return the columns there by their names in lower case, and by their own."""
    names = list(there)
    return {name.lower(): name for name in names} | {name: name for name in names}
