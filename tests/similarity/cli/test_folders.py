"""Commands that take a folder of text files: a file is one text, called by its path."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from similarity.cli.main import main
from tests.similarity.cli.test_faults import trajsim
from tests.similarity.cli.test_remedies import LONG

TEXTS = {"a.txt": "a red car", "below/b.md": "the sea\nand the sand", "c.txt": "a red car."}
PRESET = ("--preset", "paper", "-n", "2", "-m", "3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "texts"
    for name, text in TEXTS.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


def run(*arguments: str | Path) -> Any:
    result = CliRunner().invoke(main, [*map(str, arguments), "--model", "toy"])
    assert result.exit_code == 0, result.output
    return result


def test_a_matrix_is_labelled_by_paths(folder: Path, tmp_path: Path) -> None:
    found = json.loads(run("matrix", folder, *PRESET, "--json").stdout)
    assert found["rows"] == found["columns"] == sorted(TEXTS)
    assert found["similarities"][0][2] == 1
    table = run("matrix", folder, *PRESET, "--format", "table").stdout
    assert "2 below/b.md" in table
    (tmp_path / "other.txt").write_text("a red car\n")
    mixed = run("matrix", folder, tmp_path / "other.txt", *PRESET)
    assert mixed.stdout.splitlines()[0] == "\ta red car"
    assert mixed.stdout.splitlines()[1] == "a.txt\t1.0"


def test_pairs_have_paths_beside_texts(folder: Path, tmp_path: Path) -> None:
    run("matrix", folder, *PRESET, "--above", "0.9", "--out", tmp_path / "pairs.jsonl")
    (pair,) = map(json.loads, (tmp_path / "pairs.jsonl").read_text().splitlines())
    assert (pair["id1"], pair["id2"]) == ("a.txt", "c.txt")
    assert (pair["text1"], pair["text2"]) == ("a red car", "a red car.")


def test_groups_and_duplicates_have_paths(folder: Path) -> None:
    found = json.loads(run("cluster", folder, "--k", "2", *PRESET, "--json").stdout)
    assert found["groups"][0]["ids"] == ["a.txt", "c.txt"]
    rows = run("cluster", folder, "--k", "2", *PRESET, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(row)["id"] for row in rows] == ["a.txt", "c.txt", "below/b.md"]
    assert "* a.txt" in run("cluster", folder, *PRESET, "--format", "table").stdout
    kept = run("dedupe", folder, *PRESET)
    assert kept.stdout.splitlines() == ["a.txt", "below/b.md"]
    assert "kept 2 of 3 texts" in kept.stderr
    groups = json.loads(run("dedupe", folder, *PRESET, "--json").stdout)["groups"]
    assert groups[0]["id"] == "a.txt"
    assert groups[0]["duplicates"][0]["id"] == "c.txt"
    rows = run("dedupe", folder, *PRESET, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(row)["id"] for row in rows] == sorted(TEXTS)


def test_vectors_have_paths(folder: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run("embed", folder).stdout.splitlines()]
    assert [line["id"] for line in lines] == sorted(TEXTS)
    assert lines[1]["text"] == TEXTS["below/b.md"]
    parquet = pytest.importorskip("pyarrow.parquet")
    run("embed", folder, "--out", tmp_path / "v.parquet")
    table = parquet.read_table(tmp_path / "v.parquet").to_pydict()
    assert list(table) == ["id", "text", "vector"]
    assert table["id"] == sorted(TEXTS)


def test_an_index_finds_paths(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    run("index", "build", folder, "--out", tmp_path / "index")
    (hit,) = json.loads(
        run("index", "query", tmp_path / "index", "the sea", "--top", "1", "--json").stdout
    )["hits"]
    assert hit["id"] == sorted(TEXTS)[hit["number"]]
    table = run("index", "query", tmp_path / "index", "the sea").stdout
    assert "uncalibrated: cosines" in table
    assert table.splitlines()[0].split() == ["similarity", "file", "text"]
    assert "below/b.md" in table
    assert "the sea and the sand" in table


def test_what_is_left_out_is_said(folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(b"")
    message = run("dedupe", folder, *PRESET).stderr
    assert f"left out of {folder}: 1 with other endings (photo.jpg)" in message


def test_a_text_that_is_the_name_of_an_image_is_a_text(folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "d.txt").write_text(str(folder / "photo.jpg"))
    assert len(json.loads(run("matrix", folder, *PRESET, "--json").stdout)["rows"]) == 4


@pytest.mark.parametrize("command", ["matrix", "cluster", "dedupe", "embed"])
def test_a_file_that_is_too_long_is_named(command: str, folder: Path) -> None:
    (folder / "below" / "long.txt").write_text(LONG)
    result = CliRunner().invoke(main, [command, str(folder), "--model", "toy"])
    assert result.exit_code == 2
    assert f"Error: {folder}/below/long.txt: the text that begins" in result.stderr
    assert "give --truncate end" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("consensus", "FOLDER"),
        ("batch", "FOLDER", "out.csv"),
        ("calibrate", "--pairs", "FOLDER"),
        ("fit", "--corpus", "FOLDER", "--out", "vectors"),
        ("hyponym", "a", "b", "--corpus", "FOLDER"),
    ],
)
def test_other_commands_say_that_they_want_a_file(
    arguments: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    given = [str(folder) if one == "FOLDER" else one for one in arguments]
    result = CliRunner().invoke(main, [*given, "--model", "toy"])
    assert result.exit_code == 2
    assert "folder" in result.stderr or "directory" in result.stderr


@pytest.mark.parametrize(
    ("command", "by_json"),
    [
        (("cluster",), True),
        (("dedupe",), True),
        (("matrix",), True),
        (("matrix", "--above", "0"), False),
    ],
)
def test_the_scale_is_named(
    command: tuple[str, ...], by_json: bool, folder: Path, tmp_path: Path
) -> None:
    done = run(command[0], folder, *command[1:], *PRESET, "--out", tmp_path / "out.csv")
    assert "similarities are uncalibrated; fingerprint " in done.stderr
    if by_json:
        found = run(command[0], folder, *PRESET, "--json")
        assert json.loads(found.stdout)["scale"] == "none"
        assert "similarities are" not in found.stderr
        table = run(command[0], folder, *PRESET, "--format", "table").stdout
        assert "uncalibrated; model toy" in table


def test_an_index_names_the_scale(folder: Path, tmp_path: Path) -> None:
    run("index", "build", folder, "--out", tmp_path / "index")
    asked = ("index", "query", tmp_path / "index", "the sea")
    assert json.loads(run(*asked, "--json").stdout)["scale"] == "none"
    again = run(*asked, "--rerank", "2", "-n", "2", "-m", "3").stdout
    assert again.splitlines()[-1] == "uncalibrated"


def test_no_more_is_found_than_is_compared_again(folder: Path, tmp_path: Path) -> None:
    run("index", "build", folder, "--out", tmp_path / "index")
    query = ("index", "query", tmp_path / "index", "the sea", "--rerank", "1", "-n", "2", "-m", "3")
    assert len(json.loads(run(*query, "--json").stdout)["hits"]) == 1
    refused = CliRunner().invoke(main, [*map(str, query), "--top", "2"])
    assert refused.exit_code == 2
    assert "--rerank 1 leaves 1 texts, and --top 2 asks for more" in refused.stderr


# A line feed, a byte that is not UTF-8, and the escape of one that is a name of its own.
ODD = ["a\nb.txt", r"caf\xe9.txt", "caf\udce9.txt"]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    made = tmp_path / "odd"
    made.mkdir()
    for name, text in zip(ODD, TEXTS.values(), strict=True):
        (made / name).write_text(text)
    return made


def test_json_has_the_paths_of_files_as_they_are(odd: Path, tmp_path: Path) -> None:
    found = json.loads(run("dedupe", odd, *PRESET, "--threshold", "1", "--json").stdout)["groups"]
    names = [group["id"] for group in found]
    names += [one["id"] for group in found for one in group["duplicates"]]
    assert sorted(names) == sorted(ODD)
    groups = json.loads(run("cluster", odd, *PRESET, "--json").stdout)["groups"]
    assert sorted(name for group in groups for name in group["ids"]) == sorted(ODD)
    assert sorted(json.loads(run("matrix", odd, *PRESET, "--json").stdout)["rows"]) == sorted(ODD)
    for command in ("dedupe", "cluster"):
        rows = run(command, odd, *PRESET, "--format", "jsonl").stdout.splitlines()
        assert sorted(json.loads(row)["id"] for row in rows) == sorted(ODD)
        run(command, odd, *PRESET, "--out", tmp_path / "rows.jsonl")
        rows = (tmp_path / "rows.jsonl").read_text().splitlines()
        assert sorted(json.loads(row)["id"] for row in rows) == sorted(ODD)
    lines = run("embed", odd).stdout.splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(ODD)
    run("matrix", odd, *PRESET, "--above", "0", "--out", tmp_path / "pairs.jsonl")
    pairs = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert {pair[side] for pair in pairs for side in ("id1", "id2")} == set(ODD)


def test_other_outputs_escape_what_a_path_has_that_they_cannot(odd: Path, tmp_path: Path) -> None:
    kept = run("dedupe", odd, *PRESET, "--threshold", "1").stdout.splitlines()
    assert sorted(kept) == sorted([r"a\nb.txt", r"caf\xe9.txt"])
    pytest.importorskip("pyarrow")
    for command in ("dedupe", "cluster", "matrix"):
        for kind in ("csv", "tsv", "parquet"):
            run(command, odd, *PRESET, "--out", tmp_path / f"rows.{kind}")
        assert r"caf\udce9.txt" in (tmp_path / "rows.csv").read_text()
    run("embed", odd, "--out", tmp_path / "v.parquet")
    run("cluster", odd, *PRESET, "--plot", tmp_path / "groups.png")


@pytest.mark.parametrize("command", ["dedupe", "cluster", "matrix"])
def test_tables_escape_what_a_path_has(command: str, odd: Path) -> None:
    shown = trajsim(
        command, str(odd), *PRESET, "--format", "table", cache=odd.parent / "cache", model="toy"
    )
    assert shown.returncode == 0, shown.stderr
    assert r"caf\udce9.txt" in shown.stdout


def test_columns_of_tables_stand_below_each_other_whatever_a_path_has(
    odd: Path, tmp_path: Path
) -> None:
    """The width was that of the byte, and what is printed is its escape."""
    for name in ODD:
        (odd / f"犬{name}").write_text("the sea")
    shown = run("matrix", odd, *PRESET, "--format", "table").stdout.splitlines()
    assert len({cell_len(line) for line in shown[: 1 + 2 * len(ODD)]}) == 1
    run("index", "build", odd, "--out", tmp_path / "index")
    query = ("index", "query", tmp_path / "index", "the sea")
    _, *rows = run(*query).stdout.splitlines()[: 1 + 2 * len(ODD)]
    texts = {*TEXTS.values(), "the sea"}
    places = {cell_len(row[: row.index(text)]) for row in rows for text in texts if text in row}
    assert len(places) == 1
    for command in ("cluster", "dedupe"):
        assert r"caf\udce9.txt" in run(command, odd, *PRESET, "--format", "table").stdout
