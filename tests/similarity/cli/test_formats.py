"""Every command that reads or writes files, with every format, as editors and systems save them."""

import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from similarity.cli.main import main
from similarity.tabular.judged import read_judged_pairs

TEXTS = ["a red car", 'the "sea", blue', "a red cab", "größer"]
PAIRS = [(first, second, str(i % 5)) for i, first in enumerate(TEXTS) for second in TEXTS[:3]]
SMALL = ("--model", "toy", "-n", "2", "-m", "3")
TOY = ("--model", "toy")
MARK = "\ufeff"

# A table's first row has the names of its columns.
Table = list[list[str]]


def as_csv(table: Table, delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", delimiter=delimiter).writerows(table)
    return out.getvalue()


def as_jsonl(table: Table) -> str:
    names, *rows = table
    objects = [dict(zip(names, row, strict=True)) for row in rows]
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


TABLES: dict[str, Callable[[Table], str]] = {
    "csv": as_csv,
    "tsv": lambda table: as_csv(table, "\t"),
    "jsonl": as_jsonl,
}
FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda content: content,
    "mark": lambda content: MARK + content,
    "CRLF": lambda content: content.replace("\n", "\r\n"),
    "blank lines": lambda content: "\n" + content.replace("\n", "\n\n") + "  \n",
    "no last end": lambda content: content.rstrip("\n"),
    "all of it": lambda content: MARK + "\r\n" + content.replace("\n", "\r\n\r\n"),
}


def written(folder: Path, kind: str, form: str, table: Table) -> Path:
    """Write a table in a format and a form; text has its first column alone."""
    path = folder / f"file.{'txt' if kind == 'text' else kind}"
    if kind == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        names, *rows = table
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(columns), path)
    elif kind == "text":
        path.write_bytes(FORMS[form]("".join(f"{row[0]}\n" for row in table[1:])).encode())
    else:
        path.write_bytes(FORMS[form](TABLES[kind](table)).encode())
    return path


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(main, [str(one) for one in arguments], input=stdin)
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result


def numbers_of(text: str) -> Any:
    """Return what lines of JSON say, without what differs from run to run."""
    return [json.loads(line) for line in text.splitlines()]


# From a file of texts, its format and a folder to what the command makes of it.
Command = Callable[[str, tuple[str, ...], bytes | None, Path], Any]


def _embed(file: str, kind: tuple[str, ...], stdin: bytes | None, _folder: Path) -> Any:
    return numbers_of(run("embed", file, *kind, *TOY, "--dimensions", "4", stdin=stdin).stdout)


def _index(file: str, kind: tuple[str, ...], stdin: bytes | None, folder: Path) -> Any:
    pytest.importorskip("faiss")
    run("index", "build", file, *kind, *TOY, "--out", folder / "index", stdin=stdin)
    return json.loads(run("index", "query", folder / "index", "a car", *TOY, "--json").stdout)


def _of(name: str, *options: str) -> Command:
    def command(file: str, kind: tuple[str, ...], stdin: bytes | None, _folder: Path) -> Any:
        return json.loads(run(name, file, *kind, *options, "--json", stdin=stdin).stdout)

    return command


def _hyponym(file: str, kind: tuple[str, ...], stdin: bytes | None, _folder: Path) -> Any:
    if kind:
        pytest.skip("a corpus is of the format of its ending")
    words = ("hyponym", "car", "cab", "--corpus", file)
    return json.loads(run(*words, *TOY, "--json", stdin=stdin).stdout)


COMMANDS: dict[str, Command] = {
    "matrix": _of("matrix", *SMALL),
    "cluster": _of("cluster", *SMALL),
    "dedupe": _of("dedupe", *SMALL),
    "consensus": _of("consensus", *TOY),
    "embed": _embed,
    "index": _index,
    "hyponym": _hyponym,
}
# Parquet has one form.
READ = [
    (kind, form)
    for kind in ("text", "csv", "tsv", "jsonl", "parquet")
    for form in FORMS
    if kind != "parquet" or form == "plain"
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what each command makes of the plainest file."""
    found = {}
    for name, command in COMMANDS.items():
        folder = tmp_path_factory.mktemp(name)
        file = written(folder, "text", "plain", texts_table())
        found[name] = command(str(file), (), None, folder)
    return found


def texts_table() -> Table:
    return [["text", "number"], *([text, str(i)] for i, text in enumerate(TEXTS))]


@pytest.mark.parametrize(("kind", "form"), READ)
@pytest.mark.parametrize("name", COMMANDS)
def test_texts_are_the_same_in_every_format(
    name: str, kind: str, form: str, plain: dict[str, Any], tmp_path: Path
) -> None:
    file = written(tmp_path, kind, form, texts_table())
    assert COMMANDS[name](str(file), (), None, tmp_path) == plain[name]


@pytest.mark.parametrize("kind", ["text", "csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "hyponym"])
def test_texts_are_the_same_from_standard_input(
    name: str, kind: str, plain: dict[str, Any], tmp_path: Path
) -> None:
    content = written(tmp_path, kind, "all of it", texts_table()).read_bytes()
    given = ("--input-format", kind)
    assert COMMANDS[name]("-", given, content, tmp_path) == plain[name]


PAIRS_TABLE = [["text1", "text2", "score"], *(list(row) for row in PAIRS)]
PAIR_FILES = [(kind, form) for kind, form in READ if kind != "text"]


def scored(file: Path | str, out: Path, *kind: str, stdin: bytes | None = None) -> Any:
    run("batch", file, out, *kind, *SMALL, stdin=stdin)
    lines = numbers_of(out.read_text())
    # Without an id of its own a line has its number, which blank lines count in.
    return [{name: line[name] for name in ("similarity", "distance")} for line in lines]


def fitted(file: Path | str, *kind: str, stdin: bytes | None = None) -> str:
    result = run("calibrate", "--pairs", file, *kind, *SMALL, "--scale", "0", "4", stdin=stdin)
    kept = result.stderr.split("kept in ")[1].splitlines()[0]
    scale = json.loads(Path(kept).read_text())
    for one in scale:
        del one["fitted_on"], one["digest"]  # have the file's name
    return json.dumps(scale, sort_keys=True)


@pytest.mark.parametrize(("kind", "form"), PAIR_FILES)
def test_pairs_are_the_same_in_every_format(kind: str, form: str, tmp_path: Path) -> None:
    expected = scored(written(tmp_path, "csv", "plain", PAIRS_TABLE), tmp_path / "plain.jsonl")
    assert len(expected) == len(PAIRS)
    (tmp_path / "other").mkdir()
    file = written(tmp_path / "other", kind, form, PAIRS_TABLE)
    assert scored(file, tmp_path / "out.jsonl") == expected
    content, given = file.read_bytes(), ("--input-format", kind)
    assert scored("-", tmp_path / "stdin.jsonl", *given, stdin=content) == expected


@pytest.mark.parametrize(("kind", "form"), PAIR_FILES)
def test_judgements_are_the_same_in_every_format(
    kind: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))
    expected = fitted(written(tmp_path, "csv", "plain", PAIRS_TABLE))
    (tmp_path / "other").mkdir()
    file = written(tmp_path / "other", kind, form, PAIRS_TABLE)
    assert fitted(file) == expected
    assert fitted("-", "--input-format", kind, stdin=file.read_bytes()) == expected


@pytest.mark.longer
@pytest.mark.parametrize("form", FORMS)
def test_a_corpus_is_the_same_in_every_form(form: str, tmp_path: Path) -> None:
    def fit(form: str) -> list[bytes]:
        folder = tmp_path / form
        folder.mkdir()
        table = [["text"], *([f"the red car number {i} of all"] for i in range(40))]
        corpus = written(folder, "text", form, table)
        run("fit", "--corpus", corpus, "--out", folder / "fitted", *TOY, "--tokens", "32")
        return [path.read_bytes() for path in sorted((folder / "fitted").glob("*.npz"))]

    assert fit(form) == fit("plain") if form != "plain" else fit(form)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a written table, numbers as text of six digits."""
    if path.suffix == ".parquet":
        rows = pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    elif path.suffix == ".jsonl":
        rows = numbers_of(path.read_text())
    else:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = list(csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ","))
    return [{name: _shown(value) for name, value in row.items()} for row in rows]


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value)
    try:
        return f"{float(value):.4f}"
    except (TypeError, ValueError):
        return str(value)


@pytest.mark.parametrize("name", ["cluster", "dedupe"])
def test_tables_are_the_same_in_every_format_that_is_written(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = written(tmp_path, "text", "plain", texts_table())
    tables = []
    for kind in ("jsonl", "csv", "tsv", "parquet"):
        out = tmp_path / f"out.{kind}"
        run(name, file, *SMALL, "--out", out)
        tables.append(rows_of(out))
    assert len(tables[0]) == len(TEXTS)
    assert all(table == tables[0] for table in tables[1:])


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_a_batch_as_a_table_has_what_lines_of_json_have(kind: str, tmp_path: Path) -> None:
    file = written(tmp_path, "csv", "plain", PAIRS_TABLE)
    expected = scored(file, tmp_path / "out.jsonl")
    out = tmp_path / f"out.{kind}"
    run("batch", file, out, *SMALL)
    found = rows_of(out)
    assert [row["similarity"] for row in found] == [_shown(row["similarity"]) for row in expected]


def test_nothing_is_read_before_it_is_known_where_it_goes(tmp_path: Path) -> None:
    file = written(tmp_path, "text", "plain", texts_table())
    for arguments in (
        ("batch", "-", "-"),
        ("index", "build", file, "--out", "-"),
        ("matrix", file, "--format", "parquet"),
        ("embed", file, "--out", tmp_path / "missing" / "out.npy"),
        ("cluster", file, "--out", tmp_path / "out.xyz"),
    ):
        result = CliRunner().invoke(main, [*map(str, arguments), "--model", "/no/such/model"])
        assert result.exit_code == 2, arguments
        assert "/no/such/model" not in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
@pytest.mark.parametrize(
    "command",
    [
        ("matrix", "FILE", "--format", "json", *SMALL),
        ("cluster", "FILE", "--k", "2", "--json", *SMALL),
        ("dedupe", "FILE", *SMALL),
        ("embed", "FILE", *TOY),
        ("hyponym", "red", "car", "--corpus", "FILE", "--json", *TOY),
        ("calibrate", "--texts", "FILE", "--preset", "paper", *SMALL),
    ],
)
@pytest.mark.parametrize("kind", ["text", "jsonl", "csv"])
def test_packed_texts_are_those_of_the_inner_name(
    command: tuple[str, ...],
    pack: Callable[[bytes], bytes],
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))
    plain = written(tmp_path, kind, "plain", [["text"], *([text] for text in TEXTS)])
    ending = ".gz" if pack is gzip.compress else ".xz"
    # Without another ending it is text, as a name without any is.
    packed = tmp_path / f"{'packed' if kind == 'text' else plain.name}{ending}"
    packed.write_bytes(pack(plain.read_bytes()))
    outs = [
        run(*(str(name) if one == "FILE" else one for one in command)).stdout.replace(
            str(name), "FILE"
        )
        for name in (plain, packed)
    ]
    assert outs[0] == outs[1]


def test_packed_pairs_are_scored_and_judged(tmp_path: Path) -> None:
    table = as_csv([["text1", "text2", "score"], *map(list, PAIRS)]).encode()
    packed = tmp_path / "pairs.csv.gz"
    packed.write_bytes(gzip.compress(table))
    out = tmp_path / "out.csv"
    run("batch", packed, out, *SMALL)
    assert len(list(csv.reader(io.StringIO(out.read_text())))) == len(PAIRS) + 1
    assert len(read_judged_pairs(str(packed))) == len(PAIRS)


@pytest.mark.parametrize("ending", ["gz", "xz"])
@pytest.mark.parametrize("cut", [True, False])
def test_what_cannot_be_unpacked_is_named(ending: str, cut: bool, tmp_path: Path) -> None:
    pack = {"gz": gzip.compress, "xz": lzma.compress}[ending]
    file = tmp_path / f"a.txt.{ending}"
    file.write_bytes(pack(b"a text\nanother\n" * 99)[:-9] if cut else b"a text\nanother\n")
    for command in (("matrix", file), ("fit", "--corpus", file, "--out", tmp_path / "out")):
        result = CliRunner().invoke(main, [*map(str, command), *TOY])
        assert result.exit_code == 2
        assert f"cannot read {file}: " in result.stderr


def test_an_output_is_not_packed(tmp_path: Path) -> None:
    texts = written(tmp_path, "text", "plain", [["text"], *([text] for text in TEXTS)])
    result = CliRunner().invoke(main, ["matrix", str(texts), "--out", "a.csv.gz", *SMALL])
    assert result.exit_code == 2
    assert "a.csv.gz cannot be gz" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("cluster", "FILE", "--threshold", "0.5"),
        ("dedupe", "FILE"),
        ("matrix", "FILE", "--format", "csv"),
        ("matrix", "FILE", "--above", "0.1", "--format", "csv"),
        ("matrix", "other.csv", "FILE"),
        ("embed", "FILE"),
    ],
)
def test_no_output_takes_the_place_of_the_input(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = as_jsonl([["text"], *([text] for text in TEXTS)])
    file = "texts.jsonl" if command[0] == "embed" else "texts.csv"
    Path(file).write_text(content if command[0] == "embed" else "text\na dog\na cat\n")
    Path("other.csv").write_text("text\na dog\n")
    before = Path(file).read_bytes()
    Path("link").symlink_to(".")
    given = [file if one == "FILE" else one for one in command]
    result = CliRunner().invoke(main, [*given, "--out", f"link/{file}", *TOY])
    assert result.exit_code == 2
    assert f"--out link/{file} is the file that FILE" in result.stderr
    assert Path(file).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {file, "other.csv", "link"}
