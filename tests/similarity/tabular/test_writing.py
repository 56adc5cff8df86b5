import csv
import io
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.config import ComparisonConfig
from similarity.fingerprint import Fingerprint
from similarity.models.toy import ToyModel
from similarity.results import SimilarityMatrix
from similarity.tabular import writing
from similarity.tabular.writing import table_lines, write_matrix

CELLS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2)


def matrix(rows: int, columns: int) -> SimilarityMatrix:
    numbers = np.arange(rows * columns, dtype=float).reshape(rows, columns)
    return SimilarityMatrix(
        rows=tuple(f"row {i}" for i in range(rows)),
        columns=tuple(f"column {i}" for i in range(columns)),
        distances=numbers,
        similarities=1 / (1 + numbers),
        fingerprint=Fingerprint(ToyModel().info, ComparisonConfig()),
    )


@pytest.mark.parametrize("together", [1, 10, 1000])
def test_every_pair_of_a_matrix_is_a_row_of_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(writing, "_ROWS_TOGETHER", together)
    result = matrix(7, 5)
    write_matrix(result, "parquet", str(tmp_path / "m.parquet"))
    table = pyarrow.parquet.read_table(tmp_path / "m.parquet")
    expected = [
        {
            "row": i + 1,
            "column": j + 1,
            "text1": result.rows[i],
            "text2": result.columns[j],
            "similarity": result.similarities[i, j],
            "distance": result.distances[i, j],
        }
        for i in range(7)
        for j in range(5)
    ]
    assert table.to_pylist() == expected


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_a_matrix_is_written_a_line_at_a_time(tmp_path: Path, kind: str) -> None:
    result = matrix(3, 4)
    write_matrix(result, kind, str(tmp_path / "m"))
    split = "," if kind == "csv" else "\t"
    first, *lines = [line.split(split) for line in (tmp_path / "m").read_text().splitlines()]
    assert first == ["", *result.columns]
    assert [line[0] for line in lines] == list(result.rows)
    found = [[float(cell) for cell in line[1:]] for line in lines]
    np.testing.assert_array_equal(found, result.similarities)


@pytest.mark.parametrize(("kind", "delimiter"), [("csv", ","), ("tsv", "\t")])
@given(header=CELLS, rows=st.lists(CELLS))
def test_a_table_is_read_back_as_it_was(
    kind: str, delimiter: str, header: list[str], rows: list[list[str]]
) -> None:
    written = "".join(table_lines(header, rows, kind))
    read = csv.reader(io.StringIO(written, newline=""), delimiter=delimiter, strict=True)
    assert list(read) == [header, *rows]


@pytest.mark.parametrize(("kind", "delimiter"), [("csv", ","), ("tsv", "\t")])
@given(rows=st.lists(st.lists(st.text('a \t"\n\r,é', min_size=1), min_size=2, max_size=2)))
def test_pandas_reads_a_table_back_as_it_was(
    kind: str, delimiter: str, rows: list[list[str]]
) -> None:
    pandas = pytest.importorskip("pandas")
    written = "".join(table_lines(["x", "y"], rows, kind))
    options = {"sep": delimiter, "dtype": str, "keep_default_na": False}
    found = pandas.read_csv(io.BytesIO(written.encode()), **options)
    assert found.to_numpy().tolist() == rows
