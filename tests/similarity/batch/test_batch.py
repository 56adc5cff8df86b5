import csv
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from similarity import batch, compare, compare_matrix
from similarity.batch import BatchFiles, open_batch
from similarity.batch import run as run_module
from similarity.config import ComparisonConfig
from similarity.errors import BackendUnavailableError, ConfigError, InputError
from similarity.models.base import LanguageModel
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.storage.journal import Journal
from similarity.tabular import lines as of_lines
from similarity.tabular.records import read_records
from similarity.tabular.writing import write_rows

CONFIG = ComparisonConfig.build(n_trajectories=2, max_tokens=3)
OPTIONS = ("--model", "toy", "-n", "2", "-m", "3")
GOOD: list[dict[str, Any]] = [
    {"custom_id": "pair", "pair": ["a red car", "the sea"]},
    {"custom_id": "犬", "texts": ["a red car", "the sea", "the sea."]},
    {"custom_id": "same", "pair": ["the sea", "the sea."]},
    {"custom_id": "other", "pair": ["the sea", "a red car"]},
]


def as_lines(items: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def files_in(folder: Path, content: bytes = as_lines(GOOD)) -> BatchFiles:
    (folder / "in.jsonl").write_bytes(content)
    return BatchFiles(input=folder / "in.jsonl", output=folder / "out.jsonl")


def run(model: LanguageModel, files: BatchFiles, chunk: int = 2) -> batch.Batch:
    with open_batch(TrajectoryScorer(model, CONFIG), files, chunk) as opened:
        opened.run()
    return opened


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_answers_are_those_of_the_library(chunk: int, toy_model: ToyModel, tmp_path: Path) -> None:
    files = files_in(tmp_path)
    run(toy_model, files, chunk)
    pair, matrix, same, _ = read(files.output)
    expected = compare(toy_model, "a red car", "the sea", CONFIG)
    assert pair == {
        "custom_id": "pair",
        "pair": ["a red car", "the sea"],
        "similarity": expected.similarity,
        "distance": expected.distance,
        "calibrated": False,
        "scale": "none",
        "warnings": [],
        "fingerprint": expected.fingerprint.digest,
    }
    whole = compare_matrix(toy_model, GOOD[1]["texts"], config=CONFIG)
    assert (matrix["custom_id"], matrix["distances"]) == ("犬", whole.distances.tolist())
    assert matrix["similarities"] == whole.similarities.tolist()
    assert same["distance"] == 0
    assert files.refused.read_bytes() == b""


BAD = {
    b"{": "the line is not JSON: Expecting property name",
    b"[" * 100_000: "the line is not JSON: it is nested more than 200 deep",
    b'{"text1": "a", "text2": "b", "x": ' + b"[" * 900 + b"]" * 900 + b"}": "more than 200 deep",
    b'{"text1": "a", "text2": "b", "x\\ud83d": 1}': 'name of field "x\\ud83d" is not valid Unicode',
    b'{"custom_id": ' + b"1" * 5000 + b"}": "the line is not JSON: a number has more than",
    b'{"custom_id": "\xff"}': "the line is not UTF-8 at byte 16",
    b"[1]": "must be a JSON object, got [1]",
    b'{"custom_id": [7], "pair": ["a", "b"]}': "custom_id must be a string or a whole number",
    b'{"id": 1.5, "pair": ["a", "b"]}': "id must be a string or a whole number, got 1.5",
    b'{"text1": "a", "text2": 2}': 'text2 must be a text or {"image": path}, got 2',
    b'{"text1": "a", "text2": "b", "s1": "c", "s2": "d"}': "several pairs of columns of texts",
    b'{"custom_id": "x"}': "give either 'pair', two texts, or 'texts'",
    b'{"custom_id": "x", "pair": ["a", "b"], "texts": ["a"]}': "give either 'pair'",
    b'{"custom_id": "x", "pair": ["a", "b"], "text1": "a", "text2": "c"}': "give either 'pair'",
    b'{"custom_id": "x", "texts": ["a"], "First": "a", "second ": "c"}': "give either 'pair'",
    b'{"custom_id": "x", "pair": ["a"]}': "pair must have two texts, got 1",
    b'{"custom_id": "x", "pair": ["a", 2]}': 'got ["a", 2]',
    b'{"custom_id": "x", "texts": []}': "texts must have at least one text",
    b'{"custom_id": "x", "texts": [' + b'"a", ' * 512 + b'"a"]}': "texts has 513 texts, and a line "
    "may have at most 512",
    b'{"custom_id": "x", "pair": ["a", " "]}': "a text is empty or only white space",
    b'{"custom_id": "x", "pair": ["a", "\\u200b"]}': "a text is empty or only white space",
    b'{"custom_id": "x", "pair": ["\\ufeff", "a"]}': "a text is empty or only white space",
    b'{"custom_id": "x", "pair": ["a", "b\\u0000"]}': "a text has a NUL character",
    b'{"custom_id": "x", "pair": ["b", "a\\ud800"]}': "not valid Unicode",
    b'{"custom_id": "x", "pair": ["b", "' + b"a" * 5000 + b'"]}': "tokens too long",
}


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv", "out.tsv"])
def test_bad_lines_lose_nothing(output: str, toy_model: ToyModel, tmp_path: Path) -> None:
    good = as_lines(GOOD[:1] + GOOD[2:]).splitlines()
    content = b"\n".join([good[0], *BAD, good[1], good[2]])
    files = replace(files_in(tmp_path, content), output=tmp_path / output)
    opened = run(toy_model, files, chunk=5)
    assert opened.total == opened.done.lines == len(BAD) + 3
    assert opened.done.refused == len(BAD)
    (tmp_path / "alone").mkdir()
    alone = files_in(tmp_path / "alone", as_lines(GOOD[:1] + GOOD[2:]))
    run(toy_model, alone)
    with files.output.open("rb") as written:
        answers = [record.value for record in read_records(written, files.written_as)]
    assert [(line["custom_id"], str(line["distance"])) for line in answers] == [
        (line["custom_id"], str(line["distance"])) for line in read(alone.output)
    ]
    refused = read(files.refused)
    assert [line["line"] for line in refused] == list(range(2, len(BAD) + 2))
    for line, (bad, reason) in zip(refused, BAD.items(), strict=True):
        assert reason in line["reason"]
        assert line["input"] == bad.decode(errors="backslashreplace")
    assert [line["custom_id"] for line in refused[-3:]] == ["x", "x", "x"]


def test_a_line_without_end_is_not_held(
    toy_model: ToyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_lines, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(of_lines, "SHOWN_BYTES", 3)
    good = as_lines(GOOD[:1])
    files = files_in(tmp_path, good + b"x" * 1000 + b"\n" + b"y" * 100 + b"\n" + good)
    run(toy_model, files)
    long, full = read(files.refused)
    assert (long["input"], long["reason"]) == (
        "xxx",
        "the line has more than 100 bytes; shorten it",
    )
    assert full["input"] == "y" * 100
    assert len(read(files.output)) == 2


TABLES = {
    "in.csv": b"text1,text2,label\r\na red car,the sea,1\r\n\r\nthe sea,the sea.,0\r\n",
    "in.tsv": b"\xef\xbb\xbfid\tsentence1\tsentence2\n2\ta red car\tthe sea\n"
    b"4\tthe sea\tthe sea.\n",
    "in.jsonl": b'{"text_1": "a red car", "text_2": "the sea", "id": 2}\n\n'
    b'{"id": 4, "text_1": "the sea", "text_2": "the sea."}\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_pairs_are_read_as_users_have_them(name: str, toy_model: ToyModel, tmp_path: Path) -> None:
    alone = files_in(
        tmp_path, as_lines([GOOD[0] | {"custom_id": "2"}, GOOD[2] | {"custom_id": "4"}])
    )
    run(toy_model, alone)
    (tmp_path / name).write_bytes(TABLES[name])
    files = BatchFiles(input=tmp_path / name, output=tmp_path / "table.jsonl")
    assert run(toy_model, files).total == 2
    assert [scores(line) for line in read(files.output)] == list(map(scores, read(alone.output)))


def scores(line: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without the fields of its record."""
    own = ("custom_id", "similarity", "distance", "calibrated", "scale", "warnings", "fingerprint")
    return {name: line[name] for name in own}


def test_columns_are_given_by_name_or_number(toy_model: ToyModel, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"x,a red car,the sea\n")
    for columns, refused in (("2,3,1", False), ("a,b", True)):
        files = BatchFiles(
            input=tmp_path / "in.csv", output=tmp_path / f"{refused}.jsonl", columns=columns
        )
        run(toy_model, files)
        assert [line["custom_id"] for line in read(files.output)] == ["x"] * (not refused)
    with pytest.raises(ConfigError, match="two texts and maybe an id"):
        BatchFiles(input=tmp_path / "in.csv", output=tmp_path / "o.jsonl", columns="a")


@pytest.mark.parametrize(("source", "output"), [("in.tsv", "out.jsonl"), ("in.csv", "out.tsv")])
def test_a_batch_of_the_older_rule_of_tsv_does_not_go_on(
    source: str, output: str, toy_model: ToyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(ROWS, source.removeprefix("in."), str(tmp_path / source))
    files = BatchFiles(input=tmp_path / source, output=tmp_path / output)
    ours = run_module.header_of

    def older(files: BatchFiles) -> dict[str, Any]:
        known = ours(files) | {"format of the input": files.read_as}
        return {name: value for name, value in known.items() if name != "format of the output"}

    with monkeypatch.context() as patched:
        patched.setattr(run_module, "header_of", older)
        run(toy_model, files)
    named, before = ("input", '"tsv"') if source == "in.tsv" else ("output", "null")
    there = f'format of the {named} is "tsv with quotation marks", there {before}'
    with pytest.raises(ConfigError, match=there):
        run(toy_model, files)


@pytest.mark.parametrize(("name", "delimiter"), [("out.csv", ","), ("out.tsv", "\t")])
def test_answers_as_a_table(name: str, delimiter: str, toy_model: ToyModel, tmp_path: Path) -> None:
    lines = files_in(tmp_path)
    run(toy_model, lines)
    files = BatchFiles(input=lines.input, output=tmp_path / name)
    run(toy_model, files, chunk=1)
    with files.output.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter=delimiter))
    pairs = [line for line in read(lines.output) if "distance" in line]
    expected = [{name: str(value) for name, value in line.items()} for line in pairs]
    # There are no warnings, a list is JSON, and there is a column for lists of texts.
    cells = [
        {"pair": json.dumps(line["pair"], ensure_ascii=False), "texts": "", "warnings": ""}
        for line in pairs
    ]
    assert [line | more for line, more in zip(expected, cells, strict=True)] == rows
    (refused,) = read(files.refused)
    assert (refused["custom_id"], refused["line"]) == ("犬", 2)
    assert "no room for a matrix" in refused["reason"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_comes_back_as_the_spreadsheet_wrote_it(
    delimiter: str, mark: str, toy_model: ToyModel, tmp_path: Path
) -> None:
    pairs = [("a red car", "the sea"), ('a "red", old; car', "the\tsea")]
    header = f'"Text, first; or so"{delimiter}text2'
    rows = [
        delimiter.join(f'"{text.replace(chr(34), 2 * chr(34))}"' for text in pair) for pair in pairs
    ]
    content = f"{mark}\n{header}\n{rows[0]}\n{rows[1]}\n"
    (tmp_path / "in.csv").write_text(content, encoding="utf-8")
    columns = '"Text, first; or so",text2'
    files = BatchFiles(input=tmp_path / "in.csv", output=tmp_path / "out.csv", columns=columns)
    run(toy_model, files, chunk=1)
    written = files.output.read_text(encoding="utf-8")
    assert written.startswith("\ufeff") == bool(mark)
    with files.output.open(encoding="utf-8-sig", newline="") as table:
        found = list(csv.DictReader(table, delimiter=delimiter))
    assert [(row["Text, first; or so"], row["text2"]) for row in found] == pairs
    scored = TrajectoryScorer(toy_model, CONFIG).score(pairs)
    assert [float(row["distance"]) for row in found] == [score.distance for score in scored]


def test_without_names_fields_are_parted_by_commas(toy_model: ToyModel, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a; b,c\n", encoding="utf-8")
    files = BatchFiles(input=tmp_path / "in.csv", output=tmp_path / "out.csv", columns="1,2")
    run(toy_model, files)
    with files.output.open(encoding="utf-8", newline="") as table:
        (row,) = csv.DictReader(table)
    assert (row["1"], row["2"]) == ("a; b", "c")


def test_an_output_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be parquet.*; name a file that ends in \.jsonl"):
        BatchFiles(input=tmp_path / "in.jsonl", output=tmp_path / "out.parquet")
    with pytest.raises(ConfigError, match="cannot be text, as its ending has it; give --format"):
        BatchFiles(input=tmp_path / "in.txt", output=tmp_path / "out.jsonl")


def test_an_empty_input_has_no_answers(toy_model: ToyModel, tmp_path: Path) -> None:
    files = files_in(tmp_path, b"")
    assert run(toy_model, files).total == 0
    assert files.output.read_bytes() == b""


def test_chunks_of_one_kind_only_on_a_network(
    tiny: Callable[[str], LocalModel], tmp_path: Path
) -> None:
    files = files_in(tmp_path, as_lines([GOOD[1]]) + b"{\n" + as_lines([GOOD[0]]))
    run(tiny("llama"), files, chunk=1)
    assert len(read(files.output)) == 2


class Killed(BaseException):
    pass


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Return a function that lets the nth write to disk from now break off in the middle."""

    def arm(number: int) -> None:
        left = [number]

        def write_through(file: Any, content: bytes) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.write(file.fileno(), content[: len(content) // 2])
                raise Killed
            os.write(file.fileno(), content)

        monkeypatch.setattr("similarity.storage.journal.write_through", write_through)
        monkeypatch.setattr("similarity.batch.growing.write_through", write_through)

    yield arm
    monkeypatch.undo()


def test_killed_at_any_write_it_ends_with_the_same_bytes(
    toy_model: ToyModel, tmp_path: Path, kill_at: Callable[[int], None]
) -> None:
    content = as_lines(GOOD) + b"bad\n" + as_lines(GOOD[:1])
    whole = files_in(tmp_path, content)
    run(toy_model, whole)
    # The header, and for each of three chunks the output, the errors and the journal.
    for number in range(1, 11):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = files_in(folder, content)
        kill_at(number)
        with pytest.raises(Killed):
            run(toy_model, files)
        kill_at(0)
        with open_batch(TrajectoryScorer(toy_model, CONFIG), files, 2) as opened:
            assert opened.done.lines == max(0, number - 2) // 3 * 2
            opened.run()
        for kept in ("output", "refused", "journal"):
            assert getattr(files, kept).read_bytes() == getattr(whole, kept).read_bytes()


def test_a_batch_that_is_done_stays_so(toy_model: ToyModel, tmp_path: Path) -> None:
    files = files_in(tmp_path)
    run(toy_model, files)
    before = files.output.read_bytes()
    reported: list[int] = []
    with open_batch(TrajectoryScorer(toy_model, CONFIG), files, 2) as opened:
        opened.run(reported.append)
    assert (files.output.read_bytes(), reported) == (before, [])


def test_progress_counts_every_line_once(toy_model: ToyModel, tmp_path: Path) -> None:
    reported: list[int] = []
    with open_batch(TrajectoryScorer(toy_model, CONFIG), files_in(tmp_path), 3) as opened:
        opened.run(reported.append)
    assert reported == [3, 1]


def test_a_model_that_fails_stops_the_batch_and_it_goes_on_later(tmp_path: Path) -> None:
    class Failing(ToyModel):
        calls = 0

        def sample(self, *arguments: Any) -> Any:
            self.calls += 1
            if self.calls == 3:
                raise BackendUnavailableError("no server answers")
            return super().sample(*arguments)

    files = files_in(tmp_path)
    with pytest.raises(BackendUnavailableError):
        run(Failing(), files)
    with open_batch(TrajectoryScorer(ToyModel(), CONFIG), files, 2) as opened:
        assert opened.done.lines == 2
        opened.run()
    assert [line["custom_id"] for line in read(files.output)] == [i["custom_id"] for i in GOOD]


def test_what_is_another_batch_is_refused(toy_model: ToyModel, tmp_path: Path) -> None:
    files = files_in(tmp_path)
    run(toy_model, files)
    before = files.output.read_bytes()
    with (
        pytest.raises(ConfigError, match=r"settings.sampling.seed is 1, there 0"),
        open_batch(
            TrajectoryScorer(toy_model, ComparisonConfig.build(n_trajectories=2, seed=1)), files, 2
        ),
    ):
        pass
    with (
        pytest.raises(ConfigError, match="lines of a chunk is 3, there 2"),
        open_batch(TrajectoryScorer(toy_model, CONFIG), files, 3),
    ):
        pass
    files_in(tmp_path, as_lines(GOOD[:2]))
    other = BatchFiles(input=files.input, output=files.output, columns="a,b")
    with (
        pytest.raises(ConfigError, match='columns is "a,b", there null'),
        open_batch(TrajectoryScorer(toy_model, CONFIG), other, 2),
    ):
        pass
    with (
        pytest.raises(ConfigError, match="the input has changed since"),
        open_batch(TrajectoryScorer(toy_model, CONFIG), files, 2),
    ):
        pass
    assert files.output.read_bytes() == before


def test_an_errors_file_is_held_while_a_batch_writes(toy_model: ToyModel, tmp_path: Path) -> None:
    """The one that was refused left files that barred the same command with another name."""
    files = replace(files_in(tmp_path), errors=tmp_path / "refused")
    other = replace(files, output=tmp_path / "other.csv")
    scorer = TrajectoryScorer(toy_model, CONFIG)
    said = "refused; another batch has it; name another by --errors"
    with open_batch(scorer, other, 2):
        before = sorted(tmp_path.iterdir())
        with pytest.raises(InputError, match=said), open_batch(scorer, files, 2):
            pass
        assert sorted(tmp_path.iterdir()) == before
        with open_batch(scorer, replace(files, errors=tmp_path / "named"), 2):
            pass
        for left in (files.journal, files.output, tmp_path / "named"):
            left.unlink()
    # Neither has answered anything, so that the file is of neither.
    run(toy_model, files)
    with pytest.raises(InputError, match="refused is of another batch, that of .*journal"):
        run(toy_model, other)


def test_a_batch_that_is_refused_at_its_start_leaves_what_was_there(
    toy_model: ToyModel, tmp_path: Path
) -> None:
    """What it made itself goes, and what an earlier run had begun stays."""
    files = replace(files_in(tmp_path), errors=tmp_path / "nowhere" / "refused")
    scorer = TrajectoryScorer(toy_model, CONFIG)

    def left() -> list[Path]:
        with pytest.raises(InputError, match="cannot write .*refused"), open_batch(scorer, files):
            pass
        return sorted(tmp_path.iterdir())

    assert left() == [files.input]
    files.output.touch()
    assert left() == [files.input, files.output]
    (tmp_path / "nowhere").mkdir()
    with open_batch(scorer, files):
        pass
    begun = files.journal.read_bytes()
    (tmp_path / "nowhere" / "refused").unlink()
    (tmp_path / "nowhere").rmdir()
    assert left() == sorted([files.input, files.output, files.journal])
    assert files.journal.read_bytes() == begun


def test_files_that_are_of_no_batch_are_kept(toy_model: ToyModel, tmp_path: Path) -> None:
    files = files_in(tmp_path)
    files.output.write_text("dear diary")
    with pytest.raises(InputError, match="is of no batch"):
        run(toy_model, files)
    assert files.output.read_text() == "dear diary"
    assert not files.journal.exists()


def test_an_output_that_lost_something_is_noticed(toy_model: ToyModel, tmp_path: Path) -> None:
    files = files_in(tmp_path)
    run(toy_model, files)
    files.output.write_bytes(files.output.read_bytes()[:-1])
    with pytest.raises(InputError, match="is shorter than its journal says"):
        run(toy_model, files)


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv", "out.tsv"])
@pytest.mark.parametrize("which", ["output", "refused"])
@pytest.mark.parametrize("chunks_done", [0, 1, 3])
def test_what_a_batch_did_not_write_is_never_cut_off(
    toy_model: ToyModel, tmp_path: Path, output: str, which: str, chunks_done: int
) -> None:
    """It was, and nothing was said; a finished batch said that it is finished."""
    files = replace(
        files_in(tmp_path, as_lines([{"pair": ["only one text"]}, *GOOD])), output=tmp_path / output
    )
    run(toy_model, files)
    path: Path = getattr(files, which)
    whole = {files.output: files.output.read_bytes(), files.refused: files.refused.read_bytes()}
    entries = files.journal.read_bytes().splitlines(keepends=True)
    files.journal.write_bytes(b"".join(entries[: 1 + chunks_done]))
    # The answers of one more chunk, as a process that was killed may leave them.
    come_to = json.loads(entries[min(chunks_done + 1, 3)])
    files.output.write_bytes(whole[files.output][: come_to["output"]])
    files.refused.write_bytes(whole[files.refused][: come_to["errors"]])
    left = path.read_bytes()
    path.write_bytes(left + b"mine\n")
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}
    with pytest.raises(InputError, match=r"more than this batch wrote, .*into a file of its own"):
        run(toy_model, files)
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before
    path.write_bytes(left)
    run(toy_model, files)
    assert {each: each.read_bytes() for each in whole} == whole


def forget_the_last(files: BatchFiles) -> None:
    """Leave of a journal its header and the first chunk."""
    entries = files.journal.read_bytes().splitlines(keepends=True)
    files.journal.write_bytes(b"".join(entries[:2]))


@pytest.mark.parametrize("which", ["output", "refused"])
@pytest.mark.parametrize("finished", [True, False])
def test_a_file_that_is_gone_is_named_as_that_and_not_made(
    toy_model: ToyModel, tmp_path: Path, which: str, finished: bool
) -> None:
    files = files_in(tmp_path, as_lines([{"pair": ["only one text"]}, *GOOD]))
    run(toy_model, files)
    if not finished:
        forget_the_last(files)
    getattr(files, which).unlink()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="is gone, and its journal is not; put it back, .*anew"):
        run(toy_model, files)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("which", ["output", "refused", "journal"])
@pytest.mark.parametrize("finished", [True, False])
def test_a_digit_that_was_changed_is_noticed(
    toy_model: ToyModel, tmp_path: Path, which: str, finished: bool
) -> None:
    files = files_in(tmp_path, as_lines([{"pair": ["only one text"]}, *GOOD]))
    run(toy_model, files)
    if not finished:
        forget_the_last(files)
    path: Path = getattr(files, which)
    lines = path.read_bytes().splitlines(keepends=True)
    number = 1 if which == "journal" else 0
    digit = next(byte for byte in reversed(lines[number]) if chr(byte).isdigit())
    other = b"1" if digit == ord("2") else b"2"
    lines[number] = other.join(lines[number].rsplit(bytes([digit]), 1))
    path.write_bytes(b"".join(lines))
    with pytest.raises(InputError, match="is damaged|not as it was written"):
        run(toy_model, files)
    assert path.read_bytes() == b"".join(lines)


def test_the_files_must_differ(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be different files"):
        BatchFiles(input=tmp_path / "a", output=tmp_path / "b" / ".." / "a")


ROWS = [
    {"text1": "a red car", "text2": "the sea", "ticket": "T-1, new", "similarity": "0.2"},
    {"text1": "the sea", "text2": "the sea.", "ticket": 'said "no"', "similarity": "0.9"},
    {"text1": '"Yes,"\tshe said.', "text2": "a\r\nb", "ticket": '"', "similarity": "0"},
]


@pytest.mark.parametrize("output", ["out.csv", "out.tsv", "out.jsonl"])
@pytest.mark.parametrize("source", ["in.csv", "in.tsv", "in.jsonl", "in.parquet"])
def test_a_table_comes_back_with_scores(
    source: str, output: str, toy_model: ToyModel, tmp_path: Path
) -> None:
    write_rows(ROWS, source.removeprefix("in."), str(tmp_path / source))
    files = BatchFiles(input=tmp_path / source, output=tmp_path / output)
    run(toy_model, files, chunk=1)
    kind = output.removeprefix("out.")
    with files.output.open("rb") as written:
        found = [record.value for record in read_records(written, kind)]
    assert list(found[0]) == [
        *("custom_id", "text1", "text2", "ticket", "input_similarity"),
        *("similarity", "distance", "calibrated", "scale", "warnings", "fingerprint"),
    ]
    for row, line in zip(ROWS, found, strict=True):
        assert {name: line[name] for name in ("text1", "text2", "ticket")} == {
            name: row[name] for name in ("text1", "text2", "ticket")
        }
        assert line["input_similarity"] == row["similarity"]
    assert float(found[1]["similarity"]) == 1


@pytest.mark.parametrize("output", ["out.csv", "out.tsv", "out.jsonl"])
def test_numbers_of_json_keep_their_digits(
    output: str, toy_model: ToyModel, tmp_path: Path
) -> None:
    """A reader of floats rounds those that are longer."""
    fields = {
        "price": "12345678901234567890.123",
        "part": "0.1000000000000000055",
        "large": "1e400",
        "form": "1.50",
        "nested": '{"a": [0.1000000000000000055, 2.5, "é"]}',
    }
    line = ", ".join(f'"{name}": {value}' for name, value in fields.items())
    # An id too is one of many digits, which as a float is another.
    ids = '"id": 12345678901234567890.0'
    content = f'{{"text1": "a", "text2": "b", {ids}, {line}}}\n'
    (tmp_path / "in.jsonl").write_text(content, encoding="utf-8")
    files = BatchFiles(input=tmp_path / "in.jsonl", output=tmp_path / output)
    run(toy_model, files)
    written = files.output.read_text(encoding="utf-8")
    if output == "out.jsonl":
        assert f"{ids}, {line}".replace("é", "\\u00e9") in written
        assert '"custom_id": "12345678901234567890"' in written
        return
    (row,) = csv.DictReader(written.splitlines(), delimiter="," if output == "out.csv" else "\t")
    assert {name: row[name] for name in fields} == fields
    assert row["custom_id"] == "12345678901234567890"


def test_no_two_columns_differ_in_case_alone(toy_model: ToyModel, tmp_path: Path) -> None:
    rows = [{"text1": "a", "text2": "b", "Similarity": "0.5", "input_similarity": "1", "Id": "x"}]
    write_rows(rows, "csv", str(tmp_path / "in.csv"))
    files = BatchFiles(input=tmp_path / "in.csv", output=tmp_path / "out.csv")
    run(toy_model, files)
    with files.output.open(newline="") as written:
        (row,) = csv.DictReader(written)
    assert len({name.casefold() for name in row}) == len(row)
    assert row["input_input_Similarity"] == "0.5"
    assert row["input_similarity"] == "1"


@pytest.mark.parametrize("source", ["in.csv", "in.tsv", "in.jsonl", "in.parquet"])
@pytest.mark.parametrize("output", ["out.csv", "out.tsv", "out.jsonl"])
def test_names_of_columns_come_back_with_the_blanks_around_them(
    source: str, output: str, toy_model: ToyModel, tmp_path: Path
) -> None:
    names = [" text1", "text2 ", " sp ", "sp", " one ", " Similarity "]
    rows = [dict(zip(names, ["a", "b", "1", "2", "3", "4"], strict=True))]
    write_rows(rows, source.removeprefix("in."), str(tmp_path / source))
    files = BatchFiles(input=tmp_path / source, output=tmp_path / output)
    run(toy_model, files)
    content = files.output.read_text(encoding="utf-8")
    if output == "out.jsonl":
        (row,) = read(files.output)
    else:
        delimiter = "," if output == "out.csv" else "\t"
        (row,) = csv.DictReader(content.splitlines(), delimiter=delimiter)
    assert list(row)[1:7] == [*names[:5], "input_Similarity"]
    assert list(row.values())[1:7] == list(rows[0].values())


def test_lines_that_write_one_name_otherwise_lose_no_field(
    toy_model: ToyModel, tmp_path: Path
) -> None:
    lines = [{"n ": 1}, {"n": 2}, {"n": 3, "n ": 4}, {" n": 5}]
    files = files_in(tmp_path, as_lines([{"pair": ["a", "b"], **line} for line in lines]))
    run(toy_model, files)
    kept = [
        [value for name, value in row.items() if name.strip() == "n"] for row in read(files.output)
    ]
    assert kept == [[1], [2], [3, 4], [5]]


@pytest.mark.parametrize("source", ["in.csv", "in.tsv", "in.jsonl", "in.parquet"])
@pytest.mark.parametrize(
    ("fields", "custom_id", "kept"),
    [
        ({"ID": "x"}, "x", {"ID": "x"}),
        ({" Id ": "x"}, "x", {" Id ": "x"}),
        ({"Custom_ID": "x"}, "x", {}),
        ({"custom_id ": "x"}, "x", {}),
        ({"Custom_ID": "y", "custom_id": "x"}, "x", {"input_Custom_ID": "y"}),
        ({"Custom_ID": "", "ID": "x"}, "x", {"ID": "x"}),
    ],
)
def test_an_id_is_found_in_any_case(
    source: str,
    fields: dict[str, str],
    custom_id: str,
    kept: dict[str, str],
    toy_model: ToyModel,
    tmp_path: Path,
) -> None:
    """The number of the line stood for one of another case than texts are found in."""
    row = {"text1": "a", "text2": "b", **fields}
    write_rows([row], source.removeprefix("in."), str(tmp_path / source))
    files = BatchFiles(input=tmp_path / source, output=tmp_path / "out.jsonl")
    run(toy_model, files)
    (line,) = read(files.output)
    assert line["custom_id"] == custom_id
    assert dict(list(line.items())[3:-6]) == kept


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_fields_of_some_lines_only_have_a_column_too(
    kind: str, toy_model: ToyModel, tmp_path: Path
) -> None:
    items = [
        {"pair": ["a", "b"], "id": 7, "more": {"x": [1, None]}, "half": "\ud800"},
        {"custom_id": "own", "pair": ["a", "b; c"], "later": float("nan"), "tags": []},
        {"custom_id": "all", "pair": ["a", "b"], "distance": 3, "input_distance": "taken"},
    ]
    files = BatchFiles(input=tmp_path / "in.jsonl", output=tmp_path / f"out.{kind}")
    files.input.write_bytes(as_lines(items))
    run(toy_model, files, chunk=1)
    with files.output.open("rb") as written:
        found = [record.value for record in read_records(written, kind)]
    if kind == "csv":
        assert list(found[0])[:7] == [
            *("custom_id", "pair", "id", "more", "half", "later", "tags"),
        ]
        # What is nested is JSON, so that it can be read again.
        assert [json.loads(row["pair"]) for row in found] == [item["pair"] for item in items]
        assert (found[1]["tags"], found[0]["tags"]) == ("[]", "")
        assert found[0]["more"] == '{"x": [1, null]}'
        assert (found[0]["half"], found[0]["later"]) == ("\\ud800", "")
    else:
        assert found[0]["more"] == {"x": [1, None]}
        assert "later" not in found[0]
        assert found[1]["later"] is None
    assert [line["custom_id"] for line in found] == ["7", "own", "all"]
    assert str(found[2]["input_input_distance"]) == "3"
    assert found[2]["input_distance"] == "taken"


def test_an_id_of_another_column_leaves_custom_id_a_field(
    toy_model: ToyModel, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("custom_id,a,b,ticket\n1,x,y,T-1\n")
    files = BatchFiles(
        input=tmp_path / "in.csv", output=tmp_path / "out.jsonl", columns="a,b,ticket"
    )
    run(toy_model, files)
    (line,) = read(files.output)
    assert (line["custom_id"], line["input_custom_id"], line["ticket"]) == ("T-1", "1", "T-1")


def test_a_batch_of_an_earlier_version_is_refused(toy_model: ToyModel, tmp_path: Path) -> None:
    files = files_in(tmp_path)
    run(toy_model, files)
    header, *entries = files.journal.read_bytes().splitlines(keepends=True)
    content = json.loads(header)
    del content["fields of the input in the output"]
    del content["checksum"]
    files.journal.unlink()
    Journal.open(files.journal, content).close()
    with pytest.raises(ConfigError, match="fields of the input in the output is"):
        run(toy_model, files)
    assert entries


@pytest.mark.parametrize("change", ["rewritten", "longer", "put back", "gone"])
def test_an_input_that_changes_while_it_is_read_ends_the_batch(
    change: str, toy_model: ToyModel, tmp_path: Path
) -> None:
    before = as_lines([GOOD[0]] * 6)
    files = files_in(tmp_path, before)
    at_once = BatchFiles(input=files.input, output=tmp_path / "at once.jsonl")
    run(toy_model, at_once)

    def edit(_: int) -> None:
        if change == "gone":
            files.input.unlink(missing_ok=True)
            return
        after = before + before if change == "longer" else before.replace(b"sea", b"mad")
        with files.input.open("r+b") as file:
            file.write(before if change == "put back" else after)
        os.utime(files.input, ns=(0, 0))

    with open_batch(TrajectoryScorer(toy_model, CONFIG), files, 2) as opened:
        with pytest.raises(InputError, match="was changed while it was read|cannot read"):
            opened.run(edit)
        assert opened.done.lines == 2
    files.input.write_bytes(before)
    run(toy_model, files)
    assert files.output.read_bytes() == at_once.output.read_bytes()


def test_an_input_that_changes_after_its_last_line_is_refused(
    toy_model: ToyModel, tmp_path: Path
) -> None:
    files = files_in(tmp_path)
    with (
        open_batch(TrajectoryScorer(toy_model, CONFIG), files, 100) as opened,
        pytest.raises(InputError, match="was changed while it was read"),
    ):
        opened.run(lambda _: os.utime(files.input, ns=(0, 0)))
