"""Reads benchmarks of pairs with human scores from local TSV files."""

from dataclasses import dataclass
from pathlib import Path

from similarity.errors import ConfigError, InputError

COLUMNS = ("subset", "score", "sentence1", "sentence2")

# Task to official number of pairs; the file is <task>.tsv. SemEval-2012 to 2016, STS
# Benchmark (Cer et al. 2017) and SICK-R (Marelli et al. 2014).
STS_TASKS = {
    "sts12-test": 3108,
    "sts13-test": 1500,
    "sts14-test": 3750,
    "sts15-test": 3000,
    "sts16-test": 1186,
    "stsb-train": 5749,
    "stsb-dev": 1500,
    "stsb-test": 1379,
    "sick-r-train": 4500,
    "sick-r-dev": 500,
    "sick-r-test": 4927,
}


@dataclass(frozen=True)
class ScoredPair:
    """Two sentences and how alike people found them."""

    subset: str
    score: float
    first: str
    second: str


def load_task(task: str, data: Path) -> list[ScoredPair]:
    """Return all pairs of a task.

    Raises
    ------
    ConfigError
        If the task is unknown.
    InputError
        If its file is missing, malformed, or has another number of pairs than the official.
    """
    if task not in STS_TASKS:
        raise ConfigError(f"unknown task {task!r}; allowed: {', '.join(STS_TASKS)}")
    path = data / f"{task}.tsv"
    pairs = read_pairs(path)
    if len(pairs) != STS_TASKS[task]:
        raise InputError(f"{path} has {len(pairs)} pairs; {task} has {STS_TASKS[task]}")
    return pairs


def read_pairs(path: Path) -> list[ScoredPair]:
    """Return the rows of a UTF-8 TSV file with the columns subset, score, sentence1, sentence2.

    Raises
    ------
    InputError
        If it cannot be read or a row is malformed; it names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start}") from error
    header, *rows = (line.rstrip("\r").split("\t") for line in lines)
    if tuple(header[:4]) != COLUMNS:
        raise InputError(f"{path} must begin with the columns {', '.join(COLUMNS)}; got {header}")
    return [_pair(path, number, row) for number, row in enumerate(rows, 2) if row != [""]]


def _pair(path: Path, number: int, row: list[str]) -> ScoredPair:
    try:
        subset, score, first, second = row[:4]
        return ScoredPair(subset, float(score), first, second)
    except ValueError as error:
        raise InputError(f"{path} line {number}: want {', '.join(COLUMNS)}; got {row}") from error
