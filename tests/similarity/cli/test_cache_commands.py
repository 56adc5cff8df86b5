import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from similarity.cli.main import main
from similarity.models.local import LocalModel
from similarity.storage import store
from similarity.storage.store import Store

PAIR = ("--model", "embedded", "-n", "2", "-m", "3", "a red car", "the sea")


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path))
    monkeypatch.setenv("TRAJSIM_KEEP_ANSWERS", "1")
    return tmp_path / "answers"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the number of texts of each call that samples."""
    made: list[int] = []
    sample = LocalModel.sample

    def counted(self: LocalModel, requests: Sequence[Any], *more: Any) -> Any:
        made.append(len(requests))
        return sample(self, requests, *more)

    monkeypatch.setattr(LocalModel, "sample", counted)
    return made


def test_nothing_is_computed_twice(calls: list[int], folder: Path) -> None:
    first = run("compare", "--json", *PAIR).stdout
    assert calls == [2]
    assert run("compare", "--json", *PAIR).stdout == first
    assert calls == [2]
    assert run("compare", "--json", *PAIR, "--no-cache").stdout == first
    assert calls == [2, 2]
    found = json.loads(run("cache", "info", "--json").stdout)
    assert found["path"] == str(folder / "answers.sqlite")
    assert found["kinds"]["trajectories"]["entries"] == 2
    assert "trajectories: 2 entries" in run("cache", "info").stdout


@pytest.mark.longer
def test_no_text_is_read_twice_for_its_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    texts, model = tmp_path / "texts.txt", ("--model", "embedded")
    texts.write_text("a red car\nthe sea\n", encoding="utf-8")
    read: list[int] = []
    next_states = LocalModel.next_states

    def counted(self: LocalModel, prefixes: Sequence[Any], *more: Any) -> Any:
        read.append(len(prefixes))
        return next_states(self, prefixes, *more)

    monkeypatch.setattr(LocalModel, "next_states", counted)
    first = run("embed", str(texts), *model).stdout
    assert sum(read) > 0
    read.clear()
    assert run("embed", str(texts), *model).stdout == first
    run("index", "build", str(texts), "--out", str(tmp_path / "index"), *model)
    run("index", "query", str(tmp_path / "index"), "the sea", *model)
    run("matrix", str(texts), *model)
    assert read == []
    run("embed", str(texts), *model, "--no-cache")
    assert sum(read) > 0


def test_it_is_deleted_in_part_or_whole(folder: Path) -> None:
    assert "0.0 MiB on disk" in run("cache", "info").stdout
    assert "deleted 0 entries" in run("cache", "prune").stderr
    run("compare", *PAIR)
    assert "deleted 0 entries" in run("cache", "prune").stderr
    assert "deleted 0 entries" not in run("cache", "prune", "--max-mib", "0").stderr
    assert json.loads(run("cache", "info", "--json").stdout)["kinds"] == {}
    run("cache", "clear")
    assert list(folder.iterdir()) == []


def test_a_store_that_cannot_be_used_stops_nothing(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "answers.sqlite").write_bytes(b"dear diary " * 100)
    result = run("compare", *PAIR)
    assert "nothing is kept: cannot use" in result.stderr
    assert "similarity" in result.stdout
    run("cache", "clear")
    assert "nothing is kept" not in run("compare", *PAIR).stderr


def test_a_store_that_another_process_holds_is_named_and_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command waited for a minute without a word, and clear deleted the file."""
    monkeypatch.setattr(store, "_PATIENCE", 0.01)
    run("compare", *PAIR)
    path = folder / "answers.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("BEGIN EXCLUSIVE")
        result = run("compare", *PAIR, "--seed", "1")
        (line,) = [one for one in result.stderr.splitlines() if "nothing is kept" in one]
        assert line.startswith(f"nothing is kept: cannot use {path}: ")
        assert "another process holds it" in line
        refused = CliRunner().invoke(main, ["cache", "clear"])
    assert refused.exit_code == 2
    assert f"cannot delete {path}: another process holds it" in refused.stderr
    assert path.exists()


def without_right_to_write() -> list[str]:
    """Return what runs a program that has only the rights that files give; root has all else."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write anywhere, and there is no setpriv to take that from it")
    return ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"]


@pytest.mark.parametrize("state", ["at rest", "in use", "after a kill"])
def test_what_is_there_is_shown_without_a_right_to_write(folder: Path, state: str) -> None:
    """It said that the database is read-only, or could not be opened."""
    path = folder / "answers.sqlite"
    with Store(path) as kept:
        kept.put("trajectories", {b"key": b"value"})
    database = sqlite3.connect(path)
    if state != "at rest":
        database.execute("SELECT * FROM entries").fetchall()  # makes the files beside it
    if state == "after a kill":
        path.with_name(f"{path.name}-shm").unlink()
    files = list(folder.iterdir())
    for file in files:
        file.chmod(0o444)
    folder.chmod(0o555)
    program = "from similarity.cli.main import main; main()"
    command = [sys.executable, "-c", program, "cache", "info", "--json"]
    try:
        result = subprocess.run(
            [*without_right_to_write(), *command], capture_output=True, text=True, check=False
        )
    finally:
        folder.chmod(0o755)
        database.close()
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["kinds"] == {"trajectories": {"entries": 1, "bytes": 5}}
    assert sorted(folder.iterdir()) <= sorted(files)


def test_nothing_is_left_beside_what_was_looked_at(folder: Path) -> None:
    with Store(folder / "answers.sqlite"):
        pass
    run("cache", "info")
    assert [file.name for file in folder.iterdir()] == ["answers.sqlite"]
    (folder / "answers.sqlite").write_bytes(b"")
    assert json.loads(run("cache", "info", "--json").stdout)["kinds"] == {}
    assert (folder / "answers.sqlite").read_bytes() == b""


def test_the_toy_model_keeps_nothing(folder: Path) -> None:
    run("compare", "--model", "toy", "a", "b")
    assert not folder.exists()
