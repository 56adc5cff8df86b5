"""Reads files of labelled pairs and of words, and refuses what cannot be used, with its line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.pair_files import NAMED, rows
from similarity.errors import InputError
from similarity.prompts import checked_text, is_blank

Pair = tuple[str, str]

# The label of pairs whose first text entails the second.
ENTAILMENT = "entailment"
# What all other labels are called together.
REST = "the rest"


@dataclass(frozen=True)
class Labelled:
    """A pair and its label, in lower case."""

    label: str
    pair: Pair


def read_labelled(path: Path, columns: Sequence[str]) -> list[Labelled]:
    """Return the rows of a .tsv, .csv, .jsonl or .parquet file of labelled pairs.

    In .tsv a quotation mark is a character.

    Parameters
    ----------
    columns
        The names of label, first and second.

    Raises
    ------
    InputError
        If it cannot be read, a row is malformed, or a label is empty or REST.
    """
    return [
        Labelled(_label(place, columns[0], label), _pair(place, first, second))
        for place, (label, first, second) in _texts(path, columns)
    ]


def read_words(path: Path, columns: Sequence[str]) -> list[Pair]:
    """Return the pairs of a file whose columns are a hyponym and a hypernym.

    Raises
    ------
    InputError
        If it cannot be read, or a row is malformed.
    """
    return [_pair(place, first, second) for place, (first, second) in _texts(path, columns)]


def _texts(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the columns of each row, all of which have to be texts."""
    for place, row in rows(path, columns, NAMED):
        found = [value for name in columns if isinstance(value := row.get(name), str)]
        if len(found) < len(columns):
            raise InputError(f"{place}: want texts as {', '.join(columns)}")
        yield place, found


def _label(place: str, column: str, given: str) -> str:
    label = given.strip().lower()
    if is_blank(label):
        raise InputError(
            f"{place}: {column} is empty; want {ENTAILMENT!r} or another label. Fill it, or leave "
            "the row out"
        )
    if label == REST:
        raise InputError(
            f"{place}: {column} must not be {given!r}, as all labels but {ENTAILMENT!r} are called "
            "together; name it otherwise, such as 'other'"
        )
    return label


def _pair(place: str, first: str, second: str) -> Pair:
    try:
        return checked_text(first), checked_text(second)
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
