import csv
import io
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from similarity.batch.lines import check_columns, parse
from similarity.errors import ConfigError, InputError
from similarity.tabular.judged import read_judged_pairs
from similarity.tabular.records import read_records
from similarity.tabular.texts import PAIR_NAMES, comma_hint, pair_columns, read_file, split_columns
from similarity.tabular.writing import write_rows


def written(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    return str(folder / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "a red car\nthe sea\n"),
        ("a", "a red car\nthe sea\n"),
        ("a.jsonl", '"a red car"\n{"text": "the sea"}\n'),
        ("a.ndjson", '{"id": 1, "sentence": "a red car"}\n{"sentence": "the sea"}\n'),
        ("a.csv", "id,text\n1,a red car\n2,the sea\n"),
        ("a.TSV", "content\tid\na red car\t1\nthe sea\t2\n"),
    ],
)
def test_texts_are_found_in_any_format(name: str, content: str, tmp_path: Path) -> None:
    assert read_file(written(tmp_path, name, content)).texts == ["a red car", "the sea"]


def test_the_format_and_the_column_can_be_given(tmp_path: Path) -> None:
    path = written(tmp_path, "a.dat", "title,body\nx,a\ny,b\n")
    assert read_file(path, "csv", "title").texts == ["x", "y"]
    assert read_file(path, "csv", "2").texts == ["body", "a", "b"]
    assert read_file(path).texts == ["title,body", "x,a", "y,b"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(b"text\na\n")

    monkeypatch.setattr(sys, "stdin", Input)
    assert read_file("-", "csv").texts == ["a"]


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("a.csv", "name\na\n", None, "line 2: no column text or .*; there are name; name yours by"),
        ("a.csv", "name\na\n", "text", "no column text; there are name"),
        ("a.csv", "text\na\n", "2", "no column 2"),
        ("a.jsonl", '{"text": 3}\n', None, "line 1: text must be a text, got 3"),
        (
            "a.jsonl",
            '{"text": null}\n',
            None,
            "line 1: there is no text in column text, it is null",
        ),
        ("a.jsonl", '{"x": null, "text": ""}\n', "x", "there is no text in column x, it is null"),
        ("a.jsonl", '{"body": null, "Text": null}\n', None, "no text in column Text or body"),
        ("a.jsonl", "[1]\n", None, r"want a text or an object with one, got \[1\]"),
        ("a.jsonl", '"a"\n\n{\n', None, "line 3: the line is not JSON"),
        ("a.txt", "\n \n", None, "has no texts"),
        ("a.parquet", "no", None, "cannot read .*: it is not Parquet"),
        ("a.csv", "text\na\rb\n", None, "line 2: it is not CSV: a carriage return stands outside"),
    ],
)
def test_what_is_wrong_is_reported_with_its_line(
    name: str, content: str, columns: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        read_file(written(tmp_path, name, content), None, columns)


def test_known_names_are_found_in_any_case(tmp_path: Path) -> None:
    assert read_file(written(tmp_path, "a.csv", "ID,Text\n1,a\n")).texts == ["a"]
    assert pair_columns(["Score", "Sentence1", "SENTENCE2"], ()) == ("Sentence1", "SENTENCE2")
    # Of two that differ in case alone, the known one.
    assert pair_columns(["TEXT1", "text1", "text2"], ()) == ("text1", "text2")
    # A name that is given is that name.
    assert pair_columns(["Text1", "text2"], ("text1", "text2")) is None


def test_the_name_of_a_column_may_have_commas() -> None:
    assert split_columns('a, "FAQ entry, as shown",Ticket #') == (
        "a",
        "FAQ entry, as shown",
        "Ticket #",
    )


def test_bad_columns_and_formats_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.npy", "")
    for arguments, message in (
        ((path,), "cannot be npy, as its ending has it; give --input-format text, jsonl,"),
        ((path, "csv", "a,b"), "one column of texts"),
        ((path, "text", "name"), "is read as text, which has no columns; leave --columns out"),
        ((str(tmp_path / "a.xlsx"),), "cannot be xlsx, as its ending has it; give --input-format"),
        ((path, "csv", "a,,b"), "different names between commas"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_file(*arguments)


def test_pairs_are_found_by_the_names_that_are_common() -> None:
    for first, second in (("text1", "text2"), ("sentence1", "sentence2"), ("text_1", "text_2")):
        row = {"score": 1, second: "b", first: "a"}
        assert pair_columns(row, ()) == (first, second)
    assert pair_columns({"text1": "a", "text_2": "b"}, ()) is None
    assert pair_columns({"x": "a", "y": "b", "text1": "", "text2": ""}, ("y", "x")) == ("y", "x")
    assert pair_columns({"x": "a"}, ("x", "y")) is None


@pytest.mark.parametrize(("first", "other"), list(itertools.pairwise(PAIR_NAMES)))
def test_of_several_pairs_of_columns_none_is_taken_unnamed(
    first: tuple[str, str], other: tuple[str, str]
) -> None:
    there = [*other, *first, "id"]
    said = f"several pairs of columns of texts, .*{','.join(other)}.*: name one by --columns"
    with pytest.raises(InputError, match=said):
        pair_columns(there, ())
    assert pair_columns(there, other) == other


def test_a_row_with_too_few_fields_is_named_as_that(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("who,text\nAnn,a red car\nBob\n")
    said = "line 3: it has 1 field and the first line 2, parted by commas; add those that are"
    for columns in (None, "text"):
        with pytest.raises(InputError, match=said):
            read_file(str(path), columns=columns)
    # What is not read may be missing.
    assert read_file(str(path), columns="who").texts == ["Ann", "Bob"]


LONG = ", ".join(["wordy\n name"] * 30)


@pytest.mark.parametrize("there", [["a", LONG], [f"a,{LONG}"], ["a,\x1b[1m", LONG]], ids=ascii)
def test_a_long_name_of_a_column_is_not_shown_whole(tmp_path: Path, there: list[str]) -> None:
    """A header whose quotation mark is not closed has whole lines for a name."""
    file = tmp_path / "t.csv"
    with file.open("w") as opened:
        csv.writer(opened).writerows([there, ["b"] * len(there)])
    for read in (
        lambda: read_file(str(file)),
        lambda: read_judged_pairs(str(file)),
        lambda: check_columns(there),
        lambda: check_columns(there, ("text",)),
    ):
        with pytest.raises(InputError, match="a name that has a comma stands in") as caught:
            read()
        assert str(caught.value).isprintable()
        assert str(caught.value).count("wordy") <= 4
    assert comma_hint([LONG, "a, b"]).endswith(': "a, b"')


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("name", ["text ", " Text", "TEXT"])
def test_a_column_of_texts_is_found_whatever_its_blanks_and_case(
    kind: str, name: str, tmp_path: Path
) -> None:
    path = str(tmp_path / f"rows.{kind}")
    write_rows([{"n": 1, name: "a red car"}], kind, path)
    assert read_file(path).texts == ["a red car"]
    assert read_file(path, columns=name).texts == ["a red car"]


@pytest.mark.parametrize(
    ("row", "named"), [("{}", "none"), ('{"": "a"}', "''"), ('{" ": "a", "b": "c"}', "'', b")]
)
def test_names_that_cannot_be_seen_are_named(
    row: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of them was empty: "there are : name the two of texts"."""
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, "a.jsonl", row)

    def compared(columns: Sequence[str]) -> None:
        (record,) = read_records(io.BytesIO(row.encode()), "jsonl")
        parse(record, columns)

    for reads in (
        lambda: compared(()),
        lambda: compared(("x", "y")),
        lambda: read_file(path),
        lambda: read_judged_pairs(path),
    ):
        with pytest.raises(InputError, match=f"; there are {named}([:;]|$)"):
            reads()
    with pytest.raises(InputError, match="; there are none: name"):
        check_columns([])
