"""Rows of Parquet as plain values: those of JSON, and for all others a text that says the same."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from similarity.errors import InputError
from similarity.extras import optional_module
from similarity.lacking import raise_lacking

_ROWS_TOGETHER = 1024
# In seconds.
_DAY = 86_400
# Digits of a second after the point.
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


@dataclass(frozen=True)
class Written:
    """A value that JSON has no kind for, such as a time: no text, but it is written as one."""

    text: str
    is_bytes: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class ParquetFile:
    """A file of Parquet that is open: the names of all its columns, and its rows."""

    columns: tuple[str, ...]
    rows: Iterator["ParquetRow"]


@dataclass(frozen=True)
class ParquetRow:
    """A row: its values by column, but those that cannot be kept, and why the first cannot."""

    values: dict[str, Any]
    error: InputError | None


def open_parquet(source: BinaryIO, only: Sequence[str] = ()) -> ParquetFile:
    """Return the columns and the rows of a file.

    Times and bytes are `Written`: a time by its digits, in UTC where it has a zone, a duration by
    its seconds, bytes in Base64. Numbers, decimals and texts are as Python has them.

    Parameters
    ----------
    source
        It is read from its end, so all of it is held where it cannot seek.
    only
        The columns to read, in any case, and whatever blanks are around their names; () is all.

    Raises
    ------
    InputError
        If it is no Parquet, or is damaged; also while the rows are read.
    """
    arrow = optional_module("pyarrow", "Parquet needs")
    parquet = optional_module("pyarrow.parquet", "Parquet needs")
    try:
        file = parquet.ParquetFile(source if source.seekable() else BytesIO(source.read()))
        columns = tuple(file.schema_arrow.names)
    except (arrow.ArrowException, UnicodeDecodeError) as error:
        raise_lacking(error)
        raise InputError(f"it is not Parquet: {error}") from error
    except OSError as error:
        raise _damaged(error) from error
    wanted = [name for name in columns if not only or _is_one_of(name, only)]
    return ParquetFile(columns, _rows(arrow, file, wanted))


def _is_one_of(name: str, wanted: Sequence[str]) -> bool:
    """Return whether a column may be one of those that are wanted."""
    short = name.strip()
    return not {name, short, short.lower()}.isdisjoint(wanted)


def _damaged(error: OSError) -> Exception:
    """Return the error of what Arrow cannot decode; that of the disk is left as it is."""
    if error.errno is not None:
        return error
    raise_lacking(error)
    return InputError(f"it cannot be read as Parquet: {' '.join(str(error).split())}")


def _rows(arrow: Any, file: Any, wanted: Sequence[str]) -> Iterator[ParquetRow]:
    batches = file.iter_batches(batch_size=_ROWS_TOGETHER, columns=list(wanted))
    of_these = set(wanted)
    while True:
        try:
            batch = next(batches, None)
        except arrow.ArrowException as error:
            raise_lacking(error)
            raise InputError(f"it is not Parquet: {error}") from error
        except OSError as error:
            raise _damaged(error) from error
        if batch is None:
            return
        # Arrow takes a name for the start of others too, as of nested columns.
        names = [name for name in batch.schema.names if name in of_these]
        cells = {name: _cells(arrow, name, batch.column(name)) for name in names}
        for i in range(batch.num_rows):
            yield _row({name: column[i] for name, column in cells.items()})


def _row(cells: dict[str, Any]) -> ParquetRow:
    error = next((cell for cell in cells.values() if isinstance(cell, InputError)), None)
    if error is None:
        return ParquetRow(cells, None)
    kept = {name: cell for name, cell in cells.items() if not isinstance(cell, InputError)}
    return ParquetRow(kept, error)


def _cells(arrow: Any, name: str, column: Any) -> list[Any]:
    """Return the values of a column; one that cannot be kept is the error that says so."""
    try:
        return _values(arrow, column)
    except (ValueError, RecursionError, arrow.ArrowException) as error:
        if len(column) == 1:
            why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
            return [InputError(f"column {name} cannot be read in this row: {why}")]
    return [cell for i in range(len(column)) for cell in _cells(arrow, name, column.slice(i, 1))]


def _values(arrow: Any, array: Any) -> list[Any]:
    """Return the values of an array of Arrow.

    Raises
    ------
    ValueError, pyarrow.ArrowException
        If one cannot be kept.
    """
    types = arrow.types
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if isinstance(kind, arrow.BaseExtensionType):
        return _extended(arrow, array)
    if types.is_struct(kind):
        return _structs(arrow, array)
    if types.is_nested(kind):
        return [_list(arrow, one) if one.is_valid else None for one in array]
    if types.is_temporal(kind):
        return _times(arrow, array)
    if types.is_float16(kind):
        array = array.cast(arrow.float32())
    values: list[Any] = array.to_pylist()
    if "binary" in str(kind):
        return [one if one is None else Written(b64encode(one).decode(), True) for one in values]
    return values


def _extended(arrow: Any, array: Any) -> list[Any]:
    name = array.type.extension_name
    if name == "arrow.uuid":
        return [one if one is None else str(one) for one in array.to_pylist()]
    values = _values(arrow, array.storage)
    if name == "arrow.bool8":
        return [one if one is None else bool(one) for one in values]
    return values


def _structs(arrow: Any, array: Any) -> list[Any]:
    names = [field.name for field in array.type]
    if len(set(names)) < len(names):
        raise ValueError("two of its fields have one name")
    fields = [_values(arrow, field) for field in array.flatten()]
    return [
        {name: field[i] for name, field in zip(names, fields, strict=True)} if there else None
        for i, there in enumerate(array.is_valid().to_pylist())
    ]


def _list(arrow: Any, cell: Any) -> list[Any]:
    if not arrow.types.is_map(cell.type):
        return _values(arrow, cell.values)
    # A map may have a key twice.
    both = (_values(arrow, one) for one in cell.values.flatten())
    return [list(pair) for pair in zip(*both, strict=True)]


def _times(arrow: Any, array: Any) -> list[Any]:
    """Return times, dates and durations, to their last digit and in any year."""
    kind, types = array.type, arrow.types
    whole = arrow.int32() if kind.bit_width == 32 else arrow.int64()
    numbers = array.view(whole).to_pylist()
    if types.is_date(kind):
        units = 1 if kind.bit_width == 32 else _DAY * 1000
        texts = (_date(one if one is None else one // units, "D") for one in numbers)
    elif types.is_duration(kind):
        texts = (_seconds(one, kind.unit) for one in numbers)
    elif types.is_time(kind):
        texts = (_time(one, kind.unit) for one in numbers)
    else:
        zone = "" if kind.tz is None else "Z"
        texts = (_date(one, kind.unit, zone) for one in numbers)
    return [one if one is None else Written(one) for one in texts]


def _date(number: int | None, unit: Any, zone: str = "") -> str | None:
    if number is None:
        return None
    # Python has no years beyond 9999, and no nanoseconds.
    found = np.datetime64(number, unit)
    if np.isnat(found):
        raise ValueError(f"{number} is no time")
    return f"{found}".replace("T", " ") + zone


def _time(number: int | None, unit: Any) -> str | None:
    if number is None:
        return None
    if not 0 <= number < _DAY * 10 ** _DIGITS[unit]:
        raise ValueError(f"{number} {unit} is no time of a day")
    return f"{np.datetime64(number, unit)}".partition("T")[2]


def _seconds(number: int | None, unit: Any) -> str | None:
    return None if number is None else f"{Decimal(number).scaleb(-_DIGITS[unit]):f}"
