"""Files and folders that are written whole or not at all."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Writes a file to the path that it is given.
Writer = Callable[[Path], object]


def replace_file(path: Path, write: Writer) -> None:
    """Write a file under another name, then rename it: nobody ever sees a part of it."""
    with temporary_beside(path) as temporary:
        write(temporary)
        temporary.replace(path)


def make_folder(path: Path, write: Writer) -> None:
    """Fill a folder under another name, then rename it: nobody ever sees a part of it.

    Where another process was quicker, its folder is kept: both made the same.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        temporary.mkdir()
        write(temporary)
        for file in temporary.iterdir():
            _to_disk(file)
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _to_disk(file: Path) -> None:
    """Wait until what was written would outlast a loss of power."""
    with file.open("rb") as written:
        os.fsync(written.fileno())


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Give another name beside a path's own, under which nothing is left."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
