"""Places of files: refused before the work, and nothing is left of processes that were killed."""

import errno
import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from similarity.errors import InputError
from similarity.storage.files import (
    cannot_write,
    check_folder,
    check_place,
    is_open_file,
    make_folder,
    replace_file,
    temporary_beside,
    write_text,
)
from tests.conftest import ROOT

_DIE = """
import os, sys
from pathlib import Path
from similarity.storage.files import make_folder, replace_file

def write(new):
    new.write_text("half")
    if sys.argv[2] == "die":
        os.kill(os.getpid(), 9)
    print("begun", flush=True)
    sys.stdin.read()

def fill(new):
    write(new / "half")

if sys.argv[3] == "folder":
    make_folder(Path(sys.argv[1]), fill)
else:
    replace_file(Path(sys.argv[1]), write)
"""


def writer(path: Path, how: str, what: str = "file") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _DIE, str(path), how, what],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def beside(path: Path) -> Path:
    """Return the one temporary file or folder of a path."""
    (found,) = path.parent.glob(f".*.{path.name}")
    return found


def test_what_a_killed_process_left_goes_with_the_next_writing(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with writer(path, "die"):
        pass
    left = beside(path)
    assert left.read_text() == "half"
    others = [left.with_name(f"{left.name}.txt"), tmp_path / ".2024.out.csv"]
    for other in others:
        other.touch()
    replace_file(path, lambda new: new.write_text("whole"))
    assert sorted(tmp_path.iterdir()) == sorted([*others, path])


def test_what_another_process_is_at_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with writer(path, "wait") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        replace_file(path, lambda new: new.write_text("mine"))
        assert beside(path).read_text() == "half"
        process.stdin.close()
    assert path.read_text() == "half"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_a_killed_process_left_goes_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with writer(path, "die", "folder"):
        pass
    assert (beside(path) / "half").read_text() == "half"
    make_folder(path, lambda new: (new / "whole").write_text("whole"))
    assert list(tmp_path.iterdir()) == [path]
    assert (path / "whole").read_text() == "whole"


def test_a_folder_that_another_process_fills_stays(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with writer(path, "wait", "folder") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        make_folder(path, lambda new: (new / "mine").write_text("mine"))
        assert (beside(path) / "half").read_text() == "half"
        process.stdin.close()
    assert process.returncode == 0
    assert [file.name for file in path.iterdir()] == ["mine"]
    assert list(tmp_path.iterdir()) == [path]


def test_one_process_may_write_a_path_while_it_writes_it(tmp_path: Path) -> None:
    """As two threads do, and two containers whose processes have the same number."""

    def outer(new: Path) -> None:
        new.write_text("outer")
        replace_file(tmp_path / "file", lambda inner: inner.write_text("inner"))
        assert (tmp_path / "file").read_text() == "inner"

    def filled(new: Path) -> None:
        (new / "outer").touch()
        make_folder(tmp_path / "folder", lambda inner: (inner / "inner").touch())
        assert (new / "outer").exists()

    replace_file(tmp_path / "file", outer)
    assert (tmp_path / "file").read_text() == "outer"
    make_folder(tmp_path / "folder", filled)
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["inner"]
    assert len(list(tmp_path.iterdir())) == 2


def test_threads_that_write_one_file_leave_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "a" * 1000)

    def write(letter: str) -> None:
        for _ in range(200):
            write_text(path, letter * 1000)
            found = path.read_text()
            assert len(found) == 1000
            assert len(set(found)) == 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_cleared_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process takes it for what a killed one left."""
    lock, cleared = fcntl.flock, []

    def clear_first(file: int, how: int) -> None:
        if not cleared:
            cleared.append(beside(tmp_path / "file"))
            cleared[0].unlink()
        lock(file, how)

    monkeypatch.setattr("similarity.storage.files.fcntl.flock", clear_first)
    with temporary_beside(tmp_path / "file") as temporary:
        assert cleared
        assert temporary.exists()
    assert list(tmp_path.iterdir()) == []


def test_files_and_folders_have_the_usual_rights(tmp_path: Path) -> None:
    """Those of tempfile are for their owner alone, and a cache may be shared."""
    (tmp_path / "other").touch()
    (tmp_path / "others").mkdir()
    write_text(tmp_path / "file", "text")
    make_folder(tmp_path / "folder", lambda new: (new / "file").touch())
    for made, other in (("file", "other"), ("folder", "others")):
        assert (tmp_path / made).stat().st_mode == (tmp_path / other).stat().st_mode


def test_places_for_files(tmp_path: Path) -> None:
    check_place(tmp_path / "new.csv")
    check_folder(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []
    file, pipe = tmp_path / "file.csv", tmp_path / "pipe.csv"
    file.write_text("as it was")
    link = tmp_path / "link.csv"
    link.symlink_to("/proc/out.csv")
    os.mkfifo(pipe)
    check_place(file)
    assert file.read_text() == "as it was"
    for bad, why in (
        (tmp_path, "it is there and is no file; name a file"),
        (pipe, "it is there and is no file; name a file"),
        (tmp_path / "none" / "out.csv", f"there is no folder {tmp_path / 'none'}"),
        (Path("/dev/stdout"), "cannot write /dev/stdout: it is no file of its own; name a file"),
        (Path("/proc/out.csv"), "cannot write /proc/out.csv: No such file"),
        (link, f"cannot write {link}: No such file"),
    ):
        with pytest.raises(InputError, match=why):
            check_place(bad)
    for bad, why in (
        (file / "folder", f"{file} is a file; name a folder"),
        (Path("/proc/none/folder"), "cannot write /proc/none/folder: No such file"),
        (Path("/proc"), "cannot write /proc: No such file"),
    ):
        with pytest.raises(InputError, match=why):
            check_folder(bad)


def test_what_is_open_is_told_by_its_path_whatever_it_is(tmp_path: Path) -> None:
    link, folder = tmp_path / "link.csv", tmp_path / "folder"
    again = tmp_path / "again.csv"
    folder.symlink_to("/proc/self/fd")
    again.symlink_to("link.csv")
    with (tmp_path / "file.csv").open("w") as file:
        number = str(file.fileno())
        link.symlink_to(f"/dev/fd/{number}")
        opened = (
            f"/dev/fd/{number}",
            f"/proc/self/fd/{number}",
            f"/proc/{os.getpid()}/fd/{number}",
        )
        for path in ("/dev/stdout", "/dev/stderr", *opened, link, again, folder / number):
            assert is_open_file(Path(path)), path
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    for path in (tmp_path / "file.csv", tmp_path / "new", circle, Path("/dev/shm/out.csv")):
        assert not is_open_file(path), path


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_reported_with_what_helps(number: int, tmp_path: Path) -> None:
    full = cannot_write(tmp_path, OSError(number, os.strerror(number)))
    assert str(full).endswith("; free some space there, and give the same command again")
    other = cannot_write(tmp_path, OSError(errno.EACCES, "Permission denied"))
    assert str(other) == f"cannot write {tmp_path}: Permission denied"


def test_a_temporary_file_is_gone_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), temporary_beside(tmp_path / "out"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_the_file_that_it_leads_to_is_written(there: bool, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    target, middle, link = disk / "out.csv", tmp_path / "middle", tmp_path / "out.csv"
    if there:
        target.write_text("old")
    middle.symlink_to(target)
    link.symlink_to("middle")
    check_place(link)

    def write(new: Path) -> None:
        assert new.parent == disk
        new.write_text("new")

    replace_file(link, write)
    assert link.is_symlink()
    assert middle.is_symlink()
    assert target.read_text() == "new"
    assert [path.name for path in disk.iterdir()] == ["out.csv"]
    write_text(link, "newer")
    assert (link.is_symlink(), target.read_text()) == (True, "newer")


def test_a_folder_is_made_where_a_link_leads(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("target")
    make_folder(link, lambda new: (new / "file").write_text("x"))
    assert link.is_symlink()
    assert (tmp_path / "target" / "file").read_text() == "x"


def test_links_in_a_circle_and_to_no_folder_are_refused(tmp_path: Path) -> None:
    for name, target in (("a", "b"), ("b", "a"), ("c", "none/out")):
        (tmp_path / name).symlink_to(target)
    for name, why in (("a", "a: Too many levels"), ("c", "No such file")):
        with pytest.raises(InputError, match=f"cannot write .*{why}"):
            check_place(tmp_path / name)
        with pytest.raises(InputError, match=f"cannot write .*{why}"):
            write_text(tmp_path / name, "x")
        assert (tmp_path / name).is_symlink()


def test_what_cannot_be_written_leaves_no_folder_above_it(tmp_path: Path) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "old").mkdir()
    for place in (tmp_path / "deep/new/file", tmp_path / "old/new/file"):
        with pytest.raises(OSError, match="No space"):
            make_folder(place, full)
        with pytest.raises(UnicodeEncodeError):
            write_text(place, "\ud800")
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]
