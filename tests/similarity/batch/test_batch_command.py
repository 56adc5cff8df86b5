"""`trajsim batch`, as a user gives it."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from similarity.cli.main import main
from tests.conftest import ROOT
from tests.similarity.batch.test_batch import GOOD, as_lines, files_in, read
from tests.tiny_models import save_tiny_model

OPTIONS = ("--model", "toy", "--preset", "paper", "-n", "2", "-m", "3")


def command(tmp_path: Path, *more: str) -> Result:
    arguments = ("batch", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"))
    return CliRunner().invoke(main, [*arguments, *OPTIONS, *more])


def test_command_says_what_it_did(tmp_path: Path) -> None:
    files_in(tmp_path, as_lines(GOOD) + b"bad\n")
    result = command(tmp_path, "--errors", str(tmp_path / "refused"))
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert f"wrote 4 answers to {tmp_path / 'out.jsonl'}" in result.stderr
    assert f"1 line could not be compared: {tmp_path / 'refused'}" in result.stderr
    assert read(tmp_path / "refused")[0]["line"] == 5
    again = command(tmp_path, "--errors", str(tmp_path / "refused"))
    assert again.exit_code == 0
    assert "out.jsonl is finished, with answers to 4 of 5 lines; to begin anew" in again.stderr
    # Asked for in other words, it is found to be the same by what is loaded.
    otherwise = command(tmp_path, "--errors", str(tmp_path / "refused"), "--no-cache", "-n", "2")
    assert otherwise.exit_code == 0
    assert otherwise.stderr == again.stderr


def test_a_finished_batch_loads_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_in(tmp_path)
    assert command(tmp_path).exit_code == 0
    written = files.output.read_bytes()
    monkeypatch.setattr("similarity.cli.batch_command.open_model", lambda *_: 1 / 0)
    assert "is finished" in command(tmp_path).stderr
    # An output that was changed is refused without one, and stays as it is.
    for changed in (written + b" ", written[:-1], b"x" + written[1:]):
        files.output.write_bytes(changed)
        result = command(tmp_path)
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
        assert files.output.read_bytes() == changed
    files.output.unlink()
    assert f"{files.output} is gone" in command(tmp_path).stderr
    assert not files.output.exists()
    files.output.write_bytes(written)
    files.refused.unlink()  # nothing was in it
    assert "is finished" in command(tmp_path).stderr
    # For any other it is loaded: another setting, an input that was changed.
    assert isinstance(command(tmp_path, "-n", "3").exception, ZeroDivisionError)
    files.input.write_bytes(b"{}")
    assert isinstance(command(tmp_path).exception, ZeroDivisionError)


def test_a_finished_batch_without_answers_fails_again(tmp_path: Path) -> None:
    files_in(tmp_path, b"bad\n")
    for _ in range(2):
        assert command(tmp_path).exit_code == 2


def test_renamed_columns_are_reported(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text1,text2,similarity\na,b,1\n")
    arguments = ["batch", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), *OPTIONS]
    message = CliRunner().invoke(main, arguments).stderr
    assert "of the columns of the input, in the output similarity is input_similarity" in message


def test_a_folder_is_no_file_of_pairs(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["batch", str(tmp_path), str(tmp_path / "o.csv"), *OPTIONS])
    assert result.exit_code == 2
    assert "is a folder; give a file of pairs" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--chunk", "0"), "a chunk must have at least 1 line, got 0"),
        (("--errors", "in.jsonl"), "must be different files"),
        (("--preset", "paper", "--vectors", "x"), "leave vectors out"),
    ],
)
def test_bad_options_are_one_clear_line(
    options: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files_in(tmp_path)
    result = command(tmp_path, *options)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert message in result.stderr


def test_standard_input_goes_on_too(tmp_path: Path) -> None:
    out = str(tmp_path / "out.jsonl")
    for _ in range(2):
        arguments = ("batch", "-", out, "--format", "csv", *OPTIONS)
        result = CliRunner().invoke(main, arguments, input="text1,text2\na,b\n")
        assert result.exit_code == 0, result.output
    assert "out.jsonl is finished" in result.stderr
    assert read(tmp_path / "out.jsonl")[0]["custom_id"] == "2"


def test_a_pipe_as_input_is_stored_first(tmp_path: Path) -> None:
    """It can be read only once, as what a shell gives for `<(…)`."""
    pipe, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    os.mkfifo(pipe)

    def given(content: str) -> Result:
        writer = Thread(target=pipe.write_text, args=(content,))
        writer.start()
        try:
            return CliRunner().invoke(main, ["batch", str(pipe), str(out), *OPTIONS])
        finally:
            writer.join()

    for _ in range(2):
        result = given("text1,text2\na,b\n")
        assert result.exit_code == 0, result.output
    assert "out.jsonl is finished" in result.stderr
    assert read(out)[0]["custom_id"] == "2"
    out.unlink()
    assert f"{pipe} has no lines" in given("\n").stderr


@pytest.mark.parametrize("ending", ["csv", "tsv", "ndjson"])
def test_outputs_of_other_endings_are_other_batches(tmp_path: Path, ending: str) -> None:
    files_in(tmp_path, as_lines(GOOD[:1]) + b"bad\n")
    other = ["batch", str(tmp_path / "in.jsonl"), str(tmp_path / f"out.{ending}"), *OPTIONS]
    for _ in range(2):
        assert command(tmp_path).exit_code == 0
        assert CliRunner().invoke(main, other).exit_code == 0
    for name in ("out.jsonl", f"out.{ending}"):
        (refused,) = read(tmp_path / f"{name}.errors.jsonl")
        assert refused["line"] == 2


@pytest.mark.parametrize("content", [b"", b"bad\n"])
def test_an_errors_file_of_another_batch_is_refused(tmp_path: Path, content: bytes) -> None:
    files_in(tmp_path, as_lines(GOOD[:1]) + content)
    errors = tmp_path / "refused"
    assert command(tmp_path, "--errors", str(errors)).exit_code == 0
    there = errors.read_bytes()
    (tmp_path / "folder").mkdir()
    for place in ("other.csv", "folder/other.csv"):
        arguments = ["batch", str(tmp_path / "in.jsonl"), str(tmp_path / place), *OPTIONS]
        result = CliRunner().invoke(main, [*arguments, "--errors", str(errors)])
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
        if place == "other.csv":
            assert "refused is of another batch, that of " in result.stderr
        assert not (tmp_path / place).exists()
    assert errors.read_bytes() == there
    # The batch that has it goes on.
    assert command(tmp_path, "--errors", str(errors)).exit_code == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"bad\n{\n", "no line could be compared: "),
        (b"", "has no lines"),
        (b"\r\n \n", "has no lines"),
    ],
)
def test_an_input_without_one_line_to_compare_fails(
    content: bytes, message: str, tmp_path: Path
) -> None:
    files_in(tmp_path, content)
    result = command(tmp_path)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    if b"bad" in content:
        assert "line 1: the line is not JSON" in result.stderr


def test_what_cannot_be_is_refused_before_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("similarity.cli.batch_command.open_model", lambda *_: 1 / 0)
    files = files_in(tmp_path)
    source, output = str(files.input), str(files.output)
    for arguments, message in (
        ((source, "-"), "OUTPUT must be a file"),
        ((str(tmp_path / "none"), output), "No such file"),
        ((source, str(tmp_path / "out.parquet")), "cannot be parquet"),
        ((source, output, "--columns", "a"), "two texts and maybe an id"),
    ):
        result = CliRunner().invoke(main, ["batch", *arguments])
        assert (result.exit_code, message in result.stderr) == (2, True), result.output


@pytest.mark.parametrize(
    "wrong", [(), ("--columns", "asked,found"), ("--columns", "wrote,answer,ticket #")]
)
def test_a_table_without_the_columns_leaves_nothing_behind(
    wrong: tuple[str, ...], tmp_path: Path
) -> None:
    table, output = tmp_path / "rows.csv", tmp_path / "out.csv"
    table.write_text("Ticket #,wrote,answer\r\nT-1,a,b\r\nT-2,a,c\r\n", "utf-8-sig")
    arguments = ["batch", str(table), str(output), *OPTIONS]
    refused = CliRunner().invoke(main, [*arguments, *wrong])
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
    assert f"{table} has no column" in refused.stderr
    assert "there are 'Ticket #', 'wrote', 'answer': name the two of texts" in refused.stderr
    assert list(tmp_path.iterdir()) == [table]
    assert "quotation marks" not in refused.stderr
    # What the message says to do can be done.
    done = CliRunner().invoke(main, [*arguments, "--columns", "wrote,answer"])
    assert done.exit_code == 0, done.output


def test_of_two_pairs_of_columns_one_is_to_be_named(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("sentence1,sentence2,text1,text2\na,b,c,c\n")
    arguments = ["batch", str(table), str(tmp_path / "out.csv"), *OPTIONS]
    refused = CliRunner().invoke(main, arguments)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
    said = "has several pairs of columns of texts, text1,text2 and sentence1,sentence2: name one by"
    assert f"{table} {said} --columns" in refused.stderr
    assert list(tmp_path.iterdir()) == [table]
    for columns, is_same in (("text1,text2", True), ("sentence1,sentence2", False)):
        output = tmp_path / f"{columns}.csv"
        arguments[2] = str(output)
        done = CliRunner().invoke(main, [*arguments, "--columns", columns])
        assert done.exit_code == 0, done.output
        (row,) = csv.DictReader(output.read_text().splitlines())
        assert (float(row["distance"]) == 0) == is_same


@pytest.mark.parametrize("name", ["pair", "texts"])
def test_beside_a_column_called_as_a_list_two_of_texts_are_to_be_named(
    name: str, tmp_path: Path
) -> None:
    """All rows were refused, also where the columns were named."""
    table, output = tmp_path / "rows.csv", tmp_path / "out.csv"
    table.write_text(f"{name},text1,text2\n7,a red car,a red car\n")
    arguments = ["batch", str(table), str(output), *OPTIONS]
    refused = CliRunner().invoke(main, arguments)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
    said = f"has several columns to compare, {name} and text1,text2: name two of texts by --columns"
    assert f"{table} {said}" in refused.stderr
    assert list(tmp_path.iterdir()) == [table]
    done = CliRunner().invoke(main, [*arguments, "--columns", "text1,text2"])
    assert done.exit_code == 0, done.output
    (row,) = csv.DictReader(output.read_text().splitlines())
    assert (float(row["similarity"]), row[name]) == (1, "7")


def test_a_table_with_a_line_for_excel_is_scored(tmp_path: Path) -> None:
    table, output = tmp_path / "rows.csv", tmp_path / "out.csv"
    table.write_text("sep=;\ntext1;text2\na;b\n")
    done = CliRunner().invoke(main, ["batch", str(table), str(output), *OPTIONS])
    assert done.exit_code == 0, done.output
    assert [line.split(";")[:3] for line in output.read_text().splitlines()] == [
        ["custom_id", "text1", "text2"],
        ["3", "a", "b"],
    ]


SPREADSHEET = """Ticket #;What they wrote, verbatim;Answer;Similarity
T-1;"Hello, where; is it?";Here, there;0,5
T-2;I want it, now;Later;0,25
"""


def test_a_spreadsheet_of_semicolons_with_commas_in_its_names(tmp_path: Path) -> None:
    table, output = tmp_path / "rows.csv", tmp_path / "out.csv"
    table.write_text(SPREADSHEET)
    arguments = ["batch", str(table), str(output), *OPTIONS]
    for wrong, message in (
        ((), "has no columns of texts named text1/text2"),
        (("--columns", "Answer,Question"), f"{table} has no column 'Question'; there are"),
        # Of three names that are there, two are joined by a comma that is not quoted.
        (
            ("--columns", "What they wrote, verbatim,Answer,Ticket #"),
            "two texts and maybe an id, got 'What they wrote, verbatim,Answer,Ticket #'",
        ),
    ):
        refused = CliRunner().invoke(main, [*arguments, *wrong])
        assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
        assert message in refused.stderr
        assert "a name that has a comma stands in quotation marks" in refused.stderr
    assert list(tmp_path.iterdir()) == [table]
    columns = '"What they wrote, verbatim",Answer,Ticket #'
    done = CliRunner().invoke(main, [*arguments, "--columns", columns])
    assert done.exit_code == 0, done.output
    header, first, _ = output.read_text().splitlines()
    assert header.startswith("custom_id;Ticket #;What they wrote, verbatim;Answer;input_Similarity")
    assert first.startswith('T-1;T-1;"Hello, where; is it?";Here, there;0,5;')


def test_columns_are_missed_although_the_first_row_is_bad(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("a,b\n1,2,3\n1,2\n")
    refused = CliRunner().invoke(main, ["batch", str(table), str(tmp_path / "out.csv"), *OPTIONS])
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
    assert "has no columns of texts" in refused.stderr
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.parametrize(("columns", "warned"), [("3,2,1", True), ("a,b", False)])
def test_columns_by_number_say_what_becomes_of_the_first_line(
    columns: str, warned: bool, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("id,b,a\n1,x,y\n")
    arguments = ["batch", str(tmp_path / "rows.csv"), str(tmp_path / "out.csv"), *OPTIONS]
    done = CliRunner().invoke(main, [*arguments, "--columns", columns])
    assert done.exit_code == 0, done.output
    assert ("the first line is compared as all others" in done.stderr) == warned


def test_no_input_is_one_clear_line(tmp_path: Path) -> None:
    result = command(tmp_path)
    assert result.exit_code == 2
    assert "cannot read" in result.stderr
    assert "No such file" in result.stderr


def test_killed_for_good_it_goes_on(tmp_path: Path) -> None:
    """A process killed with -9 while another is refused, against one left alone."""
    many = as_lines([GOOD[0] | {"custom_id": str(i)} for i in range(3000)])
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    files_in(tmp_path / "whole", many)
    files = files_in(tmp_path / "killed", many)
    assert command(tmp_path / "whole", "--chunk", "50").exit_code == 0
    arguments = ("batch", str(files.input), str(files.output), *OPTIONS, "--chunk", "50")
    process = subprocess.Popen([sys.executable, "-m", "similarity", *arguments], cwd=ROOT)
    # The header, and the first chunk.
    while not files.journal.exists() or files.journal.read_bytes().count(b"\n") < 2:
        time.sleep(0.01)
    refused = command(tmp_path / "killed", "--chunk", "50")
    process.kill()
    process.wait()
    assert refused.exit_code == 2
    assert "another process is writing" in refused.stderr
    assert len(read(files.journal)) < 61
    resumed = command(tmp_path / "killed", "--chunk", "50")
    assert "lines were done before" in resumed.stderr
    assert files.output.read_bytes() == (tmp_path / "whole" / "out.jsonl").read_bytes()


def test_links_in_a_circle_are_one_clear_line(tmp_path: Path) -> None:
    files_in(tmp_path)
    (tmp_path / "out.jsonl").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "out.jsonl")
    result = command(tmp_path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
    assert "Too many levels of symbolic links" in result.stderr


@pytest.mark.parametrize("kind", ["device", "pipe", "open"])
def test_an_output_that_is_no_file_is_refused_before_anything_waits_for_it(
    tmp_path: Path, kind: str
) -> None:
    files_in(tmp_path)
    path = tmp_path / "out.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/full")
    with (tmp_path / "file").open("w") as file:  # a file, as standard output often is
        if kind == "open":
            path.symlink_to(f"/dev/fd/{file.fileno()}")
        result = command(tmp_path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
    assert f"{path} is a device or a pipe" in result.stderr


def test_a_finished_batch_of_a_model_that_was_changed_is_another(tmp_path: Path) -> None:
    folder = save_tiny_model("llama", tmp_path / "model")
    (tmp_path / "in.jsonl").write_text('{"text1": "a", "text2": "b"}\n')
    paths = [str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl")]
    command = ["batch", *paths, "--preset", "paper", "-n", "2", "--model", str(folder)]
    assert CliRunner().invoke(main, command).exit_code == 0
    again = CliRunner().invoke(main, command)
    assert again.exit_code == 0
    assert "is finished" in again.stderr
    # Another time of a file alone is no other model.
    os.utime(folder / "model.safetensors", (1, 1))
    assert CliRunner().invoke(main, command).exit_code == 0
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.1}))
    changed = CliRunner().invoke(main, command)
    assert changed.exit_code == 2
    assert "model.revision is" in changed.stderr


def test_a_finished_batch_on_another_scale_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))
    files_in(tmp_path)
    assert command(tmp_path).exit_code == 0
    fit = ["calibrate", *OPTIONS, "--sentences", "3"]
    # A scale of other settings changes nothing.
    assert CliRunner().invoke(main, [*fit, "--distance", "l2"]).exit_code == 0
    assert command(tmp_path).exit_code == 0
    assert CliRunner().invoke(main, fit).exit_code == 0
    changed = command(tmp_path)
    assert changed.exit_code == 2
    assert "the scale of similarities is another (trajsim scales list)" in changed.stderr


@pytest.mark.parametrize("output", [".", "/", "", "folder"])
def test_a_folder_is_no_output(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("pairs.csv").write_text("text1,text2\na,b\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["batch", "pairs.csv", output, "--model", "toy"])
    assert result.exit_code == 2
    assert "is a folder; name a file in it" in result.stderr


@pytest.mark.parametrize("columns", [(), ("--columns", "text1,text2,id")])
@pytest.mark.parametrize(
    ("kind", "sign", "called"), [("csv", ",", "commas"), ("tsv", "\t", "tabs")]
)
def test_a_row_with_too_few_fields_is_named_as_that(
    kind: str, sign: str, called: str, columns: tuple[str, ...], tmp_path: Path
) -> None:
    rows = ["text1,text2,id", "a,b,first", "d", "a,c", "a,d, "]
    source, out = tmp_path / f"in.{kind}", tmp_path / "out.jsonl"
    source.write_text("".join(row.replace(",", sign) + "\n" for row in rows))
    result = CliRunner().invoke(main, ["batch", str(source), str(out), *OPTIONS, *columns])
    assert result.exit_code == 0, result.output
    (refused,) = read(tmp_path / "out.jsonl.errors.jsonl")
    assert refused["line"] == 3
    assert refused["reason"] == (
        f"it has 1 field and the first line 3, parted by {called}; add those that are missing"
    )
    # Without an id, and with an empty one, the line stands for it.
    assert [answer["custom_id"] for answer in read(out)] == ["first", "4", "5"]


def test_an_empty_id_is_none(tmp_path: Path) -> None:
    lines = [{"custom_id": "", "id": "mine"}, {"custom_id": "", "id": None}, {"id": " "}]
    files_in(tmp_path, as_lines([{**line, "pair": ["a red car", "the sea"]} for line in lines]))
    assert command(tmp_path).exit_code == 0
    answers = read(tmp_path / "out.jsonl")
    assert [answer["custom_id"] for answer in answers] == ["mine", "2", "3"]


def test_a_refused_line_has_its_id_or_its_number_whatever_it_is_refused_for(tmp_path: Path) -> None:
    good = {"text1": "a red car", "text2": "the sea"}
    bad: list[object] = [
        *({"text1": None}, {"text1": ""}, {"text1": 3}, {"text2": " "}),
        *({"id": True}, {"id": 1.5}, {"pair": ["a"]}, {"pair": []}, {"texts": []}),
    ]
    lines = [good | fields | own for fields in bad for own in ({}, {"custom_id": "mine"})]
    lines = [good, [1], "text", None, {}, *lines]
    (tmp_path / "in.jsonl").write_bytes(as_lines(lines) + b"{\n\xff\n")
    out = tmp_path / "out.jsonl"
    result = CliRunner().invoke(main, ["batch", str(tmp_path / "in.jsonl"), str(out), *OPTIONS])
    assert result.exit_code == 0, result.output
    refused = read(tmp_path / "out.jsonl.errors.jsonl")
    # A bad id is none where custom_id goes before it.
    assert len(refused) == len(lines) + 1 - 2
    for line in refused:
        own = line["line"] <= len(lines) and "mine" in str(lines[line["line"] - 1])
        assert line["custom_id"] == ("mine" if own else str(line["line"]))


def test_a_row_of_parquet_that_cannot_be_kept_is_refused_alone(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    raw = arrow.array([b"abc", b"caf\xe9"])
    columns = {
        "text1": ["a red car", "the sea"],
        "text2": ["the sea", "the sea."],
        "id": ["one", "two"],
        "note": arrow.Array.from_buffers(arrow.string(), 2, raw.buffers()),
    }
    parquet.write_table(arrow.table(columns), tmp_path / "in.parquet")
    out = tmp_path / "out.csv"
    result = CliRunner().invoke(main, ["batch", str(tmp_path / "in.parquet"), str(out), *OPTIONS])
    assert result.exit_code == 0, result.output
    assert out.read_text().splitlines()[1].startswith("one,a red car,the sea,one,abc,")
    (refused,) = read(tmp_path / "out.csv.errors.jsonl")
    assert (refused["line"], refused["custom_id"]) == (2, "two")
    assert refused["reason"] == "column note cannot be read in this row: it is not UTF-8"


@pytest.mark.parametrize("kept", [0, 20])
def test_an_output_whose_journal_was_emptied_is_kept(tmp_path: Path, kept: int) -> None:
    """It was taken for a new batch, and the output was emptied too."""
    pairs, out = tmp_path / "pairs.csv", tmp_path / "out.csv"
    pairs.write_text("text1,text2\na cat,a dog\n")
    arguments = ["batch", str(pairs), str(out), "--model", "toy"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    before = out.read_bytes()
    journal = next(path for path in tmp_path.iterdir() if "journal" in path.name)
    journal.write_bytes(journal.read_bytes()[:kept])
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, out.read_bytes()) == (2, before), result.output
    assert "so it is of no batch" in result.stderr
