"""A store is deleted whole, and by nobody while another process has it open."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from similarity.errors import InputError
from similarity.storage.clearing import delete_store
from similarity.storage.store import Store, files_of

HOLDER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "answers.sqlite"
    with Store(path) as store:
        store.put("x", {b"a": b"value"})
    return path


@pytest.mark.parametrize("statement", ["BEGIN EXCLUSIVE", "PRAGMA user_version"])
def test_one_that_another_process_has_open_is_kept(statement: str, path: Path) -> None:
    """It was deleted under that process."""
    command = [sys.executable, "-c", HOLDER, str(path), statement]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=f"cannot delete {path}: another process holds it;"):
            delete_store(path)
        holder.communicate()
    with Store(path) as store:
        assert store.get([b"a"]) == {b"a": b"value"}
    assert delete_store(path) > 0
    assert files_of(path) == []


def test_one_that_this_process_has_open_is_kept_too(path: Path) -> None:
    with Store(path) as store:
        store.get([b"a"])
        with pytest.raises(InputError, match="another process holds it"):
            delete_store(path)
        assert store.get([b"a"]) == {b"a": b"value"}


def test_what_a_killed_process_left_is_deleted(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.execute("DELETE FROM entries")
        database.commit()
        left = {file: file.read_bytes() for file in files_of(path)}
    for file, content in left.items():
        file.write_bytes(content)
    assert len(files_of(path)) == 3
    assert delete_store(path) > 0
    assert files_of(path) == []


def test_one_that_is_damaged_or_no_store_is_deleted(path: Path) -> None:
    path.write_bytes(b"dear diary " * 1000)
    assert delete_store(path) == 11_000
    path.write_bytes(b"")
    assert delete_store(path) == 0
    assert not path.exists()
    assert delete_store(path) == 0


def test_what_is_no_file_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "answers.sqlite"
    folder.mkdir()
    with pytest.raises(InputError, match=f"cannot delete {folder}: ") as caught:
        delete_store(folder)
    assert "\n" not in str(caught.value)
