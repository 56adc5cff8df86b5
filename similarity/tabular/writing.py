"""Writes matrices of similarities and other tables, whole or not at all."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from similarity.errors import ConfigError
from similarity.extras import optional_module
from similarity.printable import encodable
from similarity.results import SimilarityMatrix
from similarity.storage import files
from similarity.storage.files import Writer, replace_file, writing
from similarity.tabular.dialects import TAB, CsvDialect
from similarity.tabular.formats import STANDARD

WRITE_FORMATS = ("tsv", "csv", "json", "parquet")
_ROWS_TOGETHER = 16_384
BYTE_ORDER_MARK = "\ufeff"
_COMMAS = CsvDialect()
# A name of a file may have bytes that are not UTF-8: lone surrogates, which JSON has as they are
# and tables with a backslash.
_ESCAPED = "backslashreplace"


def check_place(kind: str, path: str | None) -> None:
    """Refuse what cannot be written, before the work for it.

    Raises
    ------
    ConfigError
        If it is Parquet for standard output.
    InputError
        If no file can be written there.
    MissingDependencyError
        If it is Parquet, and pyarrow is not installed.
    """
    if path is not None and path != STANDARD:
        files.check_place(Path(path))
    elif kind == "parquet":
        raise ConfigError("Parquet goes to a file; name it by --out")
    if kind == "parquet":
        _parquet()


def write_matrix(result: SimilarityMatrix, kind: str, path: str | None) -> None:
    """Write all numbers of a matrix.

    "tsv" and "csv" are a table of similarities, with the texts as its first row and column;
    "parquet" has a row for each pair, with its texts counted from 1; "json" is one object. The
    numbers are whole but in a table for people.

    Parameters
    ----------
    path
        None or "-" is standard output.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    if kind == "json":
        write_text(json.dumps(result.to_dict(), allow_nan=False) + "\n", path)
    elif kind == "parquet":
        replace_output(str(path), lambda new: _write_tables(_pairs(result), new))
    else:
        rows = zip(result.rows, result.similarities, strict=True)
        table = ([text, *values.tolist()] for text, values in rows)
        write_lines(table_lines(["", *result.columns], table, kind), path)


def write_rows(rows: Sequence[Mapping[str, Any]], kind: str, path: str | None) -> None:
    """Write rows with the same columns as "tsv", "csv", "jsonl" or "parquet".

    Parameters
    ----------
    path
        None or "-" is standard output.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    names = list(rows[0]) if rows else []
    if kind == "parquet":
        columns = {name: [row[name] for row in rows] for name in names}
        replace_output(str(path), lambda new: _write_tables(iter([columns]), new))
    elif kind == "jsonl":
        write_lines((_json_line(row) for row in rows), path)
    else:
        write_lines(table_lines(names, (list(row.values()) for row in rows), kind), path)


def stream_rows(
    rows: Iterator[Mapping[str, Any]], kind: str, path: Path, columns: Mapping[str, type]
) -> None:
    """Write rows with the same columns, however many, as "tsv", "csv", "jsonl" or "parquet".

    Parameters
    ----------
    columns
        What each column has, by name: int, float or str. A table without rows has them too.

    Raises
    ------
    MissingDependencyError
        If it is Parquet, and pyarrow is not installed.
    """
    if kind == "parquet":
        _write_tables((_columns(some) for some in _parts(rows)), path, columns)
        return
    with path.open("w", encoding="utf-8", errors=_ESCAPED, newline="") as file:
        if kind == "jsonl":
            file.writelines(map(_json_line, rows))
        else:
            fields = ([row[name] for name in columns] for row in rows)
            file.writelines(table_lines(list(columns), fields, kind))


def _json_line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _parts(rows: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    while some := list(islice(rows, _ROWS_TOGETHER)):
        yield some


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def table_lines(
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    kind: str,
    dialect: CsvDialect = _COMMAS,
) -> Iterator[str]:
    """Yield the lines of a table as "csv" or "tsv", the header first.

    Parameters
    ----------
    dialect
        Of CSV.
    """
    dialect = CsvDialect(TAB) if kind == "tsv" else dialect
    first, *_ = csv_lines([header], dialect.delimiter)
    yield f"{BYTE_ORDER_MARK}{first}" if dialect.mark else first
    yield from csv_lines(rows, dialect.delimiter)


def csv_lines(rows: Iterable[Sequence[Any]], delimiter: str = ",") -> Iterator[str]:
    """Yield rows as CSV, each with its end, which is a line feed."""
    written = io.StringIO()
    # Of the marks that end a line, Python quotes in a cell only those that it ends lines with.
    writer = csv.writer(written, lineterminator="\r\n", delimiter=delimiter)
    for row in rows:
        writer.writerow(row)
        yield written.getvalue().removesuffix("\r\n") + "\n"
        written.seek(0)
        written.truncate()


def write_text(content: str, path: str | None) -> None:
    """Write a text, as `write_lines` writes lines."""
    write_lines([content], path)


def write_lines(lines: Iterable[str], path: str | None) -> None:
    """Write lines, with their ends, to a file, or to standard output for None and "-", in UTF-8.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    if path is None or path == STANDARD:
        sys.stdout.buffer.writelines(line.encode(errors=_ESCAPED) for line in lines)
        sys.stdout.buffer.flush()
        return

    def write(new: Path) -> None:
        with new.open("w", encoding="utf-8", errors=_ESCAPED, newline="") as file:
            file.writelines(lines)

    replace_output(path, write)


def _write_tables(
    tables: Iterator[Mapping[str, Any]], path: Path, columns: Mapping[str, type] | None = None
) -> None:
    """Write tables, each a mapping of equal columns, one after the other to a Parquet file.

    Parameters
    ----------
    columns
        What a file without a table has.
    """
    pyarrow, parquet = _parquet()
    parts = (
        pyarrow.table({name: _strings(values) for name, values in columns.items()})
        for columns in tables
    )
    types = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    empty = {name: pyarrow.array([], types[kind]) for name, kind in (columns or {}).items()}
    first = next(parts, pyarrow.table(empty))
    with parquet.ParquetWriter(path, first.schema) as writer:
        for part in chain([first], parts):
            writer.write_table(part)


def _parquet() -> tuple[Any, Any]:
    """Return pyarrow and its part that writes files."""
    purpose = "Parquet needs"
    return optional_module("pyarrow", purpose), optional_module("pyarrow.parquet", purpose)


def _strings(values: Any) -> Any:
    """Return a column as Parquet can have it."""
    if not isinstance(values, list):
        return values
    return [encodable(value) if isinstance(value, str) else value for value in values]


def replace_output(path: str, write: Writer) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    with writing(path):
        replace_file(Path(path), write)


def _pairs(result: SimilarityMatrix) -> Iterator[dict[str, Any]]:
    """Yield, for some rows of the matrix at a time, a column of each thing known of a pair."""
    count = len(result.columns)
    step = max(1, _ROWS_TOGETHER // max(1, count))
    for start in range(0, len(result.rows), step):
        texts = result.rows[start : start + step]
        yield {
            "row": np.arange(start + 1, start + len(texts) + 1).repeat(count),
            "column": np.tile(np.arange(1, count + 1), len(texts)),
            "text1": [text for text in texts for _ in range(count)],
            "text2": [*result.columns] * len(texts),
            "similarity": result.similarities[start : start + step].ravel(),
            "distance": result.distances[start : start + step].ravel(),
        }
