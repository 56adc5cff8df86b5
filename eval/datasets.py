"""Finds benchmarks of pairs with human scores: the official ones, and files of one's own."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eval.hub import HubSource, hub_rows
from eval.pair_files import KINDS, NAMED, Columns, ScoredPair, check_differ, read_pairs, scored_pair
from similarity.errors import ConfigError, InputError

# From this `--data`, benchmarks are fetched through the `datasets` package.
HUB = "hub"


@dataclass(frozen=True)
class Benchmark:
    """An official task, in a folder as <name>.tsv.

    Attributes
    ----------
    pairs
        The official number.
    hub
        The same pairs on the hub of datasets, or None where it has no such set.
    """

    name: str
    pairs: int
    hub: HubSource | None = None


def _benchmark(
    name: str, pairs: int, on_hub: str = "", revision: str = "", split: str = "test"
) -> Benchmark:
    hub = HubSource(f"mteb/{on_hub}", revision, split) if on_hub else None
    return Benchmark(name, pairs, hub)


_STSB = "stsbenchmark-sts", "b0fddb56ed78048fa8b90373c8a3cfc37b684831"

# SemEval-2012 to 2016, STS Benchmark (Cer et al. 2017) and SICK-R (Marelli et al. 2014). The hub's
# sets are MTEB's, at the revisions that MTEB pins; its SICK-R is all 9,927 pairs, not the test set.
BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        _benchmark("stsb-test", 1379, *_STSB),
        _benchmark("sts12-test", 3108, "sts12-sts", "a0d554a64d88156834ff5ae9920b964011b16384"),
        _benchmark("sts13-test", 1500, "sts13-sts", "7e90230a92c190f1bf69ae9002b8cea547a64cca"),
        _benchmark("sts14-test", 3750, "sts14-sts", "6031580fec1f6af667f0bd2da0a551cf4f0b2375"),
        _benchmark("sts15-test", 3000, "sts15-sts", "ae752c7c21bf194d8b67fd573edf7ae58183cbe3"),
        _benchmark("sts16-test", 1186, "sts16-sts", "4d8694f8f0e0100860b497b999b3dbed754a0513"),
        _benchmark("sick-r-test", 4927),
        _benchmark("stsb-train", 5749, *_STSB, "train"),
        _benchmark("stsb-dev", 1500, *_STSB, "validation"),
        _benchmark("sick-r-train", 4500),
        _benchmark("sick-r-dev", 500),
    )
}
# What the papers average over, in the order of their tables.
SEVEN = tuple(name for name in BENCHMARKS if name.endswith("-test"))


@dataclass(frozen=True)
class Source:
    """Where tasks are read from: a folder or the hub, and the columns of files of one's own."""

    data: str
    columns: Columns = field(default_factory=Columns)


def named_tasks(names: str) -> list[str]:
    """Return the tasks that are named between commas.

    Raises
    ------
    ConfigError
        If one is named twice, also by two paths of one file.
    """
    tasks = names.split(",")
    seen: dict[str, str] = {}
    for task in tasks:
        place = os.path.realpath(task)
        if place in seen:
            raise ConfigError(
                f"--tasks names one task twice, got {seen[place]} and {task}; name each once"
            )
        seen[place] = task
    return tasks


def load_task(task: str, source: Source) -> list[ScoredPair]:
    """Return all pairs of a benchmark, or of a file of one's own.

    Raises
    ------
    ConfigError
        If the task is neither a benchmark's name nor ends in .tsv, .csv, .jsonl or .parquet.
    InputError
        If its file is missing, malformed, has another number of pairs than the official, or
        all of its scores are one.
    """
    if Path(task).suffix in KINDS:
        pairs = read_pairs(_own_file(task, source), source.columns, NAMED)
        check_differ(task, pairs)
        return pairs
    if task not in BENCHMARKS:
        raise ConfigError(
            f"unknown task {task!r}; allowed: {', '.join(BENCHMARKS)}, or a file of your own that "
            f"ends in {', '.join(KINDS)}"
        )
    if source.data == HUB:
        place = f"{BENCHMARKS[task].hub}"
        pairs = _from_hub(BENCHMARKS[task])
    else:
        _check_folder(source.data, task)
        place = str(_file(task, source))
        pairs = read_pairs(Path(place))
    if len(pairs) != BENCHMARKS[task].pairs:
        raise InputError(f"{place} has {len(pairs)} pairs; {task} has {BENCHMARKS[task].pairs}")
    check_differ(place, pairs)
    return pairs


def _own_file(task: str, source: Source) -> Path:
    """Return where a file of one's own is: as it is named, or else in the folder of the source."""
    places = [Path(task)]
    if source.data != HUB:
        places.append(Path(source.data) / task)
    for place in places:
        if place.exists():
            return place
    named = " nor ".join(dict.fromkeys(map(str, places)))
    raise InputError(
        f"there is no file {named}; give its path as the task, or its folder by --data"
    )


def _check_folder(data: str, task: str) -> None:
    """Refuse a file, or nothing, where the folder of the benchmarks' files should be."""
    if Path(data).is_file():
        raise InputError(
            f"{data} is a file, and {task} is read from a folder; to measure on a file of your "
            f"own, give {data} as the task, and --data ."
        )
    if not Path(data).is_dir():
        raise InputError(
            f"no folder {data}; give the one that has {task}.tsv, or {HUB!r} to fetch it"
        )


def is_there(task: str, source: Source) -> bool:
    """Return whether the source has a benchmark at all."""
    if source.data == HUB:
        return BENCHMARKS[task].hub is not None
    return _file(task, source).exists()


def _file(task: str, source: Source) -> Path:
    return Path(source.data) / f"{task}.tsv"


def spread(pairs: Sequence[ScoredPair], count: int | None) -> list[ScoredPair]:
    """Return that many pairs, evenly from first to last: files are often sorted by subset.

    Raises
    ------
    InputError
        If those all have one score: no correlation is defined then.
    """
    if count is None or count >= len(pairs):
        return list(pairs)
    chosen = [pairs[i * len(pairs) // count] for i in range(count)]
    check_differ(f"a task of which {count} pairs are taken", chosen)
    return chosen


def _from_hub(benchmark: Benchmark) -> list[ScoredPair]:
    if benchmark.hub is None:
        raise InputError(
            f"{benchmark.name} is not on the hub as it is; give a folder with {benchmark.name}.tsv"
        )
    rows = enumerate(hub_rows(benchmark.hub), 1)
    return [scored_pair(f"{benchmark.hub} row {number}", row, Columns()) for number, row in rows]
