"""Folders that are made for what is written into them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder with those above it; what is empty of them is deleted if the context fails."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        # One that has something in it stays, and those above it.
        with suppress(OSError):
            for place in made:
                place.rmdir()
        raise
