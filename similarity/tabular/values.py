"""Values in files of others: numbers as files have them, and objects that say each thing once."""

import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Self

from similarity.validation import as_float

# Python's own reading takes 1_0 for ten, and the digits of every script.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.I)


def to_number(value: object) -> float | None:
    """Return what stands for a number as one, which may be infinite or NaN; None for all else."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return float(value) if isinstance(value, Decimal) else as_float(value)


class WrittenNumber(float):
    """A number of JSON that a float would not give back as the file has it: it keeps its digits.

    It is `text` where it is written, and a float, maybe an infinite one, where it is counted with.
    """

    text: str

    def __new__(cls, text: str) -> Self:
        """Return the number that a text of JSON stands for."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        """Return what a copy on another machine is made of."""
        return (self.text,)

    def __repr__(self) -> str:
        """Return it as the file has it."""
        return self.text

    __str__ = __repr__


def _fraction(text: str) -> float:
    number = float(text)
    return number if repr(number) == text else WrittenNumber(text)


def _whole(text: str) -> float:
    return WrittenNumber(text) if text == "-0" else int(text)


# How deep a value may be nested: it is written again by functions that call themselves.
MAX_DEPTH = 200
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"
# What files begin with that are no text in UTF-8, and what to do.
_NO_TEXT = {
    b"\xff\xfe\0\0": "begins with the mark of UTF-32; save it as UTF-8",
    b"\0\0\xfe\xff": "begins with the mark of UTF-32; save it as UTF-8",
    b"\xff\xfe": "begins with the mark of UTF-16; save it as UTF-8",
    b"\xfe\xff": "begins with the mark of UTF-16; save it as UTF-8",
    b"\x1f\x8b": "is compressed by gzip; unpack it, or name it .gz",
    b"\xfd7zXZ\0": "is compressed by xz; unpack it, or name it .xz",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it, as by zstdcat",
    b"BZh": "is compressed by bzip2; unpack it, as by bzcat",
    b"\x04\x22\x4d\x18": "is compressed by lz4; unpack it, as by lz4cat",
    b"7z\xbc\xaf\x27\x1c": "is an archive of 7-Zip; unpack it",
    b"PAR1\x15": "is a file of Parquet; save it as CSV in UTF-8, or name it .parquet",
    b"ARROW1\0\0": "is a file of Arrow; save it as CSV in UTF-8",
    b"\x93NUMPY": "is an array of NumPy; save it as CSV in UTF-8",
    b"SQLite format 3\0": "is a database of SQLite; save a table of it as CSV in UTF-8",
    b"%PDF-": "is a PDF; save it as text in UTF-8",
    b"\xd0\xcf\x11\xe0": "is a file of Office; save it as CSV in UTF-8",
    b"PK\x03\x04": "is a ZIP archive, as spreadsheets are; save it as CSV in UTF-8",
}


def no_text(begin: bytes) -> str | None:
    """Return why a file that begins so is no text in UTF-8, or None."""
    found = next((why for mark, why in _NO_TEXT.items() if begin.startswith(mark)), None)
    if found is None and b"\0" in begin.partition(b"\n")[0]:
        return "has bytes of zero in its first line, as UTF-16 and UTF-32 have; save it as UTF-8"
    return found


def json_fault(error: ValueError | RecursionError) -> str:
    """Return why something is no JSON, in words for who wrote it."""
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    if isinstance(error, json.JSONDecodeError):
        # Some of its words end in it.
        return f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"
    if "int_max_str_digits" in str(error):
        return f"a number has more than {sys.get_int_max_str_digits()} digits"
    return str(error)


def json_value(text: str) -> Any:
    """Return the value that a line of JSON has; its numbers keep their digits in `json_text`.

    Raises
    ------
    ValueError, RecursionError
        If it is no JSON, names a thing twice, or is nested more than `MAX_DEPTH` deep.
    """
    value = _decoder().decode(text)
    # Most lines have too few brackets for it.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise ValueError(_TOO_DEEP)
    return value


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=without_repeats, parse_float=_fraction, parse_int=_whole
    )


def json_text(value: Any, *, sort_keys: bool = False, **options: Any) -> str:
    """Return a value as JSON, with each `WrittenNumber` as it was written.

    Parameters
    ----------
    sort_keys
        Whether the names in objects are in order.
    options
        Others that `json.dumps` takes, but those of how it parts what it writes.
    """
    if not _has_written(value):
        return json.dumps(value, sort_keys=sort_keys, **options)
    if isinstance(value, WrittenNumber):
        return value.text
    if isinstance(value, dict):
        items = sorted(value.items()) if sort_keys else value.items()
        inner = (
            f"{json.dumps(name, **options)}: {json_text(one, sort_keys=sort_keys, **options)}"
            for name, one in items
        )
        return f"{{{', '.join(inner)}}}"
    return f"[{', '.join(json_text(one, sort_keys=sort_keys, **options) for one in value)}]"


def _has_written(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_written, value.values()))
    if isinstance(value, list):
        return any(map(_has_written, value))
    return isinstance(value, WrittenNumber)


def _depth(value: object) -> int:
    """Return how deep lists and objects stand in each other."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, list | dict)]:
        depth += 1
        level = [
            inner for one in level for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON by its names and values.

    Raises
    ------
    ValueError
        If a name stands twice, of which any reader takes the value it likes.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"the name {twice[:40]!r} stands twice in an object; keep one")
    return found
