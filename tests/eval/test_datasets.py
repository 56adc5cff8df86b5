from pathlib import Path

import pytest

from eval.datasets import STS_TASKS, ScoredPair, load_task, read_pairs
from similarity.errors import ConfigError, InputError

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
        (HEADER + "x\tmany\ta\tb\n", "line 2: want subset, score"),
        (HEADER + "x\t1\ta\tb\nx\t2\ta\n", "line 3: want subset, score"),
        ("a\tb\n", "must begin with the columns"),
        ("", "must begin with the columns"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_malformed_files(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs(write(tmp_path / "a.tsv", content))


def test_wrong_count_says_which_file(tmp_path: Path) -> None:
    write(tmp_path / "stsb-dev.tsv", HEADER + "x\t1\ta\tb\n")
    with pytest.raises(InputError, match=r"stsb-dev\.tsv has 1 pairs; stsb-dev has 1500"):
        load_task("stsb-dev", tmp_path)


def test_unknown_task_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown task 'sts99'; allowed: sts12-test"):
        load_task("sts99", tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        load_task("stsb-dev", tmp_path)


@pytest.mark.parametrize("task", STS_TASKS)
def test_real_files(sts_data: Path, task: str) -> None:
    assert len(load_task(task, sts_data)) == STS_TASKS[task]
