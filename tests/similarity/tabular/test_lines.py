import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.tabular import lines
from similarity.tabular.dialects import csv_dialect
from similarity.tabular.lines import byte_lines
from similarity.tabular.records import read_records
from similarity.tabular.texts import read_file

CONTENTS = st.text("ab\r\n", max_size=30).map(str.encode)


@pytest.fixture(scope="module", params=[1, 2, 3, 1000])
def at_once(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many bytes are read at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_AT_ONCE", request.param)
        yield request.param


def found(content: bytes) -> list[bytes]:
    return list(byte_lines(io.BytesIO(content)))


@given(CONTENTS)
def test_the_first_end_says_whether_a_carriage_return_ends_lines(content: bytes) -> None:
    first = re.search(rb"\r\n|\r(?!$)|\n", content)
    any_end = first is not None and first[0] == b"\r"
    assert found(content) == (content.splitlines(True) if any_end else [*io.BytesIO(content)])


@given(content=st.lists(st.sampled_from([b"a", b"bbbb", b"cccccccc", b""]), min_size=1, max_size=9))
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_of_a_line_that_is_too_long_no_other_is_made(
    content: list[bytes], end: bytes, at_once: int
) -> None:
    # Shown by the first line, however little is read at once.
    if end == b"\r" and at_once < 3:
        return
    given_lines = found(end.join([b"", *content, b""]))
    assert len(given_lines) == len(content) + 1
    for got, whole in zip(given_lines[1:], content, strict=True):
        assert got[:at_once] == (whole + end)[:at_once]


@pytest.mark.parametrize(
    ("kind", "content", "values"),
    [
        ("text", "Where is it?\nMy money!\n\nThe end", ["Where is it?", "My money!", "The end"]),
        ("jsonl", '{"text": "a"}\n"b"\n', [{"text": "a"}, "b"]),
        ("csv", 'text,n\n"a, b",1\nc,2\n', [{"text": "a, b", "n": "1"}, {"text": "c", "n": "2"}]),
        ("tsv", 'text\tn\n"a"\t1\nc\t2', [{"text": "a", "n": "1"}, {"text": "c", "n": "2"}]),
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_of_all_formats_have_lines_by_any_end(
    kind: str, content: str, values: list[object], end: str, mark: str
) -> None:
    """By carriage returns alone, a text file was one text, in silence."""
    source = io.BytesIO((mark + content.replace("\n", end)).encode())
    assert [record.value for record in read_records(source, kind)] == values


def test_within_quotation_marks_a_carriage_return_is_of_the_text() -> None:
    """The header, too, may have one where lines end with line feeds."""
    for content in (b'text\r"a\rb"\r', b'text\n"a\rb"\n'):
        (record,) = read_records(io.BytesIO(content), "csv")
        assert record.value == {"text": "a\rb"}
    (record,) = read_records(io.BytesIO(b'"te\rxt",n\n"a\nb",1\n'), "csv")
    assert record.value == {"te\rxt": "a\nb", "n": "1"}


def test_the_dialect_is_found_by_these_lines() -> None:
    content = b"\xef\xbb\xbfa;b\r1,5;2\r2,5;3\r"
    found = csv_dialect(io.BytesIO(content))
    assert (found.delimiter, found.mark) == (";", True)


def test_places_are_lines(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes(b"a\r\rb\r")
    assert read_file(str(path)).places == [f"{path} line 1", f"{path} line 3"]
