"""Jobs on a cluster have the rows of one machine, also where a worker or a machine is lost."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.dataset
import pyarrow.parquet
import pytest

from tests.ray.conftest import ENVIRONMENT, Command, add_machine, arguments, run_trajsim

pytestmark = pytest.mark.ray

PAIRS = [
    {
        "custom_id": f"pair {number}",
        "pair": [f"A dog number {number} runs.", f"The {number} cats sleep on a mat."],
    }
    for number in range(16)
]
# A partition takes long enough for its worker to be killed over it.
SETTINGS = ("--model", "embedded", "--chunk", "1", "-n", "20", "-m", "10")


def write_lines(path: Path, items: list[Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of all partitions, in the order of their names."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob("part-*.parquet")):
        found += pyarrow.dataset.dataset(path).to_table().to_pylist()
    # An answer of one machine has the fields of its line itself.
    return [{**json.loads(row.pop("input", "{}")), **row} for row in found]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "pairs.jsonl", PAIRS)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the answers of one machine."""
    folder = tmp_path_factory.mktemp("one")
    write_lines(folder / "pairs.jsonl", PAIRS)
    run_trajsim(folder, "batch", "pairs.jsonl", "out.jsonl", *SETTINGS)
    lines = (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def start(pairs: Path, address: str) -> subprocess.Popen[str]:
    """Start a job of two workers, and wait until it has a partition."""
    job = subprocess.Popen(
        arguments(
            *("batch", str(pairs), "out", *SETTINGS),
            *("--ray", address, "--workers", "2", "--partition-rows", "1"),
        ),
        env={**os.environ, **ENVIRONMENT},
        cwd=pairs.parent,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 400
    while not list((pairs.parent / "out").glob("part-*")):
        assert job.poll() is None, job.stderr and job.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.05)
    return job


def finish(job: subprocess.Popen[str]) -> str:
    _, said = job.communicate(timeout=300)
    assert job.returncode == 0, said
    return said


def replicas() -> list[psutil.Process]:
    """Return the workers' processes."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [""])[0].startswith("ray::Replica")
    ]


def test_a_worker_is_killed_in_mid_run(
    cluster: Any, pairs: Path, expected: list[dict[str, Any]]
) -> None:
    job = start(pairs, cluster.address)
    at_work = replicas()
    assert len(at_work) == 2
    os.kill(at_work[0].pid, signal.SIGKILL)
    assert "wrote 16 rows" in finish(job)
    assert rows_of(pairs.parent / "out") == expected


def test_a_machine_is_lost_in_mid_run(
    cluster: Any, pairs: Path, expected: list[dict[str, Any]]
) -> None:
    job = start(pairs, cluster.address)
    cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
    assert "wrote 16 rows" in finish(job)
    add_machine(cluster)
    assert rows_of(pairs.parent / "out") == expected


def test_a_job_that_was_killed_does_only_what_is_missing(
    cluster: Any, pairs: Path, trajsim: Command, expected: list[dict[str, Any]]
) -> None:
    job = start(pairs, cluster.address)
    job.kill()
    job.communicate()
    out = pairs.parent / "out"
    there = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")}
    assert 0 < len(there) < 16
    again = ["batch", str(pairs), "out", *SETTINGS, "--partition-rows", "1"]
    done = trajsim(*again, "--ray", cluster.address, "--workers", "1")
    assert "rows were done before" in done.stderr
    assert all((out / name).stat().st_mtime_ns == written for name, written in there.items())
    assert rows_of(out) == expected
    # The same command again has nothing to do, and another setting is refused.
    assert "16 of 16 rows" in trajsim(*again, "--ray", cluster.address).stderr
    refused = trajsim(*again, "--seed", "1", "--ray", cluster.address, ok=False)
    assert "was begun otherwise: fingerprint" in refused.stderr


def test_vectors_are_those_of_one_machine(cluster: Any, tmp_path: Path, trajsim: Command) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    texts = [f"A dog number {number} runs over the hill." for number in range(40)]
    table = pyarrow.table({"id": list(range(40)), "text": texts})
    pyarrow.parquet.write_table(table.slice(0, 25), folder / "a.parquet", row_group_size=10)
    pyarrow.parquet.write_table(table.slice(25), folder / "b.parquet")
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    trajsim("embed", "texts.txt", "--model", "embedded", "--out", "one.npy")
    wanted = np.load(tmp_path / "one.npy")
    address = ("--model", "embedded", "--ray", cluster.address, "--workers", "2")
    address += ("--partition-rows", "16")
    trajsim("embed", "texts.txt", "--out", "lines", *address)
    trajsim("embed", str(folder), "--format", "parquet", "--out", "tables", *address)
    for name in ("lines", "tables"):
        rows = rows_of(tmp_path / name)
        assert [row["text"] for row in rows] == texts
        np.testing.assert_allclose([row["vector"] for row in rows], wanted, atol=1e-5)


def test_an_evaluation_is_that_of_one_machine(
    cluster: Any, tmp_path: Path, trajsim: Command
) -> None:
    lines = [
        f"all\t{number % 6}\tA dog runs {number}.\tA cat {'sleeps ' * (number % 6)}."
        for number in range(30)
    ]
    header = "subset\tscore\tsentence1\tsentence2"
    (tmp_path / "own.tsv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    command = ("eval", "sts", "--model", "embedded", "--data", ".", "--tasks", "own.tsv")
    command += ("--no-baselines", "--json", "-n", "4", "-m", "4", "--method", "fast")
    one = json.loads(trajsim(*command, "--out", "one").stdout)
    many = json.loads(trajsim(*command, "--out", "many", "--ray", cluster.address).stdout)
    assert many["fingerprint"] == one["fingerprint"]
    methods = one["tasks"]["own.tsv"]["methods"]
    assert set(methods) == {"trajectories", "fast"}
    assert many["tasks"] == one["tasks"]


def test_a_text_that_cannot_be_read_is_named(
    cluster: Any, tmp_path: Path, trajsim: Command
) -> None:
    write_lines(tmp_path / "bad.jsonl", [{"text": "a dog"}, {"text": ""}])
    where = ("--model", "embedded", "--out", "out", "--ray", cluster.address)
    failed = trajsim("embed", "bad.jsonl", *where, ok=False)
    assert "line 2: " in failed.stderr
    gone = trajsim("embed", "none.jsonl", *where, ok=False)
    assert "cannot read none.jsonl" in gone.stderr
    assert "Traceback" not in failed.stderr + gone.stderr
