"""Places of files: refused before the work, and nothing is left of processes that were killed."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from similarity.errors import InputError
from similarity.storage.files import (
    cannot_write,
    check_folder,
    check_place,
    replace_file,
    temporary_beside,
)
from tests.conftest import ROOT

_DIE = """
import os, sys
from pathlib import Path
from similarity.storage.files import replace_file

def write(new):
    new.write_text("half")
    if sys.argv[2] == "die":
        os.kill(os.getpid(), 9)
    print("begun", flush=True)
    sys.stdin.read()

replace_file(Path(sys.argv[1]), write)
"""


def writer(path: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _DIE, str(path), how],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_a_killed_process_left_goes_with_the_next_writing(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with writer(path, "die") as killed:
        pass
    left = tmp_path / f".{killed.pid}.out.csv"
    other = tmp_path / f".{killed.pid}.out.csv.txt"
    other.touch()
    assert left.read_text() == "half"
    replace_file(path, lambda new: new.write_text("whole"))
    assert sorted(tmp_path.iterdir()) == sorted([other, path])


def test_what_another_process_is_at_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with writer(path, "wait") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        replace_file(path, lambda new: new.write_text("mine"))
        assert (tmp_path / f".{process.pid}.out.csv").read_text() == "half"
        process.stdin.close()
    assert path.read_text() == "half"
    assert list(tmp_path.iterdir()) == [path]


def test_places_for_files(tmp_path: Path) -> None:
    check_place(tmp_path / "new.csv")
    check_folder(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []
    file, pipe = tmp_path / "file.csv", tmp_path / "pipe.csv"
    file.write_text("as it was")
    os.mkfifo(pipe)
    check_place(file)
    assert file.read_text() == "as it was"
    for bad, why in (
        (tmp_path, "it is there and is no file; name a file"),
        (pipe, "it is there and is no file; name a file"),
        (tmp_path / "none" / "out.csv", f"there is no folder {tmp_path / 'none'}"),
        (Path("/proc/out.csv"), "cannot write /proc/out.csv: No such file"),
    ):
        with pytest.raises(InputError, match=why):
            check_place(bad)
    for bad, why in (
        (file / "folder", f"{file} is a file; name a folder"),
        (Path("/proc/none/folder"), "cannot write"),
    ):
        with pytest.raises(InputError, match=why):
            check_folder(bad)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_what_helps(number: int, tmp_path: Path) -> None:
    full = cannot_write(tmp_path, OSError(number, os.strerror(number)))
    assert str(full).endswith("; free some space there, and give the same command again")
    other = cannot_write(tmp_path, OSError(errno.EACCES, "Permission denied"))
    assert str(other) == f"cannot write {tmp_path}: Permission denied"


def test_a_temporary_file_is_gone_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), temporary_beside(tmp_path / "out"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
