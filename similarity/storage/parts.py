"""The parts of a file that is made piece by piece: a killed process loses one part at most."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from similarity.digests import digest_of_file
from similarity.storage.files import Writer, replace_file, writing
from similarity.storage.journal import Journal

_JOURNAL = "journal.jsonl"


class Parts:
    """Keeps the finished parts of a file in a folder beside it; a damaged part is not finished."""

    def __init__(self, path: Path, journal: Journal) -> None:
        self.folder = parts_folder(path)
        self._path = path
        self._journal = journal
        self._digests = {entry["part"]: entry.get("digest") for entry in journal.entries()}

    def has(self, number: int, digest: str) -> bool:
        """Return whether a part is done, and was finished with this digest."""
        return self._digests.get(number) == digest

    def has_file(self, number: int) -> bool:
        """Return whether the file of a part is there, as `write` wrote it."""
        path = self.path(number)
        return number in self._digests and path.is_file() and self.has(number, digest_of_file(path))

    def finish(self, number: int, digest: str) -> None:
        """Count a part as done: it must be on disk, with this digest."""
        self._journal.append({"part": number, "digest": digest})
        self._digests[number] = digest

    def write(self, number: int, write: Writer) -> None:
        """Write a part whole or not at all, and count it as done.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        with writing(self._path):
            replace_file(self.path(number), write)
            digest = digest_of_file(self.path(number))
        self.finish(number, digest)

    def path(self, number: int) -> Path:
        """Return the path of a part."""
        return self.folder / f"{number:06d}.part"


@contextmanager
def parts_of(path: Path, header: Mapping[str, Any]) -> Iterator[Parts]:
    """Open the parts of a file, new or of an earlier process; delete them when all went well.

    What fails in this context and is no writing, as of a model, is not taken for it.

    Parameters
    ----------
    header
        All that the parts depend on.

    Raises
    ------
    InputError
        If the folder cannot be written, or another process is at work in it.
    ConfigError
        If the file was begun with another header; the message says what differs.
    """
    folder = parts_folder(path)
    with writing(path):
        opened = Journal.open(folder / _JOURNAL, header)
    with opened as journal:
        yield Parts(path, journal)
    with writing(path):
        shutil.rmtree(folder)


def is_begun(path: Path) -> bool:
    """Return whether parts of a file are there, of an earlier process or of this one."""
    return (parts_folder(path) / _JOURNAL).exists()


def parts_folder(path: Path) -> Path:
    """Return the folder that has the finished parts of a file until all are finished."""
    # Beside what a link leads to, as it is renamed to that.
    path = Path(os.path.realpath(path))
    return path.with_name(f"{path.name}.parts")
