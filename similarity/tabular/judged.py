"""Pairs of texts with what people said of them, in a file of any format."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from similarity.errors import InputError
from similarity.prompts import checked_text
from similarity.tabular.formats import format_of, open_binary, place
from similarity.tabular.records import OnRead, Record, counted, ignore_read, read_records
from similarity.tabular.texts import (
    PAIR_NAMES,
    bytes_hint,
    comma_hint,
    has_header,
    in_any_case,
    pair_columns,
    shown_columns,
    split_columns,
    unfit_columns,
)
from similarity.tabular.values import to_number

JUDGED_FORMATS = ("jsonl", "csv", "tsv", "parquet")
JUDGEMENT_NAMES = ("score", "judgement", "similarity", "label", "gold")
_ALL_NAMES = (*chain.from_iterable(PAIR_NAMES), *JUDGEMENT_NAMES)


@dataclass(frozen=True)
class JudgedPair:
    """Two texts, how alike people found them, on any scale, and the line that has them."""

    texts: tuple[str, str]
    judgement: float
    line: int = field(default=0, compare=False)


def read_judged_pairs(
    path: str,
    kind: str | None = None,
    columns: str | None = None,
    *,
    on_read: OnRead = ignore_read,
) -> list[JudgedPair]:
    """Return the pairs of a file, or of standard input for "-".

    Parameters
    ----------
    kind
        One of `JUDGED_FORMATS`; None is that of the file's ending.
    columns
        The names of the columns of both texts and of the judgement, between commas; None takes
        those of `PAIR_NAMES` and the first of `JUDGEMENT_NAMES` that are there.
    on_read
        Called now and then with the number of pairs that were read since the last call.

    Raises
    ------
    InputError
        If it cannot be read, has no pairs, or a record is none; it names the line.
    ConfigError
        If the format is unknown, or other than three columns are named.
    """
    names = split_columns(columns)
    if len(names) not in (0, 3):
        raise unfit_columns("two texts and the judgement", columns)
    kind = format_of(path, kind, allowed=JUDGED_FORMATS, flag="--input-format", packed=True)
    try:
        with open_binary(path) as source:
            records = read_records(
                source, kind, header=has_header(names), names=names, only=names or _ALL_NAMES
            )
            pairs = [_judged_pair(record, names) for record in counted(records, on_read)]
    except InputError as error:
        message = str(error)
        here = "" if place(path) in message else f"{place(path)} "
        raise InputError(f"{here}{message}") from error
    if not pairs:
        raise InputError(f"{place(path)} has no pairs; put one on each line, with its judgement")
    if len({pair.judgement for pair in pairs}) < 2:
        raise InputError(
            f"{place(path)} has the judgement {pairs[0].judgement:g} in all of its {len(pairs)} "
            "pairs, which makes no scale; give pairs of which two judgements differ"
        )
    return pairs


def _judged_pair(record: Record, names: Sequence[str]) -> JudgedPair:
    try:
        if record.error is not None:
            raise record.error
        return _of_fields(record, names)
    except InputError as error:
        raise InputError(f"line {record.number}: {error}") from error


def _of_fields(record: Record, names: Sequence[str]) -> JudgedPair:
    value: Any = record.value
    if not isinstance(value, dict):
        raise InputError(f"want two texts and a judgement, got {str(value)[:40]}")
    texts = pair_columns(value, names[:2])
    there = {name: name for name in value} if names else in_any_case(value)
    wanted = names[2:] or JUDGEMENT_NAMES
    judgement = next((there[name] for name in wanted if name in there), None)
    if texts is None or judgement is None:
        pairs = " or ".join("/".join(pair) for pair in PAIR_NAMES)
        missing = (
            f"columns of texts named {pairs}"
            if texts is None
            else f"column of judgements named {' or '.join(wanted)}"
        )
        raise record.lacks(
            f"no {missing}; there are {shown_columns(record.there)}; name yours by --columns"
            f"{comma_hint(record.there)}"
        )
    first, second = (_text(name, value[name]) for name in texts)
    return JudgedPair((first, second), _number(judgement, value[judgement]), record.number)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text, got {str(value)[:40]!r}{bytes_hint(value)}")
    return checked_text(value)


def _number(name: str, value: object) -> float:
    number = to_number(value)
    if number is None or not math.isfinite(number):
        raise InputError(f"{name} must be a number, got {str(value)[:40]!r}")
    return number
