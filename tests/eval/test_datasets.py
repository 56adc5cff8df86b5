import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eval import hub
from eval.datasets import BENCHMARKS, SEVEN, Columns, ScoredPair, Source, load_task, read_pairs
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
        (HEADER + "x\t1\ta\tb\nx\t2\ta\n", "line 3: want a number and two texts"),
        ("a\tb\n", "must begin with a line of columns that has score, sentence1, sentence2"),
        ("", "must begin with a line of columns that has score, sentence1, sentence2"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_malformed_files(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs(write(tmp_path / "a.tsv", content))


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
    with pytest.raises(InputError, match="line 2 is not JSON"):
        read_pairs(write(tmp_path / "b.jsonl", rows.split("\n", maxsplit=1)[0] + "\n{\n"), columns)


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
        return [{"score": 2, "sentence1": "a", "sentence2": "b"}] * 1379

    module: Any = ModuleType("datasets")
    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)
    assert load_task("stsb-test", Source("hub"))[0] == ScoredPair("", 2.0, "a", "b")
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

    module.load_dataset = unreachable
    with pytest.raises(InputError, match="no route; give a folder"):
        load_task("stsb-test", Source("hub"))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingDependencyError, match=r"trajsim\[hub\]"):
        hub.hub_rows(hub.HubSource("a", "b", "c"))


def test_the_seven() -> None:
    assert sum(BENCHMARKS[name].pairs for name in SEVEN) == 18_850


@pytest.mark.parametrize("task", BENCHMARKS)
def test_real_files(sts_data: Path, task: str) -> None:
    assert len(load_task(task, Source(str(sts_data)))) == BENCHMARKS[task].pairs
