import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eval import hub
from eval.datasets import BENCHMARKS, SEVEN, Source, load_task, spread
from eval.pair_files import Columns, ScoredPair, read_pairs
from similarity.errors import ConfigError, InputError, MissingDependencyError

HEADER = "subset\tscore\tsentence1\tsentence2\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", HEADER + 'x\t4.5\tHe said "no\tA "dog" .\ny\t0\tÜ\tb\n')
    assert read_pairs(path) == [
        ScoredPair("x", 4.5, 'He said "no', 'A "dog" .'),
        ScoredPair("y", 0.0, "Ü", "b"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + "x\tmany\ta\tb\n", "line 2: want a number and two texts"),
        (HEADER + "x\t1\ta\tb\nx\t2\ta\n", "line 3: it has 3 fields and the first line 4"),
        ("a\tb\nc\td\te\n", "has score, sentence1, sentence2; got a, b$"),
        ("", "must begin with a line of columns that has score, sentence1, sentence2"),
        (HEADER.encode() + b"x\t1\ta\t\xff\n", "line 2: the line is not UTF-8 at byte 7"),
        (HEADER, "and rows below it; it has none"),
        (HEADER + "x\t1_0\ta\tb\n", "line 2: want a number and two texts"),
        (HEADER + "x\t٣\ta\tb\n", "line 2: want a number and two texts"),
        (HEADER + "x\t1\ta\tb\nx\tnan\ta\tb\n", "line 3: score must be a finite number, got nan"),
        (HEADER + "x\t1\ta\tb\nx\t-inf\ta\tb\n", "line 3: score must be a finite number"),
        (HEADER + "x\t1\ta\tb\nx\t1\t \tb\n", "line 3: a text is empty or only white space"),
        (HEADER + "x\t1\ta\tb\tc\n", "line 2: it has 5 fields and the first line 4"),
        (HEADER.replace("subset", "score") + "1\t2\ta\tb\n", "two of its columns are named"),
        (f"{HEADER}x\t1\ta\tb\n".encode("utf-16"), "it begins with the mark of UTF-16"),
    ],
)
def test_malformed_files(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs(write(tmp_path / "a.tsv", content))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "\ufeffscore\tsentence1\tsentence2\n1\ta, b\tc; d\n"),
        ("a.csv", '\ufeffscore,sentence1,sentence2\n1,"a, b",c; d\n'),
        ("a.csv", '\ufeffscore;sentence1;sentence2\n1;a, b;"c; d"\n'),
        ("a.csv", "score\tsentence1\tsentence2\n1\ta, b\tc; d\n"),
    ],
)
def test_files_as_spreadsheets_write_them(tmp_path: Path, name: str, content: str) -> None:
    (pair,) = read_pairs(write(tmp_path / name, content))
    assert (pair.score, pair.first, pair.second) == (1, "a, b", "c; d")


CSV = "score,sentence1,sentence2\n1,a,b\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            '2,"a,b\n3,c,d\n',
            "line 3: .* is not CSV: a quotation mark that begins a field on line 3 is not closed",
        ),
        ('2,"a\n\nb",c\n3,,d\n', "line 6: a text is empty"),
        ("2,a,b,c\n", "line 3: it has 4 fields and the first line 3"),
        ("2,a\n", "line 3: it has 2 fields and the first line 3, parted by commas; add those"),
        ("1e999,a,b\n", "line 3: score must be a finite number"),
    ],
)
def test_malformed_csv(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs(write(tmp_path / "a.csv", CSV + row))


JSON = '{"score": 1, "sentence1": "a", "sentence2": "b"}\n'


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"b"', "null", "line 2: want a number and two texts"),
        ('"b"', '["b"]', "line 2: want a number and two texts"),
        ('"b"', "3", "line 2: want a number and two texts"),
        ('"b"', r'"\ud800"', "line 2: a text is not valid Unicode"),
        ("1", "true", "line 2: want a number and two texts"),
        ("1", "NaN", "line 2: score must be a finite number"),
        ("1", "null", "line 2: want a number and two texts"),
        ("1", "1" * 400, "line 2: score must be a finite number"),
        (JSON, "[" * 100_000, "line 2: the line is not JSON"),
        (JSON, "7", "line 2 is no object of JSON: 7"),
        (
            JSON,
            '{"score": 1, "score": 2}',
            "line 2: the line is not JSON: the name 'score' stands twice",
        ),
    ],
)
def test_malformed_json_lines(tmp_path: Path, before: str, after: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs(write(tmp_path / "a.jsonl", JSON + JSON.replace(before, after, 1)))


def test_a_subset_may_be_null(tmp_path: Path) -> None:
    row = JSON.replace("{", '{"subset": null, ')
    assert read_pairs(write(tmp_path / "a.jsonl", row)) == [ScoredPair("", 1.0, "a", "b")]


def test_scores_that_are_all_one_have_no_correlation(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", 3 * JSON)
    with pytest.raises(InputError, match=r"a.jsonl has the score 1 in all of its 3 pairs"):
        load_task(str(path), Source("nowhere"))
    other = JSON.replace("1", "2", 1)
    pairs = load_task(str(write(path, JSON + JSON + other)), Source("nowhere"))
    with pytest.raises(InputError, match="of which 2 pairs are taken has the score 1"):
        spread(pairs, 2)


def test_a_file_of_ones_own_is_looked_for_in_the_data_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data" / "lab.csv", CSV + "2,c,d\n")
    assert [pair.score for pair in load_task("lab.csv", Source("data"))] == [1, 2]
    # What is named as it is goes before.
    write(tmp_path / "lab.csv", CSV + "3,c,d\n")
    assert [pair.score for pair in load_task("lab.csv", Source("data"))] == [1, 3]
    with pytest.raises(InputError, match=r"no file other.csv nor data/other.csv; give its path"):
        load_task("other.csv", Source("data"))
    with pytest.raises(InputError, match=r"no file other.csv; give its path"):
        load_task("other.csv", Source("hub"))


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"score": [4.5, 1.0], "sentence1": ["a", "b"], "sentence2": ["c", "d"]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    pairs = load_task(str(tmp_path / "a.parquet"), Source("nowhere"))
    assert pairs == [ScoredPair("", 4.5, "a", "c"), ScoredPair("", 1.0, "b", "d")]
    # The subsets of Parquet were not read.
    for name in ("subset", "kind"):
        table = pyarrow.table({**columns, name: ["x", None]})
        parquet.write_table(table, tmp_path / "a.parquet")
        source = Source("nowhere", Columns(subset=name))
        (first, second) = load_task(str(tmp_path / "a.parquet"), source)
        assert (first.subset, second.subset) == ("x", "")


def test_files_of_ones_own(tmp_path: Path) -> None:
    expected = [ScoredPair("x", 4.5, 'He said "no"', "b, c"), ScoredPair("", 1.0, "d\ne", "f")]
    quoted = 'gold,left,right,kind\n4.5,"He said ""no""","b, c",x\n1,"d\ne",f,\n'
    columns = Columns("gold", "left", "right", "kind")
    assert read_pairs(write(tmp_path / "a.csv", quoted), columns) == expected
    rows = (
        '{"gold": 4.5, "left": "He said \\"no\\"", "right": "b, c", "kind": "x"}\n'
        '\n{"gold": 1, "left": "d\\ne", "right": "f"}\n'
    )
    path = write(tmp_path / "a.jsonl", rows)
    assert read_pairs(path, columns) == expected
    assert load_task(str(path), Source("nowhere", columns)) == expected
    with pytest.raises(InputError, match=r"line 1: want a number and two texts as score"):
        read_pairs(path)
    with pytest.raises(InputError, match="line 2: the line is not JSON"):
        read_pairs(write(tmp_path / "b.jsonl", rows.split("\n", maxsplit=1)[0] + "\n{\n"), columns)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_a_subset_that_is_named_must_be_there(tmp_path: Path, name: str) -> None:
    """It was ignored in silence, so that all pairs were one subset."""
    rows = [{"score": i, "sentence1": "a", "sentence2": "b", "genre": "x"} for i in range(2)]
    path = tmp_path / name
    if name == "a.parquet":
        pyarrow = pytest.importorskip("pyarrow")
        table = pyarrow.Table.from_pylist(rows)
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
    elif name == "a.jsonl":
        write(path, "".join(json.dumps(row) + "\n" for row in rows))
    else:
        mark = "," if name == "a.csv" else "\t"
        lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
        write(path, "".join(mark.join(line) + "\n" for line in lines))
    said = "has no column gerne, that of the subset; name yours by --columns, or leave its name out"
    with pytest.raises(InputError, match=said):
        load_task(str(path), Source("nowhere", Columns(subset="gerne")))
    assert [pair.subset for pair in read_pairs(path, Columns(subset="genre"))] == ["x", "x"]
    assert [pair.subset for pair in read_pairs(path)] == ["", ""]


def test_wrong_count_says_which_file(tmp_path: Path) -> None:
    write(tmp_path / "stsb-dev.tsv", HEADER + "x\t1\ta\tb\n")
    with pytest.raises(InputError, match=r"stsb-dev\.tsv has 1 pairs; stsb-dev has 1500"):
        load_task("stsb-dev", Source(str(tmp_path)))


def test_unknown_task_and_missing_file(tmp_path: Path) -> None:
    source = Source(str(tmp_path))
    with pytest.raises(ConfigError, match="unknown task 'sts99'; allowed: stsb-test"):
        load_task("sts99", source)
    with pytest.raises(InputError, match="cannot read"):
        load_task("stsb-dev", source)


def test_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(name: str, *, revision: str, split: str) -> list[dict[str, object]]:
        asked.append((name, revision, split))
        return [{"score": i, "sentence1": "a", "sentence2": "b"} for i in range(1379)]

    module: Any = ModuleType("datasets")
    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)
    assert load_task("stsb-test", Source("hub"))[0] == ScoredPair("", 0.0, "a", "b")
    with pytest.raises(InputError, match=r"sts13-sts@\w{12} \(test\) has 1379 pairs; sts13"):
        load_task("sts13-test", Source("hub"))
    assert [(name, split) for name, _, split in asked] == [
        ("mteb/stsbenchmark-sts", "test"),
        ("mteb/sts13-sts", "test"),
    ]
    assert all(len(revision) == 40 for _, revision, _ in asked)
    with pytest.raises(InputError, match="sick-r-test is not on the hub as it is"):
        load_task("sick-r-test", Source("hub"))

    def unreachable(name: str, **_: str) -> None:
        raise ConnectionError("no route")

    module.load_dataset = lambda *_, **__: [{"score": None, "sentence1": "a", "sentence2": "b"}]
    with pytest.raises(InputError, match=r"stsbenchmark-sts@.* row 1: want a number"):
        load_task("stsb-test", Source("hub"))
    module.load_dataset = unreachable
    with pytest.raises(InputError, match="no route; give a folder"):
        load_task("stsb-test", Source("hub"))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingDependencyError, match=r"pip install datasets"):
        hub.hub_rows(hub.HubSource("a", "b", "c"))


def test_the_seven() -> None:
    assert sum(BENCHMARKS[name].pairs for name in SEVEN) == 18_850


@pytest.mark.parametrize("task", BENCHMARKS)
def test_real_files(sts_data: Path, task: str) -> None:
    assert len(load_task(task, Source(str(sts_data)))) == BENCHMARKS[task].pairs


def test_data_that_is_no_folder_says_what_is_wanted(tmp_path: Path) -> None:
    own = write(tmp_path / "own.csv", CSV)
    with pytest.raises(
        InputError, match=r"own\.csv is a file.* give .*own\.csv as the task, and --data \."
    ):
        load_task("stsb-test", Source(str(own)))
    with pytest.raises(InputError, match=r"no folder .*none; give the one that has stsb-test\.tsv"):
        load_task("stsb-test", Source(str(tmp_path / "none")))
