import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from similarity import compare_matrix
from similarity.cli import matrix_command, tables
from similarity.cli.main import main
from similarity.cli.matrix_tables import nearest_pairs, print_matrix
from similarity.config import ComparisonConfig
from similarity.models.loader import load_model
from similarity.models.toy import ToyModel
from similarity.results import SimilarityMatrix
from similarity.scorers import open_scorer
from similarity.tiles import PAIR_COLUMNS

TOY = ("--model", "toy", "-n", "2", "-m", "3")
TEXTS = [f"{word} number {i}" for i in range(10) for word in ("a red car", "the sea", "犬", "[b]x")]


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(main, ["matrix", *arguments], **options)


def written(folder: Path, texts: list[str], name: str = "texts") -> str:
    (folder / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return str(folder / name)


@pytest.fixture(scope="module")
def result() -> SimilarityMatrix:
    config = ComparisonConfig.build(n_trajectories=2, max_tokens=3)
    return compare_matrix(ToyModel(), TEXTS, config=config)


def shown(
    result: SimilarityMatrix, width: int, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> str:
    """Return what is printed on a page of some width."""
    monkeypatch.setattr(tables, "PIPE_WIDTH", width)
    print_matrix(result)
    return str(capsys.readouterr().out)


@pytest.mark.parametrize("options", [("--out", "m.npy"), ("--nearest", "1", "--out", "m.csv")])
@pytest.mark.parametrize("texts", [TEXTS[:6], TEXTS[1:7]])
def test_another_process_is_told_at_once_and_breaks_nothing(
    options: tuple[str, ...],
    texts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the first tile it deleted what the first had begun, or wrote the same file."""
    monkeypatch.chdir(tmp_path)
    first, second = written(tmp_path, TEXTS[:6], "first"), written(tmp_path, texts, "second")
    assert run(first, *options, *TOY).exit_code == 0
    expected = Path(options[-1]).read_bytes()
    Path(options[-1]).unlink()
    chosen, told = matrix_command.chosen_scorer, []

    def late(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(matrix_command, "chosen_scorer", chosen)
        told.append(run(second, *options, *TOY))
        return chosen(*given, **more)

    monkeypatch.setattr(matrix_command, "chosen_scorer", late)
    done = run(first, *options, *TOY)
    assert done.exit_code == 0, done.output
    (refused,) = told
    assert refused.exit_code == 2
    assert "another process is writing" in refused.stderr
    assert Path(options[-1]).read_bytes() == expected
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second", options[-1]}


def part(result: SimilarityMatrix, count: int) -> SimilarityMatrix:
    return SimilarityMatrix(
        rows=result.rows[:count],
        columns=result.columns[:count],
        distances=result.distances[:count, :count],
        similarities=result.similarities[:count, :count],
        fingerprint=result.fingerprint,
    )


@pytest.mark.parametrize(("count", "width"), [(2, 40), (12, 120), (20, 80), (20, 60), (40, 120)])
def test_a_table_has_every_number(
    count: int, width: int, result: SimilarityMatrix, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    page = shown(part(result, count), width, monkeypatch, capsys)
    assert max(map(len, page.splitlines())) <= width
    numbers = re.findall(r"(?<![\d.])[01]\.\d{3}(?!\d)", page)
    expected = [f"{value:.3f}" for value in result.similarities[:count, :count].ravel()]
    assert sorted(numbers) == sorted(expected)


def test_a_matrix_too_wide_to_fold_is_summed_up(
    result: SimilarityMatrix, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    page = shown(result, 50, monkeypatch, capsys)
    assert "The 20 nearest pairs of 40 × 40 texts. All numbers: --out" in " ".join(page.split())
    numbers = [float(number) for number in re.findall(r"[01]\.\d{4}\b", page)]
    upper = result.similarities[np.triu_indices(40, 1)]
    np.testing.assert_allclose(numbers, np.sort(upper)[::-1][:20], atol=5e-5)


def test_nearest_pairs_of_two_lists(result: SimilarityMatrix) -> None:
    two = SimilarityMatrix(
        rows=("a", "b"),
        columns=("c", "d", "e"),
        distances=np.zeros((2, 3)),
        similarities=np.array([[0.1, 0.9, 0.2], [0.8, 0.0, 1.0]]),
        fingerprint=result.fingerprint,
    )
    assert nearest_pairs(two, 3) == [(1, 2), (0, 1), (1, 0)]
    assert len(nearest_pairs(two, 100)) == 6
    assert (0, 0) not in nearest_pairs(result, 5)


def test_a_pipe_gets_tsv_with_whole_numbers(result: SimilarityMatrix, tmp_path: Path) -> None:
    printed = run(written(tmp_path, TEXTS), *TOY)
    header, *rows = (line.split("\t") for line in printed.stdout.splitlines())
    assert header == ["", *TEXTS]
    assert [row[0] for row in rows] == TEXTS
    np.testing.assert_array_equal(
        [[float(value) for value in row[1:]] for row in rows], result.similarities
    )


def test_a_terminal_gets_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("similarity.cli.terminal.sys", Terminal())
    printed = run(written(tmp_path, ["a", "b"]), *TOY).stdout
    assert "1.000" in printed
    assert "\t" not in printed


class Terminal:
    stdout = type("Out", (), {"isatty": staticmethod(lambda: True)})


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.json", "out.parquet"])
def test_files_by_their_ending(name: str, result: SimilarityMatrix, tmp_path: Path) -> None:
    out = tmp_path / name
    done = run(written(tmp_path, TEXTS), *TOY, "--out", str(out))
    assert (done.exit_code, done.stdout) == (0, "")
    if name == "out.json":
        assert json.loads(out.read_text()) == json.loads(json.dumps(result.to_dict()))
    elif name == "out.parquet":
        table = pytest.importorskip("pyarrow.parquet").read_table(out).to_pydict()
        assert table["text1"][41] == TEXTS[1]
        assert table["text2"][41] == TEXTS[1]
        assert (table["row"][41], table["column"][41]) == (2, 2)
        np.testing.assert_array_equal(table["similarity"], result.similarities.ravel())
        np.testing.assert_array_equal(table["distance"], result.distances.ravel())
    else:
        delimiter = "," if name == "out.csv" else "\t"
        _, *rows = csv.reader(io.StringIO(out.read_text(encoding="utf-8")), delimiter=delimiter)
        assert [[float(value) for value in row[1:]] for row in rows] == result.similarities.tolist()


def test_two_files_and_json(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_bytes("\ufeffid,text\r\n1,a red car\r\n\r\n2,the sea\r\n".encode())
    columns = written(tmp_path, ["a red car", "[red]b[/red]", "c"], "columns.txt")
    content = json.loads(run(str(rows), columns, *TOY, "--json").stdout)
    assert content["rows"] == ["a red car", "the sea"]
    assert len(content["similarities"][0]) == 3
    assert content["similarities"][0][0] == 1
    assert "column 2: [red]b[/red]" in run(str(rows), columns, *TOY, "--format", "table").stdout


def test_standard_input_and_output() -> None:
    printed = run("-", *TOY, "--format", "json", "--out", "-", input="a\nb\n")
    assert json.loads(printed.stdout)["columns"] == ["a", "b"]
    printed = run("-", *TOY, "--format", "csv", "--input-format", "jsonl", input='"a, b"\n')
    assert printed.stdout == ',"a, b"\n"a, b",1.0\n'


def test_a_matrix_by_tiles(result: SimilarityMatrix, tmp_path: Path) -> None:
    out = tmp_path / "m.npy"
    done = run(written(tmp_path, TEXTS), *TOY, "--out", str(out), "--tile", "7")
    assert done.exit_code == 0, done.output
    assert "wrote 1600 similarities" in done.stderr
    np.testing.assert_array_equal(np.load(out), result.similarities.astype(np.float32))


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.tsv", "out.parquet"])
def test_pairs_above_a_threshold(name: str, result: SimilarityMatrix, tmp_path: Path) -> None:
    out = tmp_path / name
    threshold = float(np.quantile(result.similarities, 0.9))
    options = (*TOY, "--above", str(threshold), "--tile", "16", "--out", str(out))
    done = run(written(tmp_path, TEXTS), *options)
    assert done.exit_code == 0, done.output
    expected = {
        (i + 1, j + 1): value
        for (i, j), value in np.ndenumerate(result.similarities)
        if i < j and value >= threshold
    }
    rows: list[Any]
    if name == "out.parquet":
        rows = pytest.importorskip("pyarrow.parquet").read_table(out).to_pylist()
    elif name == "out.jsonl":
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    else:
        delimiter = "," if name == "out.csv" else "\t"
        rows = list(
            csv.DictReader(io.StringIO(out.read_text(encoding="utf-8")), delimiter=delimiter)
        )
    found = {(int(row["row"]), int(row["column"])): float(row["similarity"]) for row in rows}
    assert found == expected
    assert rows[0]["text1"] == TEXTS[int(rows[0]["row"]) - 1]


@pytest.mark.parametrize("judged", [False, True])
def test_no_pairs_are_a_table_without_rows(judged: bool, tmp_path: Path) -> None:
    rerank = ("--rerank", "-n", "1", "-m", "1") if judged else ()
    names = [*PAIR_COLUMNS, *(["shortlisted"] if judged else [])]
    for name in ("none.jsonl", "none.csv", "none.tsv", "none.parquet"):
        out = tmp_path / name
        done = run(written(tmp_path, ["a"]), *TOY, *rerank, "--nearest", "2", "--out", str(out))
        assert "wrote 0 pairs" in done.stderr, done.output
    assert (tmp_path / "none.jsonl").read_text() == ""
    assert (tmp_path / "none.csv").read_text() == ",".join(names) + "\n"
    assert (tmp_path / "none.tsv").read_text() == "\t".join(names) + "\n"
    table = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "none.parquet")
    assert (table.column_names, table.num_rows) == (names, 0)
    assert [str(field.type) for field in table.schema][:5] == ["int64"] * 2 + ["string"] * 2 + [
        "double"
    ]


@pytest.mark.parametrize("options", [(), ("--above", "0.1"), ("--nearest", "1", "--rerank")])
def test_a_text_that_is_refused_leaves_nothing_that_bars_the_mended_file(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    """It may be the last of many: none is read before all of them can be."""
    out = tmp_path / ("out.csv" if options else "out.npy")
    short = ("--tile", "1", "-n", "1", "-m", "1") if "--rerank" in options else ("--tile", "1")
    long = written(tmp_path, ["a", "b", "word " * 9000])
    refused = run(long, *TOY, *options, *short, "--out", str(out))
    assert (refused.exit_code, "too long" in refused.stderr) == (2, True), refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["texts"]
    done = run(written(tmp_path, ["a", "b", "word"]), *TOY, *options, *short, "--out", str(out))
    assert done.exit_code == 0, done.output


@pytest.mark.longer
def test_vectors_make_a_shortlist_and_trajectories_judge_it(tmp_path: Path) -> None:
    texts = ["A dog runs.", "A puppy is running.", "It rains.", "The rain falls."]
    out, model = tmp_path / "out.jsonl", ("--model", "embedded")
    options = ("--nearest", "1", "--rerank", "-n", "2", "-m", "3", "--out", str(out))
    done = run(written(tmp_path, texts), *model, *options)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    config = ComparisonConfig.build(n_trajectories=2, max_tokens=3)
    by_trajectories = compare_matrix(load_model("embedded"), texts, config=config).similarities
    by_vectors = open_scorer(load_model("embedded")).matrix(texts).similarities
    for line in lines:
        place = line["row"] - 1, line["column"] - 1
        assert line["similarity"] == pytest.approx(by_trajectories[place], abs=1e-6)
        assert line["shortlisted"] == pytest.approx(by_vectors[place], abs=1e-6)
    assert [line["row"] for line in lines] == [1, 2, 3, 4]
    refused = run(written(tmp_path, texts), *model, "--preset", "paper", *options)
    assert refused.exit_code == 2
    assert "--rerank takes its shortlist by meaning vectors" in refused.stderr


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"heat.{ending}"
    done = run(written(tmp_path, ["a $x$ b", "犬", "c"]), *TOY, "--plot", str(picture))
    assert done.exit_code == 0, done.output
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert picture.read_bytes().startswith(begins[ending])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--plot", "heat.txt"), "--plot wants a file that ends in .png, .svg, .pdf, got heat.txt"),
        (("--plot", "nowhere/heat.png"), "there is no folder nowhere"),
        (("--out", "nowhere/out.tsv"), "there is no folder nowhere"),
        (("--out", ""), "the name of a file is empty"),
        (("--out", "/proc/out.tsv"), "cannot write /proc/out.tsv"),
        (("--out", "/proc/out.npy"), "cannot write /proc/out.npy"),
        (("--plot", "/proc/heat.png"), "cannot write /proc/heat.png"),
        (("--out", "folder.csv"), "cannot write folder.csv: it is there and is no file"),
        (("--out", "out"), "the ending of out is of no known format; give --format tsv, csv,"),
        (
            ("--above", "0.5"),
            "pairs of --above and --nearest are written to a file; name it by --out",
        ),
        (("--format", "npy"), "npy is written to a file; name it by --out"),
        (
            ("--out", "out.jsonl"),
            "jsonl has a line for each pair of --above or --nearest, and a mat",
        ),
        (("--format", "jsonl"), "give one of them, or --format tsv, csv, json or parquet"),
        (("--format", "jsonl", "--out", "out.tsv"), "jsonl has a line for each pair of --above"),
        (
            ("--nearest", "2", "--out", "out.npy"),
            "out.npy cannot be npy, as its ending has it; give --format jsonl, csv",
        ),
        (("--nearest", "2", "--above", "0.5"), "exclude each other"),
        (("--rerank", "--out", "out.csv"), "the pairs of --above or --nearest; give one of them"),
        (("--out", "out.npy", "--plot", "heat.png"), "--plot draws a whole matrix"),
        (("--format", "table", "--out", "out.tsv"), "out.tsv cannot be table"),
        (("--format", "parquet"), "Parquet goes to a file; name it by --out"),
        (("-",), "cannot both be standard input"),
    ],
)
def test_what_cannot_be_is_refused_before_a_model_is_loaded(
    options: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    monkeypatch.setattr("similarity.cli.matrix_command.open_model", lambda *_: 1 / 0)
    refused = run("-", *options, input="a\n")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
    assert message in refused.stderr


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    refused = run(written(tmp_path, ["a"]), *TOY, "--plot", str(tmp_path / "heat.png"))
    assert refused.exit_code == 1
    assert "pictures need matplotlib: pip install matplotlib" in refused.stderr
