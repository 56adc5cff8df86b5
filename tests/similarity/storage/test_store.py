import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from similarity.errors import ConfigError, InputError
from similarity.storage import store as module
from similarity.storage.store import ENTRY_BYTES, Store, files_of
from tests.conftest import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "answers.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        yield opened


def entries(count: int, size: int = 10) -> dict[bytes, bytes]:
    return {f"key {i}".encode(): bytes([i % 256]) * size for i in range(count)}


def test_what_was_put_is_found_by_others_too(store: Store, path: Path) -> None:
    values = entries(2000)
    store.put("numbers", values)
    store.put("words", {b"word": b"x" * 7})
    assert store.get([*values, b"unknown"]) == values
    with Store(path) as another:
        assert another.get(list(values)) == values
        info = another.info()
    assert info.kinds == {"numbers": (2000, 20_000), "words": (1, 7)}
    assert info.bytes_on_disk > 20_000


def test_it_is_bounded_and_keeps_what_was_used_last(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    each = 100 + ENTRY_BYTES
    with Store(path, max_bytes=10 * each) as store:
        for i in range(10):
            now[0] += 1
            store.put("x", {bytes([i]): b"v" * 100})
        now[0] += 2 * module._USE_SECONDS
        assert store.get([b"\0"])
        store.put("x", {b"new": b"v" * 100})
        kept = store.get([*(bytes([i]) for i in range(10)), b"new"])
        assert {b"\0", b"new"} <= kept.keys()
        assert b"\1" not in kept
        assert len(kept) * each <= 10 * each
        now[0] += 2 * module._USE_SECONDS
        assert len(store.get([b"\0", b"new"])) == 2
        assert store.prune(3 * each) == len(kept) - 3
        assert {b"\0", b"new"} <= store.get(list(kept)).keys()
        assert store.prune(0) == 3
        assert store.info().kinds == {}


def test_all_that_are_open_share_one_bound(path: Path) -> None:
    """Four that each knew only of what they put would keep four times as much."""
    each = ENTRY_BYTES + 1000
    stores = [Store(path, max_bytes=10 * each) for _ in range(4)]
    for number, one in enumerate(stores):
        one.put("k", {f"{number} {i}".encode(): bytes(1000) for i in range(3)})
    for round_ in range(9):
        for number, one in enumerate(stores):
            one.put("k", {f"{number} {round_} more".encode(): bytes(1000)})
            count, _ = one.info().kinds["k"]
            assert 9 <= count <= 10
    for one in stores:
        one.close()


def test_what_an_earlier_version_put_counts(path: Path) -> None:
    """Which keeps no total."""
    each = ENTRY_BYTES + 1000
    with Store(path, max_bytes=10 * each) as store:
        store.put("k", {b"a": bytes(1000)})
    with sqlite3.connect(path) as database:
        rows = [(bytes([i]), "k", bytes(1000), b"", 0) for i in range(20)]
        database.executemany("INSERT INTO entries VALUES (?,?,?,?,?)", rows)
        database.execute("DROP TABLE total")
    database.close()
    with Store(path, max_bytes=10 * each) as store:
        store.put("k", {b"b": bytes(1000)})
        assert store.info().kinds["k"][0] == 9
        assert store.get([b"a", b"b"]).keys() == {b"a", b"b"}


def test_a_total_that_is_lost_is_counted_anew(path: Path) -> None:
    each = ENTRY_BYTES + 1000
    with Store(path, max_bytes=10 * each) as store:
        for i in range(20):
            store.put("k", {f"{i}".encode(): bytes(1000)})
            with sqlite3.connect(path) as database:
                database.execute("DELETE FROM total")
            database.close()
        assert 9 <= store.info().kinds["k"][0] <= 10


def test_pruning_gives_the_disk_back(store: Store) -> None:
    store.put("x", entries(300, 10_000))
    before = store.info().bytes_on_disk
    store.prune(10_000)
    assert store.info().bytes_on_disk < before / 10


def test_a_damaged_entry_is_found_and_made_again(store: Store, path: Path) -> None:
    store.put("x", {b"a": b"right", b"b": b"right too"})
    with sqlite3.connect(path) as database:
        database.execute("UPDATE entries SET value = ? WHERE key = ?", (b"wrong", b"a"))
    database.close()
    assert store.get([b"a", b"b"]) == {b"b": b"right too"}
    assert store.info().kinds["x"][0] == 1
    store.put("x", {b"a": b"right"})
    assert store.get([b"a"]) == {b"a": b"right"}


def test_a_full_disk_loses_nothing(store: Store) -> None:
    store.put("x", entries(10))
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(InputError, match="database or disk is full; free space"):
        store.put("x", {f"large {i}".encode(): b"x" * 10_000 for i in range(50)})
    assert store.get(list(entries(10))) == entries(10)
    assert store.info().kinds == {"x": (10, 100)}
    store.put("x", {b"small": b"y"})
    assert store.get([b"small"]) == {b"small": b"y"}


def test_another_file_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"dear diary " * 1000)
    with pytest.raises(InputError, match="file is not a database"):
        Store(path)
    assert path.read_bytes() == b"dear diary " * 1000
    with pytest.raises(InputError, match="cannot open .*: File exists; see that .* is a folder"):
        Store(path / "below")
    with pytest.raises(ConfigError, match="at least 1 byte"):
        Store(path, 0)


def test_where_nothing_can_be_written_the_folder_is_named(store: Store, path: Path) -> None:
    with pytest.raises(InputError, match=f"see that {path.parent.parent} is a folder that this"):
        Store(path.parent)
    store._database.execute("PRAGMA query_only = ON")  # as on a read-only disk
    with pytest.raises(InputError, match=f"readonly.*; see that {path.parent} is a folder that"):
        store.put("x", entries(1))


def test_a_file_that_another_process_holds_is_not_to_be_deleted(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    store._database.execute("BEGIN EXCLUSIVE")
    locked = pytest.raises(InputError, match="is locked; another process holds it")
    with Store(path) as another, locked as caught:
        another.put("x", entries(1))
    assert "delete" not in str(caught.value)


def test_a_lock_is_waited_for_a_few_seconds_only(store: Store, path: Path) -> None:
    """A command of seconds waited a minute without a word."""
    assert 1 <= module._PATIENCE <= 10
    store._database.execute("BEGIN EXCLUSIVE")
    with Store(path) as another:
        # Also where nothing is to be written.
        another.put("x", {})
        assert another.get([b"a"]) == {}


FOREIGN = {
    "other tables": "CREATE TABLE notes (text)",
    "a table of the same name": "CREATE TABLE entries (text)",
    "other tables, of the same number": "CREATE TABLE notes (text); PRAGMA user_version = 1",
    "another number": "CREATE TABLE notes (text); PRAGMA user_version = 7",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_database_of_something_else_is_refused_and_kept(kind: str, path: Path) -> None:
    """Its user was told to free space, or it was given the tables of a store."""
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.executescript(FOREIGN[kind])
    database.close()
    before = path.read_bytes()
    with (
        pytest.raises(
            (InputError, ConfigError), match="or.* no store of trajsim; delete"
        ) as caught,
        Store(path) as store,
    ):
        store.get([b"a"])
    assert "space" not in str(caught.value)
    if kind != "a table of the same name":
        assert path.read_bytes() == before


def test_another_version_is_refused(store: Store, path: Path) -> None:
    store._database.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="another version"):
        Store(path)


WRITER = """
import sys
from pathlib import Path
from similarity.storage.store import Store
name, count = sys.argv[2], int(sys.argv[3])
with Store(Path(sys.argv[1])) as store:
    for i in range(count):
        store.put("x", {f"{name} {i} {j}".encode(): bytes(2000) for j in range(20)})
        print(i, flush=True)
"""


def writer(path: Path, name: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_killed_at_any_moment_it_stays_whole(path: Path) -> None:
    for round_ in range(3):
        with writer(path, str(round_), 10**6) as process:
            assert process.stdout is not None
            for _ in range(5 + round_):
                process.stdout.readline()
            time.sleep(0.003 * round_)
            os.kill(process.pid, signal.SIGKILL)
        with Store(path) as store:
            assert store._database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            for i in range(5 + round_):
                keys = [f"{round_} {i} {j}".encode() for j in range(20)]
                assert len(store.get(keys)) == 20
            # All of one write is there, or nothing.
            assert store.info().kinds["x"][0] % 20 == 0


def test_several_processes_write_at_once(path: Path) -> None:
    processes = [writer(path, str(number), 20) for number in range(3)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    with Store(path) as store:
        assert store.info().kinds["x"][0] == 3 * 20 * 20
    assert files_of(path)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a file with some bits turned, a part of it zero, or an end cut off."""
    changed = bytearray(content)
    place = chance.randrange(len(changed))
    kind = chance.choice(["turned", "zero", "cut"])
    if kind == "turned":
        for _ in range(chance.choice([1, 300])):
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    elif kind == "zero":
        end = min(len(changed), place + 4096)
        changed[place:end] = bytes(end - place)
    else:
        del changed[place:]
    return bytes(changed)


@pytest.mark.longer
def test_however_a_file_is_damaged_what_is_read_is_right_or_an_error(tmp_path: Path) -> None:
    path, chance = tmp_path / "store", random.Random(5)
    values = {bytes([i]) * 16: bytes([i]) * (10 * i + 7) for i in range(60)}
    with Store(path) as store:
        store.put("numbers", values)
    whole = path.read_bytes()
    read = refused = 0
    for _ in range(400):
        path.write_bytes(damaged(whole, chance))
        for key in random.Random(1).sample(sorted(values), 8):
            try:
                with Store(path) as store:
                    found = store.get([key])
            except (InputError, ConfigError):
                refused += 1
            else:
                assert found in ({}, {key: values[key]})
                read += 1
    assert read
    assert refused
