"""Files that are written whole or not at all."""

import os
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


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Give another name beside a path's own, under which nothing is left."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
