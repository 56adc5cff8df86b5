import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from similarity.distributed.job import Splitter
from similarity.errors import InputError
from similarity.tabular import csv_rows, lines
from similarity.tabular.csv_rows import CsvRow
from similarity.tabular.lines import read_lines
from similarity.tabular.records import read_records
from similarity.tabular.texts import read_file

LIMIT = 8
CONTENTS = st.lists(
    st.sampled_from(["a", "bbb", "b" * 11, '"', '""', ",", "\n", "\r\n", "\r", "\n\n", "ä", "\xff"])
).map(lambda parts: "a,b\n" + "".join(parts))


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    """Lines and rows have so few bytes, and are read in pieces of as many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "MAX_LINE_BYTES", LIMIT)
        patch.setattr(csv_rows, "MAX_LINE_BYTES", LIMIT)
        patch.setattr(lines, "_AT_ONCE", LIMIT + 2)
        patch.setattr(lines, "SHOWN_BYTES", 3)
        patch.setattr(csv_rows, "SHOWN_BYTES", 3)
        yield


def encoded(text: str) -> bytes:
    """Return a text in UTF-8, in which one character is none."""
    return text.encode().replace("\xff".encode(), b"\xff")


def rows(content: bytes, delimiter: str = ",") -> list[CsvRow]:
    return list(csv_rows.csv_rows(read_lines(io.BytesIO(content)), delimiter))


def whole_rows(content: str) -> Iterator[tuple[int, int, list[str] | None, list[str]]]:
    """Yield the rows of Python's csv without limits: their first lines, fields and lines.

    A row has the lines that it has where nothing is a mistake: carriage returns are letters.
    """
    all_lines = io.StringIO(content, newline="\n").readlines()
    lenient = csv.reader(re.sub("\r(?!\n|$)", "x", line) for line in all_lines)
    first = 0
    for _ in lenient:
        of_row = all_lines[first : lenient.line_num]
        try:
            fields = next(csv.reader(of_row, strict=True))
        except csv.Error:
            fields = None
        yield first + 1, lenient.line_num, fields, of_row
        first = lenient.line_num


@given(CONTENTS)
@example('a,b\n"bbbbbbbbbbb"\nc,d\n')
@example('a,b\nb,"bbbbbbbbbbb\nc,d\n",e\nf,g\n')
@example('a,b\n"c\nbbbbbbbbbbb""\nd",e\nf,g\n')
@example('a,b\n"' + "c\n" * 20 + '",d\ne,f\n')
@example('a,b\n"' + "\n" * 20 + "d\ne,f\n")
@example('a,b\n"\xff",bbb"\n"\xff\nc,d\n",e\nf,g\n')
def test_what_is_too_long_or_damaged_is_one_error_and_costs_no_other(content: str) -> None:
    expected = []
    for first, last, fields, of_row in whole_rows(content):
        size = len(encoded("".join(of_row)).removesuffix(b"\n").removesuffix(b"\r"))
        is_damaged = any("\xff" in line for line in of_row)
        # A line that is too long is one of a row that is, unless the row has no other.
        is_long = size > LIMIT
        if not is_long and not is_damaged and "".join(of_row).isspace():
            continue
        given_up = is_long or is_damaged
        expected.append((first, None if given_up else fields, is_long, first < last))
    found = rows(encoded(content))
    assert [(row.number, row.fields) for row in found] == [one[:2] for one in expected]
    for row, (_, fields, is_long, is_several) in zip(found, expected, strict=True):
        said = str(row.error)
        assert (row.error is None) == (fields is not None)
        assert (f"has more than {LIMIT} bytes" in said) == is_long
        assert not is_long or ("what is read as one row" in said) == is_several
        assert not is_long or len(row.shown) <= 3 * len(r"\xff")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_of_any_dialect_follow_a_long_cell(delimiter: str, end: str) -> None:
    long = f'"{"a b " * 50}"'
    for cells in ([long, "b"], ["b", long], [long, long], [f'"c{end}{long[1:]}', '"x""y"']):
        content = f"x,y{end}{','.join(cells)}{end}c,d{end}".replace(",", delimiter)
        head, bad, good = rows(content.encode(), delimiter)
        assert (head.fields, bad.fields, good.fields) == (["x", "y"], None, ["c", "d"])
        assert (bad.number, good.number) == (2, 3 + cells[0].count(end))


@pytest.mark.parametrize("wrong", ["b\rc", '"b"c', '"b" '])
def test_no_line_within_the_quotation_marks_of_a_wrong_row_is_a_row(wrong: str) -> None:
    content = f'x,y\n{wrong},"d\ne,f\n""g"",h"\ni,j\n'
    head, bad, good = rows(content.encode())
    assert (head.fields, bad.fields, good.fields) == (["x", "y"], None, ["i", "j"])
    assert (bad.number, good.number) == (2, 5)
    assert "lines 2 to 4" in str(bad.error)


def test_a_long_row_says_which_lines_it_is() -> None:
    _, bad, good = rows(b'x,y\n"' + b"c\n" * 20 + b'",d\ne,f\n')
    assert str(bad.error) == (
        "what is read as one row, lines 2 to 22, has more than 8 bytes; close its quotation marks, "
        "or shorten it"
    )
    assert (bad.shown, good.number) == ('"c\n', 23)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'"c\n\xe9"\n', "line 3 is not UTF-8 at byte 1; convert it to UTF-8"),
        (b'"\n\nd\xe9\n"\n', "line 4 is not UTF-8 at byte 2; convert it to UTF-8"),
        (b'"\xe9\n\xe9"\n', "the line is not UTF-8 at byte 2; convert it to UTF-8"),
        (b"d\xe9\n", "the line is not UTF-8 at byte 2; convert it to UTF-8"),
    ],
)
def test_a_line_within_a_row_that_cannot_be_read_is_named(content: bytes, says: str) -> None:
    """The row's first line was named, in which there is no such byte."""
    _, bad, good = rows(b"x\n" + content + b"e\n")
    assert (str(bad.error), bad.number, good.fields) == (says, 2, ["e"])


@pytest.mark.parametrize("kind", ["text", "jsonl", "csv", "tsv"])
def test_a_long_line_that_begins_blank_is_no_blank_line(kind: str) -> None:
    first = b"x\n" if kind != "jsonl" else b"1\n"
    records = list(read_records(io.BytesIO(first + b" " * 20 + b"x\n"), kind))
    assert [str(record.error) for record in records if record.error] == [
        f"the line has more than {LIMIT} bytes; shorten it"
    ]


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_the_dialect_is_found_before_a_long_line(kind: str) -> None:
    """Its quotation mark, cut off from its end, took in the rows below it."""
    content = b'x;y\n1,5;a\n"' + b"a" * 40 + b'";b\n' + b"2,5;c\n" * 9
    records = list(
        read_records(io.BytesIO(content.replace(b";", b"\t" if kind == "tsv" else b";")), kind)
    )
    good = [record.value for record in records if record.error is None]
    assert good == [{"x": "1,5", "y": "a"}, *[{"x": "2,5", "y": "c"}] * 9]
    assert len(records) == len(good) + 1


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"x,\xe9\n", "line 1 names the columns, and the line is not UTF-8 at byte 3; convert it"),
        (b"\n\n\xe9\n", "line 3 names the columns, and the line is not UTF-8 at byte 1; convert"),
        (b"x,yyyyyyyyyy\n", "line 1 names the columns, and the line has more than 8 bytes"),
        (b'"x\nx"y\n', "line 1 names the columns, and what is read as one row, lines 1 to 2, is"),
        (b'"x"y\n', "line 1 names the columns, and it is not CSV: more follows the quotation mark"),
        (b"x,\0\n", "bytes of zero in its first line"),
    ],
)
def test_a_damaged_header_is_what_is_wrong(head: bytes, says: str, tmp_path: Path) -> None:
    """The first row below it was taken for the names, and was neither read nor refused."""
    content = head + b"A,B\nC,D\n"
    with pytest.raises(InputError) as raised:
        list(read_records(io.BytesIO(content), "csv"))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(InputError) as raised:
        read_file(str(tmp_path / "in.csv"))
    assert says in str(raised.value)


def test_without_a_header_a_damaged_first_row_costs_itself() -> None:
    bad, good = read_records(io.BytesIO(b"x,\xe9\nA,B\n"), "csv", header=False)
    assert bad.error is not None
    assert good.value == {"1": "A", "2": "B"}


def test_a_long_last_line_does_not_show_that_tsv_has_no_quotation_marks() -> None:
    """By its beginning alone, a job on Ray said so, and read it otherwise."""
    content = b'x\ty\na\tb\n"' + b"a" * 40 + b'"\tb\n'
    found = Splitter("tsv", (), ())({"bytes": content})
    assert [row["bare mark"] for row in found] == [0, 0]
