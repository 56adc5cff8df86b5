"""Matrices of all pairs that need more memory than is free are refused, and no others."""

import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from similarity import room
from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.groups.clustering import cluster, cosines, deduplicate
from similarity.groups.consensus import check_room
from similarity.models.loader import load_model
from similarity.pipeline import TrajectoryScorer
from similarity.room import check_all_pairs, free_bytes
from similarity.scorers import open_scorer

GIB = 2**30
TEXTS = [f"text {i}" for i in range(40)]
ALIKE = np.ones((40, 40))


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 40 texts not a number for each pair fits."""
    monkeypatch.setattr(room, "_ALWAYS_TRIED", 0)
    monkeypatch.setattr(room, "free_bytes", lambda: 40 * 40 * 7)


FUNCTIONS: dict[str, Callable[[], object]] = {
    "matrix by vectors": lambda: open_scorer(load_model("embedded"), "fast").matrix(TEXTS),
    "matrix by trajectories": lambda: TrajectoryScorer(
        load_model("toy"), ComparisonConfig()
    ).matrix(TEXTS),
    "cluster": lambda: cluster(ALIKE, k=2),
    "deduplicate": lambda: deduplicate(ALIKE, 0.8, TEXTS),
    "cosines": lambda: cosines(np.eye(40)),
    "consensus": lambda: check_room(TEXTS),
    "consensus of texts that repeat": lambda: check_room(["a"] * 40),
}


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_whose_memory_grows_with_all_pairs_refuse_too_many(name: str) -> None:
    with pytest.raises(InputError, match=r"all pairs of 40 × 40 texts need .* are free; .*fewer"):
        FUNCTIONS[name]()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS))
    return str(path)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("command", ["cluster", "dedupe", "matrix", "consensus"])
def test_commands_refuse_too_many_before_a_model_is_loaded(command: str, file: str) -> None:
    result = CliRunner().invoke(main, [command, file, "--model", "none-of-this-name"])
    (line,) = result.stderr.splitlines()[-1:]
    assert (result.exit_code, "all pairs of 40 × 40 texts" in line) == (2, True), result.stderr
    assert ("--above" in line) == (command != "consensus")


@pytest.mark.longer
@pytest.mark.usefixtures("little")
def test_what_is_written_part_by_part_needs_no_more_than_a_part(file: str, tmp_path: Path) -> None:
    options = ("--model", "toy", "-n", "1", "-m", "1", "--tile", "4")
    for how in (["--above", "0.9", "--out", "a.csv"], ["--out", "m.npy"]):
        named = [*how[:-1], str(tmp_path / how[-1])]
        result = CliRunner().invoke(main, ["matrix", file, *named, *options])
        assert result.exit_code == 0, result.output


def test_as_many_as_fit_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda: 16 * 10_000**2)
    check_all_pairs(10_000, 10_000, 16)
    with pytest.raises(InputError, match="fewer texts: 10,000 × 10,000 may fit"):
        check_all_pairs(10_001, 10_001, 16)
    monkeypatch.setattr(room, "free_bytes", lambda: 0)
    check_all_pairs(512, 512, 16)  # what the system says is no more than an estimate
    monkeypatch.setattr(room, "free_bytes", lambda: None)
    check_all_pairs(10**6, 10**6, 16)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a machine with 8 GiB, 6 of them and 1 of swap free; no limit else."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    kib = 2**20
    (tmp_path / "proc" / "meminfo").write_text(
        f"MemTotal: {8 * kib} kB\nMemAvailable: {6 * kib} kB\nSwapFree: {kib} kB\nHugePages: 0\n"
    )
    monkeypatch.setattr(room, "_PROCESS", tmp_path / "proc")
    monkeypatch.setattr(room, "_GROUPS", tmp_path / "groups")
    limits = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits)
    return tmp_path


def in_group(system: Path, line: str, folder: str, files: dict[str, str]) -> None:
    (system / "proc" / "self" / "cgroup").write_text(f"{line}\n")
    (system / "groups" / folder).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (system / "groups" / folder / name).write_text(content)


def test_the_free_memory_is_that_of_the_machine(system: Path) -> None:
    assert free_bytes() == 7 * GIB
    (system / "proc" / "meminfo").unlink()
    assert free_bytes() is None


def test_the_limit_of_addresses_counts(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = GIB // resource.getpagesize()
    (system / "proc" / "self" / "statm").write_text(f"{pages} 5 5 5 0 5 0\n")
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (3 * GIB, 4 * GIB))
    assert free_bytes() == 2 * GIB
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (GIB // 2, GIB))
    assert free_bytes() == 0


@pytest.mark.parametrize("folder", ["a/b", "a", ""])
def test_the_limit_of_any_group_around_a_process_counts(system: Path, folder: str) -> None:
    stat = f"anon {GIB}\ninactive_file {GIB}\nactive_file {GIB}\n"
    limited = {"memory.max": f"{5 * GIB}", "memory.current": f"{4 * GIB}", "memory.stat": stat}
    in_group(system, "0::/a/b", "a/b", {"memory.max": "max", "memory.current": "5"})
    in_group(system, "0::/a/b", folder, limited)
    assert free_bytes() == 3 * GIB


@pytest.mark.parametrize("folder", ["memory/job", "memory"])
def test_groups_of_the_first_version_count(system: Path, folder: str) -> None:
    stat = f"total_inactive_file {GIB}\ntotal_active_file 0\n"
    files = {
        "memory.limit_in_bytes": f"{5 * GIB}",
        "memory.usage_in_bytes": f"{2 * GIB}",
        "memory.stat": stat,
    }
    in_group(system, "5:cpu:/job\n4:memory:/job", folder, files)
    assert free_bytes() == 4 * GIB
