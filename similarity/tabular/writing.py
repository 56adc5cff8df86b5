"""Writes matrices of similarities and other tables, whole or not at all."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from similarity.errors import ConfigError, InputError
from similarity.extras import optional_module
from similarity.results import SimilarityMatrix
from similarity.storage.files import Writer, replace_file
from similarity.tabular.formats import STANDARD

WRITE_FORMATS = ("tsv", "csv", "json", "parquet")
_ROWS_TOGETHER = 16_384
_BREAKS = str.maketrans("\t\n\r", "   ")


def check_place(kind: str, path: str | None) -> None:
    """Refuse what cannot be written.

    Raises
    ------
    ConfigError
        If it is Parquet for standard output.
    InputError
        If there is no such folder.
    """
    if path is None or path == STANDARD:
        if kind == "parquet":
            raise ConfigError("Parquet goes to a file; name it by --out")
    elif not Path(path).parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {Path(path).parent}")


def write_matrix(result: SimilarityMatrix, kind: str, path: str | None) -> None:
    """Write all numbers of a matrix.

    "tsv" and "csv" are a table of similarities, with the texts as its first row and column;
    "parquet" has a row for each pair; "json" is one object. The numbers are whole but in a table
    for people.

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
        write_parquet(_pairs(result), str(path))
    else:
        rows = zip(result.rows, result.similarities.tolist(), strict=True)
        header = ["", *result.columns]
        write_text(as_table(header, ([text, *values] for text, values in rows), kind), path)


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
        write_parquet({name: [row[name] for row in rows] for name in names}, str(path))
    elif kind == "jsonl":
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
        write_text("".join(f"{line}\n" for line in lines), path)
    else:
        write_text(as_table(names, (list(row.values()) for row in rows), kind), path)


def stream_rows(rows: Iterator[Mapping[str, Any]], kind: str, path: Path) -> None:
    """Write rows with the same columns, however many, as "tsv", "csv", "jsonl" or "parquet".

    Raises
    ------
    MissingDependencyError
        If it is Parquet, and pyarrow is not installed.
    """
    if kind == "parquet":
        _stream_parquet(rows, path)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        begun = False
        for some in _parts(rows):
            if kind == "jsonl":
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in some)
            else:
                table = as_table(list(some[0]), [list(row.values()) for row in some], kind)
                file.write(table.partition("\n")[2] if begun else table)
            begun = True


def _stream_parquet(rows: Iterator[Mapping[str, Any]], path: Path) -> None:
    pyarrow = optional_module("pyarrow", "Parquet needs")
    parquet = optional_module("pyarrow.parquet", "Parquet needs")
    parts = (pyarrow.Table.from_pylist(some) for some in _parts(rows))
    first = next(parts, pyarrow.table({}))
    with parquet.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for table in parts:
            writer.write_table(table)


def _parts(rows: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    while some := list(islice(rows, _ROWS_TOGETHER)):
        yield some


def as_table(header: Sequence[str], rows: Iterable[Sequence[Any]], kind: str) -> str:
    """Return a table as "csv" or "tsv".

    TSV has no quotation marks, so that a tab or a line break in a text becomes a space there.
    """
    written = io.StringIO()
    if kind == "csv":
        writer = csv.writer(written, lineterminator="\n")
        writer.writerows([header, *rows])
    else:
        for row in (header, *rows):
            # Nothing is an empty field, as in CSV.
            cells = ("" if cell is None else str(cell).translate(_BREAKS) for cell in row)
            written.write("\t".join(cells) + "\n")
    return written.getvalue()


def write_text(content: str, path: str | None) -> None:
    """Write to a file, or to standard output for None and "-", in UTF-8.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    if path is None or path == STANDARD:
        sys.stdout.buffer.write(content.encode())
        sys.stdout.buffer.flush()
        return
    replace_output(path, lambda new: new.write_text(content, encoding="utf-8"))


def write_parquet(columns: dict[str, Any], path: str) -> None:
    """Write columns of equal length to a Parquet file.

    Raises
    ------
    InputError
        If it cannot be written.
    MissingDependencyError
        If pyarrow is not installed.
    """
    pyarrow = optional_module("pyarrow", "Parquet needs")
    parquet = optional_module("pyarrow.parquet", "Parquet needs")
    replace_output(path, lambda new: parquet.write_table(pyarrow.table(columns), new))


def replace_output(path: str, write: Writer) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        replace_file(Path(path), write)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def _pairs(result: SimilarityMatrix) -> dict[str, Any]:
    """Return a column for each thing that is known of a pair, row by row of the matrix."""
    numbers = range(len(result.rows)), range(len(result.columns))
    return {
        "row": [i for i in numbers[0] for _ in numbers[1]],
        "column": [j for _ in numbers[0] for j in numbers[1]],
        "text1": [text for text in result.rows for _ in numbers[1]],
        "text2": list(_repeated(result.columns, len(result.rows))),
        "similarity": result.similarities.ravel(),
        "distance": result.distances.ravel(),
    }


def _repeated(texts: Sequence[str], times: int) -> Iterator[str]:
    for _ in range(times):
        yield from texts
