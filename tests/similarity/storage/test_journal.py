import fcntl
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from similarity.errors import ConfigError, InputError
from similarity.storage.journal import Journal
from tests.conftest import ROOT

HEADER = {"seed": 0, "model": {"name": "toy", "revision": "ü"}}
ENTRIES: list[dict[str, Any]] = [{"b": 0.1 + 0.2, "a": 1}, {"text": "犬\ud800\n"}, {"c": []}]


def write(path: Path, entries: list[dict[str, Any]] = ENTRIES) -> bytes:
    with Journal.open(path, HEADER) as written:
        for entry in entries:
            written.append(entry)
    return path.read_bytes()


def read(path: Path) -> list[dict[str, Any]]:
    with Journal.open(path, HEADER) as opened:
        return list(opened.entries())


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "journal"
    line = write(path).splitlines()[1]
    assert line.startswith(b'{"a": 1, "b": 0.30000000000000004, "checksum": "')
    assert read(path) == ENTRIES
    with Journal.open(path, HEADER) as opened:
        opened.append({"d": 1})
        assert list(opened.entries()) == [*ENTRIES, {"d": 1}]


def test_an_end_torn_anywhere_is_cut_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = write(path)
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        kept = read(path)
        assert kept == ENTRIES[: max(0, whole[:size].count(b"\n") - 1)]
        assert write(path, ENTRIES[len(kept) :]) == whole


@pytest.mark.parametrize("end", [b"\0\0\0\0\n", b'{"a": \n', b"7\n"])
def test_a_last_line_that_is_no_entry_is_cut(end: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = write(path)
    path.write_bytes(whole + end)
    assert read(path) == ENTRIES
    assert path.read_bytes() == whole


def test_damage_before_the_end_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    lines = write(path).splitlines(keepends=True)
    damaged = b"".join([*lines[:2], b'{"a": \n', lines[3]])
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"line 3 of .* is damaged"):
        read(path)
    assert path.read_bytes() == damaged


def test_every_change_of_an_entry_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    lines = write(path, [{"score": number / 7} for number in range(4)]).splitlines(keepends=True)
    changed = [
        [*lines[:2], lines[2].replace(b"1428", b"1429"), *lines[3:]],
        [*lines[:4], lines[4].replace(b"0.4", b"0.5")],
        [*lines[:2], *lines[3:]],
        [*lines[:2], lines[3], lines[2], lines[4]],
        [*lines[:3], lines[2], *lines[3:]],
        [*lines[:2], b'{"score": 1.0}\n', *lines[3:]],
    ]
    for content in changed:
        assert content != lines
        path.write_bytes(b"".join(content))
        with pytest.raises(InputError, match=r"line \d of .* is damaged"):
            read(path)
        assert path.read_bytes() == b"".join(content)


@pytest.mark.longer
def test_every_bit_of_a_header_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = write(path)
    for place in range(whole.index(b"\n") + 1):
        for bit in range(8):
            content = bytearray(whole)
            content[place] ^= 1 << bit
            path.write_bytes(content)
            with pytest.raises(InputError, match=r"line 1 of .* is damaged, .* or delete it"):
                read(path)
            assert Journal.peek(path) is None
            assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"dear diary\n", b"dear diary", b"[1]\n{}\n"])
def test_another_file_is_never_touched(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "diary"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no journal"):
        read(path)
    assert path.read_bytes() == content


def test_another_header_is_refused_with_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = write(path)
    other = {"seed": 1, "model": {"name": "toy", "revision": "v"}, "new": True}
    with pytest.raises(ConfigError) as raised:
        Journal.open(path, other)
    message = str(raised.value)
    assert "seed is 1, there 0" in message
    assert 'model.revision is "v", there "\\u00fc"' in message
    assert "new is true, there null" in message
    assert "name" not in message
    assert path.read_bytes() == whole


def test_a_header_that_differs_much_is_reported_in_one_short_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal.open(path, {"fingerprint": {"id": "a"}, **{str(i): "x" * 500 for i in range(9)}}):
        pass
    with pytest.raises(ConfigError) as refused:
        Journal.open(path, {"fingerprint": {"id": "b"}})
    message = str(refused.value)
    assert "; and 5 more. Repeat" in message
    assert "fingerprint.id" not in message
    assert len(message) < 700


def test_the_order_of_a_header_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "journal")
    Journal.open(tmp_path / "journal", dict(reversed(HEADER.items()))).close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal.open(path, HEADER), pytest.raises(InputError, match="another process is writing"):
        Journal.open(path, HEADER)
    Journal.open(path, HEADER).close()


def test_a_writer_that_is_killed_lets_go(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal, sys\n"
        "from similarity.storage.journal import Journal\n"
        f"with Journal.open(pathlib.Path(sys.argv[1]), {HEADER!r}) as journal:\n"
        "    journal.append({'a': 1})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "journal"
    result = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, check=False)
    assert result.returncode == -9
    assert read(path) == [{"a": 1}]


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = write(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal.open(path, HEADER) as opened:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 5, hard))
        try:
            with pytest.raises(InputError, match="cannot write .*: File too large"):
                opened.append({"a": 1})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.read_bytes() == whole
        opened.append({"a": 1})
    assert read(path)[-1] == {"a": 1}


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        Journal.open(tmp_path / "file" / "journal", HEADER)


def test_not_a_number_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = write(path)
    with Journal.open(path, HEADER) as opened, pytest.raises(ValueError, match="JSON compliant"):
        opened.append({"a": float("nan")})
    assert path.read_bytes() == whole


def test_what_differs_within_lists_is_reported(tmp_path: Path) -> None:
    """Not the beginnings of both lists, which are alike."""
    path = tmp_path / "journal"
    groups = [{"name": "profile", "prompt": "x" * 80}, {"name": "examples", "weight": 1}]
    with Journal.open(path, {"groups": groups}):
        pass
    with pytest.raises(ConfigError, match=r'groups\.1 is null, there \{"name": "examples"'):
        Journal.open(path, {"groups": groups[:1]})
    with pytest.raises(ConfigError, match=r"otherwise: groups\.1\.weight is 2, there 1\. "):
        Journal.open(path, {"groups": [groups[0], {**groups[1], "weight": 2}]})


def test_one_that_cannot_be_begun_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"

    def fill(_file: object, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("similarity.storage.journal.write_through", fill)
    with pytest.raises(OSError, match="No space left"):
        Journal.open(path, HEADER)
    assert not path.exists()


def test_one_that_is_deleted_before_it_is_held_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder was refused, and its entries would go into a file that nobody can find."""
    path = tmp_path / "journal"
    hold, deleted = fcntl.flock, []

    def delete_first(file: int, how: int) -> None:
        if not deleted:
            deleted.append(path)
            path.unlink()
        hold(file, how)

    monkeypatch.setattr("similarity.storage.held.fcntl.flock", delete_first)
    with Journal.open(path, HEADER) as opened:
        assert deleted
        opened.append({"a": 1})
    with Journal.open(path, HEADER) as again:
        assert list(again.entries()) == [{"a": 1}]
