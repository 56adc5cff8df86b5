import csv
import io
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from similarity.errors import InputError
from similarity.tabular.dialects import (
    SIGNS,
    CsvDialect,
    bare_mark,
    csv_dialect,
    declared_sign,
    delimiter_of,
)
from similarity.tabular.records import read_records

Table = list[list[str]]

MARK = "\ufeff"
CELLS = st.text("ab ,,;;\t\"\n\rä'", max_size=8)
NAMES = CELLS.map(str.strip).filter(bool)


def is_no_blank(row: Sequence[str]) -> bool:
    """A row that begins with a blank cell may be a blank line."""
    return row[0].strip() != ""


TABLES = st.integers(1, 5).flatmap(
    lambda width: st.tuples(
        st.lists(NAMES, min_size=width, max_size=width, unique=True),
        st.lists(st.lists(CELLS, min_size=width, max_size=width).filter(is_no_blank), max_size=6),
    ).map(lambda table: [table[0], *table[1]])
)
WRITTEN = {
    "sign": st.sampled_from([*SIGNS]),
    "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    "mark": st.booleans(),
}


def written(table: Table, sign: str, quoting: int = csv.QUOTE_MINIMAL, mark: bool = False) -> bytes:
    file = io.StringIO()
    # Python quotes a carriage return only where lines end with one.
    csv.writer(file, delimiter=sign, quoting=quoting, lineterminator="\r\n").writerows(table)  # type: ignore[arg-type]
    return (MARK * mark + file.getvalue()).encode()


def parted(content: bytes, sign: str) -> Table | None:
    """Return a file as another sign parts it, None where it is not CSV then."""
    lines = io.StringIO(content.decode().removeprefix(MARK), newline="")
    try:
        return [row for row in csv.reader(lines, delimiter=sign, strict=True) if row]
    except csv.Error:
        return None


def is_another_table(content: bytes, sign: str, width: int) -> bool:
    """Tell whether another sign makes a table of it too, of at least so many columns."""
    for other in SIGNS:
        rows = None if other == sign else parted(content, other)
        if rows and len(rows[0]) >= max(width, 2) and len({len(row) for row in rows}) == 1:
            return True
    return False


def read(content: bytes, names: Sequence[str] = (), header: bool = True) -> Table:
    records = list(read_records(io.BytesIO(content), "csv", header=header, names=names))
    assert [record.error for record in records if record.error] == []
    rows = [list(record.value.values()) for record in records]
    return [list(records[0].columns), *rows] if records and header else rows


@given(table=TABLES, **WRITTEN)
def test_a_table_comes_back(table: Table, sign: str, quoting: int, mark: bool) -> None:
    """Of all tables but those that are another table by another sign, and those of one column."""
    assume(len(table[0]) > 1 and len(table) > 1)
    content = written(table, sign, quoting, mark)
    assume(not is_another_table(content, sign, len(table[0])))
    assert read(content) == table
    dialect = csv_dialect(io.BytesIO(content))
    assert (dialect.delimiter, dialect.mark) == (sign, mark)


@pytest.mark.longer
@given(table=TABLES, **WRITTEN)
def test_a_table_whose_columns_are_named_comes_back(
    table: Table, sign: str, quoting: int, mark: bool
) -> None:
    """Whatever its signs: no other sign has all of the names. Of one column the comma may."""
    assume(len(table) > 1)
    content = written(table, sign, quoting, mark)
    others = [parted(content, other) for other in SIGNS if other != sign]
    assume(not any(rows and rows[0] == table[0] for rows in others))
    assert read(content, table[0]) == table


@given(table=TABLES, **WRITTEN)
def test_a_table_without_a_header_comes_back(
    table: Table, sign: str, quoting: int, mark: bool
) -> None:
    """Unless commas make a table of it too; numbers of columns can be named."""
    assume(len(table[0]) > 1)
    content = written(table, sign, quoting, mark)
    assume(not is_another_table(content, sign, 2))
    assert read(content, ("2",), header=False) == table


@given(table=TABLES, quoting=WRITTEN["quoting"], mark=WRITTEN["mark"])
def test_a_column_alone_comes_back(table: Table, quoting: int, mark: bool) -> None:
    """If its name has no other sign outside quotation marks, which would part it in two."""
    column = [row[:1] for row in table]
    content = written(column, ",", quoting, mark)
    others = [parted(content, other) for other in ";\t"]
    assume(len(column) > 1 and not any(rows and len(rows[0]) > 1 for rows in others))
    assert read(content) == column


HEADER = ["Ticket #", "What the customer wrote, verbatim", "Closest FAQ entry", "Agent"]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("cells", [["T1", "a", "b", "c"], ["T1", "a, b", "c", "d"]])
def test_a_comma_in_the_name_of_a_column_parts_nothing(cells: list[str], sign: str) -> None:
    assert read(written([HEADER, cells], sign)) == [HEADER, cells]
    assert read(written([HEADER, cells] * 2, sign))[:2] == [HEADER, cells]


def test_a_header_of_several_lines_is_read_whole() -> None:
    table = [["the first,\ntext", "and; the\nsecond"], ["a", "b"]]
    assert read(written(table, ";")) == table


@pytest.mark.parametrize(
    ("content", "sign"),
    [
        # Rows that lack their last fields, as hands write them.
        ("text1,text2,note; internal\na,b\nc,d\n", ","),
        ("text1;text2;note, internal\na;b\nc, d;e\n", ";"),
        # One row of bad quotation marks, or with a comma too many.
        ('text1;text2\n"a"b;c\nd;e\n', ";"),
        ("text1,text2,x;y\na,b,c\na,b,c,d\na;b,c,d\n", ","),
        # Two columns by either sign: commas stand in names, semicolons hardly ever.
        ("question, verbatim;answer\na, b;c\n", ";"),
        ("text1;score\na;0,5\nb;1,5\n", ";"),
        ("text1\tnumber, of it\na\tb\n", "\t"),
        # Nothing parts the header.
        ("text\na, b\n", ","),
        ("text\na; b\n", ","),
        ("", ","),
        ("\n\n", ","),
        ('"no end', ","),
    ],
)
def test_signs_of_files_that_are_not_even(content: str, sign: str) -> None:
    assert delimiter_of(content.splitlines(keepends=True)) == sign


def test_a_column_that_is_named_shows_the_sign() -> None:
    content = b"Asked, verbatim\nHello, you\nGood bye\n"
    assert read(content, ["Asked, verbatim"]) == [["Asked, verbatim"], ["Hello, you"], ["Good bye"]]


def test_without_a_header_it_is_the_comma_if_it_can_be() -> None:
    assert delimiter_of(["A dog; it runs; fast,A puppy\n"], ["1", "2"], header=False) == ","
    assert delimiter_of(["a, b;c\n", "d;e\n"], ["1", "2"], header=False) == ";"


def test_no_more_of_a_file_is_looked_at_than_its_beginning() -> None:
    taken = itertools.count()
    lines = (f"a;b, c\n{next(taken) * ''}" for _ in itertools.count())
    assert delimiter_of(lines) == ";"
    assert next(taken) < 1000
    long = ("a;b\n" if i == 0 else f'"{"x" * 2**20};"\n' for i in itertools.count())
    assert delimiter_of(long) == ";"


@pytest.mark.parametrize("mark", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("sign", SIGNS)
def test_a_first_line_for_excel_says_what_parts_fields(sign: str, end: str, mark: bool) -> None:
    """It goes before what the other lines show, and is none of them."""
    other = next(one for one in SIGNS if one != sign)
    begin = '"sep=%s"' if sign == "\t" else "sep=%s"
    lines = [
        begin % sign,
        f"text1{other}x{sign}text2",
        f"a{other}b{sign}c",
        f"d{other}e{sign}f",
        "",
    ]
    content = (MARK * mark + end.join(lines)).encode()
    assert csv_dialect(io.BytesIO(content)) == CsvDialect(sign, mark)
    assert read(content) == [
        [f"text1{other}x", "text2"],
        [f"a{other}b", "c"],
        [f"d{other}e", "f"],
    ]
    assert next(read_records(io.BytesIO(content), "csv")).number == 3


def test_a_sign_that_is_not_read_is_refused_by_its_name() -> None:
    said = (
        r"its first line says that '\|' parts fields, and commas, semicolons, tabs are read; write"
    )
    for reads in (csv_dialect, lambda file: read_records(file, "csv")):
        with pytest.raises(InputError, match=said):
            reads(io.BytesIO(b"sep=|\na|b\n"))


@pytest.mark.parametrize("first", ["sep=", "sep=;;", "sep;", "xsep=;"])
def test_a_first_line_that_is_none_for_excel_names_columns(first: str) -> None:
    assert declared_sign(f"{first}\n") == ""


def test_fields_that_are_long_do_not_matter() -> None:
    limit = csv.field_size_limit()
    table = [["a, b", "c"], ["x" * 2 * limit, "y"], ["z", "w"]]
    assert read(written(table, ";")) == table
    assert csv.field_size_limit() == limit


def test_a_row_that_is_too_long_says_what_parts_it() -> None:
    *_, bad = read_records(io.BytesIO(b"x;y\na;b\na;b;c\n"), "csv")
    assert "it has 3 fields and the first line 2, parted by semicolons; quote" in str(bad.error)
    assert bad.columns == ("x", "y")


@pytest.mark.parametrize("row", ['a\rb\t"c\n"', 'a\rb\t"c\n""d"" e"', 'a\t"b"\rc\t"d\n"'])
@pytest.mark.parametrize("above", [0, 300])
def test_no_line_of_a_row_that_is_no_csv_shows_how_others_are_written(row: str, above: int) -> None:
    """A carriage return in one row turned the quotation marks of all rows off."""
    content = "x\ty\n" + "1\t2\n" * above + f'{row}\n"He said ""yes""."\tz\n'
    lines = list(io.StringIO(content, newline="\n"))
    assert bare_mark(lines) is None
    *_, bad, good = read_records(io.BytesIO(content.encode()), "tsv")
    assert (bad.number, bad.value) == (2 + above, None)
    assert good.value == {"x": 'He said "yes".', "y": "z"}
    assert bare_mark([*lines, '"a"b\tc\n']) == len(lines) + 1
    parted = ["a,b;c\n", 'd\re,"f\n', *["g;h\n"] * 20, 'i"\n', *["1,2\n"] * 10]
    assert delimiter_of(parted) == ","


@pytest.mark.longer
def test_a_field_that_goes_on_beyond_the_first_lines_shows_no_bare_mark() -> None:
    assert bare_mark(["x\ty\n", '"a\n']) == 2
    assert bare_mark(["x\ty\n", '"a\n', *["b" * 100 + "\n"] * 20_000, '"\tc\n']) is None
    taken = iter(["b\n"] * 2_000_000)
    assert bare_mark(taken) is None
    assert len(list(taken)) > 1_000_000
