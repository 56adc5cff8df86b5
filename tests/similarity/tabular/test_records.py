import bz2
import csv
import gzip
import io
import lzma
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.errors import InputError
from similarity.tabular import lines
from similarity.tabular.dialects import note_bare_mark
from similarity.tabular.records import Record, read_records
from similarity.tabular.writing import table_lines, write_rows
from tests.similarity.tabular.test_dialects import TABLES, Table, written


def read(content: bytes, kind: str, header: bool = True) -> list[Record]:
    return list(read_records(io.BytesIO(content), kind, header=header))


def values(content: bytes, kind: str, header: bool = True) -> list[Any]:
    return [record.value for record in read(content, kind, header)]


def test_a_mark_crlf_and_blank_lines_are_no_error() -> None:
    mark = "\ufeff".encode()
    assert values(mark + b"a\r\n\r\n  \nb", "text") == ["a", "b"]
    assert values(mark + b'{"a": 1}\r\n\r\n2\r\n', "jsonl") == [{"a": 1}, 2]
    table = [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}]
    assert values(mark + b"x,y\r\n\r\n1,2\r\n\r\n3,4\r\n", "csv") == table
    assert values(mark + b"x\ty\r\n\r\n1\t2\r\n \r\n3\t4", "tsv") == table


def test_numbers_are_those_of_lines() -> None:
    assert [record.number for record in read(b"\na\n\nb\n", "text")] == [2, 4]
    found = read(b'x,y\n"one\ntwo",2\n\n3,4\n', "csv")
    assert [(record.number, record.value["x"]) for record in found] == [(2, "one\ntwo"), (5, "3")]


def test_csv_and_tsv_have_quotation_marks() -> None:
    assert values(b'x,y\n"a, ""b""",c\n', "csv") == [{"x": 'a, "b"', "y": "c"}]
    assert values(b'x\ty\n"a\t""b""\n"\tc\n', "tsv") == [{"x": 'a\t"b"\n', "y": "c"}]
    assert values(b'x\ty\na "b"\tc"\n', "tsv") == [{"x": 'a "b"', "y": 'c"'}]


@pytest.mark.parametrize("row", [b'"Yes," she said.\tc\n', b'"a\tb\n', b'c\t"a\n', b'"a" \tb\n'])
@pytest.mark.parametrize("before", [b"", b'"c"\td\n', b"\n", b'c\t"d"\n' * 1000])
def test_marks_that_csv_does_not_have_are_characters(
    before: bytes, row: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    note_bare_mark.cache_clear()
    content = b"x\ty\n" + before + row + b'"e"\tf\n'
    for _ in range(2):
        *_, found, last = values(content, "tsv")
    assert "\t".join(found.values()) + "\n" == row.decode()
    assert last == {"x": '"e"', "y": "f"}
    (said,) = caplog.messages  # once
    line = content[: content.rindex(row)].count(b"\n") + 1
    assert (
        f"is read without quotation marks: each is a character of a text. On line {line} " in said
    )


def test_benchmarks_have_no_quotation_marks(caplog: pytest.LogCaptureFixture) -> None:
    content = b'x\ty\n"a"\tb\n"c\td\te\n'
    first, wide = read_records(io.BytesIO(content), "tsv", literal=True)
    assert first.value == {"x": '"a"', "y": "b"}
    assert "a quotation mark is a character here, so write CSV or JSON" in str(wide.error)
    assert caplog.messages == []


@pytest.mark.longer
def test_a_late_row_of_tsv_with_other_marks_costs_itself() -> None:
    good = b"a\tb\n" * 300_000
    content = b"x\ty\n" + good + b'"Yes," she said.\tc\n"e"\tf\n'
    *_, bad, last = read(content, "tsv")
    assert str(bad.error) == (
        "it is not TSV: more follows the quotation mark that ends a field; quote the whole field "
        "and double the marks that are of its text"
    )
    assert last.value == {"x": "e", "y": "f"}


@given(TABLES, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.booleans())
def test_any_table_of_tsv_is_read_as_it_was_written(table: Table, quoting: int, mark: bool) -> None:
    names, *rows = table
    expected = [dict(zip(names, row, strict=True)) for row in rows]
    assert values(written(table, "\t", quoting, mark), "tsv") == expected
    assert values("".join(table_lines(names, rows, "tsv")).encode(), "tsv") == expected


def test_columns_have_numbers_where_no_line_names_them() -> None:
    assert values(b"a,b\nc,d\n", "csv", header=False) == [
        {"1": "a", "2": "b"},
        {"1": "c", "2": "d"},
    ]


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"a\n\xff\nb\n", "text", "not UTF-8 at byte 1"),
        (b'{"a": 1}\n{\n{"a": 2}\n', "jsonl", "is not JSON: Expecting property name"),
        (b'x\na\nb"c"d",\nc\n', "csv", "2 fields and the first line 1"),
        (b'x\na\n"b"c\nd\n', "csv", "not CSV: "),
        (b"x\na\n\xff\nb\n", "csv", "not UTF-8 at byte 1"),
        (b"x\na\nb\tc\nd\n", "tsv", "2 fields and the first line 1"),
    ],
)
def test_a_bad_record_loses_no_other(content: bytes, kind: str, message: str) -> None:
    first, bad, last = read(content, kind)
    assert bad.error is not None
    assert message in str(bad.error)
    assert bad.value is None
    assert bad.number == (2 if kind in ("text", "jsonl") else 3)
    assert first.error is last.error is None


def test_a_quotation_mark_without_end_is_reported() -> None:
    first, bad = read(b'x\na\n"b\nc\n', "csv")
    assert (first.value, bad.number, bad.shown) == ({"x": "a"}, 3, '"b\nc')
    assert "what is read as one row, lines 3 to 4, is not CSV" in str(bad.error)


@pytest.mark.parametrize(
    ("row", "opened", "says"),
    [
        ('c,"d\ne,f\ng,h\n', 3, "is not closed; close it, or"),
        # The first field ends, and the second does not.
        ('"c\nc","d ""e""\nf,g\n', 4, "is not closed; close it, or"),
        # A mark of a later row ends it.
        ('c,"d\ne,f\n"g",h\n', 3, "ends a field on line 5; close that which begins it on line 3"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_a_row_that_takes_others_in_says_where_its_mark_stands(
    row: str, opened: int, says: str, kind: str
) -> None:
    # So far that it is no TSV without quotation marks.
    head, good = "x,y\n", f"{'a' * 10_000},b\n"
    many = 110 if kind == "tsv" else 1
    content = head + good * many + row
    found = read((content.replace(",", "\t") if kind == "tsv" else content).encode(), kind)
    bad = next(record for record in found if record.error)
    said = str(bad.error)
    first = many + 2
    last = first + bad.shown.count("\n")
    assert f"one row, lines {first} to {last}, is not {kind.upper()}" in said
    assert f"on line {first + opened - 3}" in said
    for number in (3, 5):
        says = says.replace(f"line {number}", f"line {first + number - 3}")
    assert says in said


def test_a_row_of_too_many_fields_names_the_lines_that_it_took_in() -> None:
    _, bad, good = read(b'x,y\na,b\nc,"d\ne,f\ng",h\ni,j\n', "csv")
    assert "what is read as one row, lines 3 to 5, has 3 fields" in str(bad.error)
    assert good.number == 6


def test_a_line_without_end_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    monkeypatch.setattr(lines, "SHOWN_BYTES", 3)
    long, full = read(b"x" * 100 + b"\n" + b"y" * 10 + b"\n", "text")
    assert (long.shown, str(long.error)) == ("xxx", "the line has more than 10 bytes; shorten it")
    assert full.value == "y" * 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\n".encode("utf-16"), "begins with the mark of UTF-16; save it as UTF-8"),
        (
            "a\n".encode("utf-16-le"),
            "bytes of zero in its first line, as UTF-16 and UTF-32 have; save it",
        ),
        ("a\n".encode("utf-32"), "begins with the mark of UTF-32; save it as UTF-8"),
        (b"\0\0\xfe\xff\0\0\0a", "begins with the mark of UTF-32; save it as UTF-8"),
        ("a\n".encode("utf-32-le"), "as UTF-16 and UTF-32 have; save it as UTF-8"),
        (b"PAR1\x15\x04\x15\0", "is a file of Parquet; save it as CSV in UTF-8, or name it .parq"),
        (b"ARROW1\0\0\xff", "is a file of Arrow; save it as CSV"),
        (b"\x93NUMPY\x01\0", "is an array of NumPy; save it as CSV"),
        (b"SQLite format 3\0\x10", "is a database of SQLite; save a table of it as CSV"),
        (b"%PDF-1.7\n", "is a PDF; save it as text"),
        (b"\xd0\xcf\x11\xe0\xa1", "is a file of Office; save it as CSV"),
        (gzip.compress(b"a\n", mtime=0), "is compressed by gzip; unpack it, or name it .gz"),
        (lzma.compress(b"a\n"), "is compressed by xz; unpack it, or name it .xz"),
        (bz2.compress(b"a\n"), "is compressed by bzip2; unpack it, as by bzcat"),
        (b"\x28\xb5\x2f\xfd\0", "is compressed by zstd; unpack it, as by zstdcat"),
        (b"\x04\x22\x4d\x18\0", "is compressed by lz4; unpack it, as by lz4cat"),
        (b"7z\xbc\xaf\x27\x1c\0", "is an archive of 7-Zip; unpack it"),
        (b"PK\x03\x04sheet", "is a ZIP archive, as spreadsheets are; save it as CSV in UTF-8"),
    ],
)
def test_what_is_no_text_is_reported(content: bytes, message: str) -> None:
    for kind in ("text", "csv", "jsonl"):
        with pytest.raises(InputError, match=message):
            read(content, kind)


@pytest.mark.parametrize("text", ["PAR1 and PAR2 are receptors", "ARROW1 of 2", "SQLite format 3"])
def test_texts_that_begin_like_other_files_are_read(text: str) -> None:
    (record,) = read(text.encode(), "text")
    assert record.value == text


def test_what_pyarrow_writes_is_named_as_parquet(tmp_path: Path) -> None:
    """It was said to have bytes of zero, as UTF-16 has."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for texts in ([], ["a dog"] * 9):
        parquet.write_table(
            arrow.table({"text": arrow.array(texts, arrow.string())}), tmp_path / "a"
        )
        with pytest.raises(InputError, match="it is a file of Parquet; save it as CSV"):
            read((tmp_path / "a").read_bytes(), "csv")


def test_carriage_returns_alone_are_reported() -> None:
    """Where lines end with line feeds: a file of carriage returns alone is read by those."""
    (bad,) = read(b"x,y\na,b\rc,d\n", "csv")
    assert "a carriage return stands outside quotation marks; quote the field" in str(bad.error)


def test_columns_of_one_name_are_reported() -> None:
    with pytest.raises(InputError, match="two of its columns are named 'x'; keep one, or rename"):
        read(b"x,y,x\na,b,c\n", "csv")
    with pytest.raises(InputError, match="two of its columns are named 'column 2'"):
        read(b"column 2,,\na,b,c\n", "csv")


def test_columns_without_names_are_kept() -> None:
    """Spreadsheets leave them over, beside others and behind them."""
    assert values(b"x,,\na,b,c\n", "csv") == [{"x": "a", "column 2": "b", "column 3": "c"}]
    assert values(b"\tx\t \na\tb\tc\n", "tsv") == [{"column 1": "a", "x": "b", "column 3": "c"}]
    assert values(b",x\na,b\n", "csv") == [{"": "a", "x": "b"}]


def test_a_column_is_found_without_the_blanks_around_its_name_and_keeps_them() -> None:
    """They were taken off in outputs, and two names that differ by them were refused."""
    (row,) = read(b"text1, sp \na,b\n", "csv")
    assert (row.value, dict(row.written)) == ({"text1": "a", "sp": "b"}, {"sp": " sp "})
    (row,) = read(b" sp ,sp,sp \na,b,c\n", "csv")
    assert (row.value, dict(row.written)) == ({" sp ": "a", "sp": "b", "sp ": "c"}, {})
    assert values(b" a,,\n1,2,3\n", "csv") == [{"a": "1", "column 2": "2", "column 3": "3"}]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([" text1", "text2 ", "n"], ["text1", "text2", "n"]),
        ([" text1", "text1", "text1 ", " n "], [" text1", "text1", "text1 ", "n"]),
    ],
)
def test_blanks_around_names_make_no_difference_in_any_format(
    kind: str, names: list[str], found: list[str], tmp_path: Path
) -> None:
    """They did in JSON lines and in Parquet."""
    row = dict(zip(names, "abcd", strict=False))
    write_rows([row], kind, str(tmp_path / "rows"))
    (record,) = read((tmp_path / "rows").read_bytes(), kind)
    assert record.value == dict(zip(found, "abcd", strict=False))
    given = zip(found, names, strict=True)
    assert record.written == {name: written for name, written in given if name != written}


def test_many_columns_are_named_in_time_that_grows_as_they_do() -> None:
    """Each name was looked for among all: 20,000 took seconds, and 200,000 minutes."""
    names = ",".join(map(str, range(200_000)))
    (row,) = read(f"{names}\n{names}\n".encode(), "csv")
    assert len(row.value) == 200_000


def test_parquet_has_columns_of_one_name() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    written = io.BytesIO()
    table = pyarrow.Table.from_arrays([pyarrow.array(["a"]), pyarrow.array(["b"])], ["x", "x"])
    parquet.write_table(table, written)
    with pytest.raises(InputError, match="two of its columns are named 'x'"):
        read(written.getvalue(), "parquet")


def test_parquet() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    written = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": ["a", "b\nc"], "n": [1, None]}), written)
    assert values(written.getvalue(), "parquet") == [
        {"text": "a", "n": 1},
        {"text": "b\nc", "n": None},
    ]
    with pytest.raises(InputError, match="not Parquet"):
        read(b"text", "parquet")


def test_bytes_that_are_no_text_are_the_reason_of_all_else() -> None:
    (record,) = read_records(io.BytesIO(b"a\n\xff\rb\n"), "csv")
    assert "not UTF-8 at byte 1" in str(record.error)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("cell", ["a\r\nb", "a\nb", "\r\na", "a\r\n\r\nb", "a\r", "\na\r\n"])
def test_line_ends_within_a_cell_of_csv_are_of_the_text(cell: str, end: str) -> None:
    content = f'text{end}"{cell}"{end}last{end}'.encode()
    values = [record.value for record in read_records(io.BytesIO(content), "csv")]
    assert values == [{"text": cell}, {"text": "last"}]
