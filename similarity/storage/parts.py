"""The parts of a file that is made piece by piece: a killed process loses one part at most."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from similarity.digests import digest_of_file
from similarity.errors import InputError
from similarity.storage.files import Writer, is_temporary, replace_file, writing
from similarity.storage.journal import Journal

# What lies beside parts: which are done, a matrix whose tiles they are, and answers of the model.
_JOURNAL, MATRIX, ANSWERS = "journal.jsonl", "matrix.npy", "answers.sqlite"
_NAMES = re.compile(
    rf"\d{{6,}}\.part|{re.escape(_JOURNAL)}|{re.escape(MATRIX)}|"
    rf"{re.escape(ANSWERS)}(-wal|-shm|-journal)?"
)
_REMEDY = "move it away, or write to another place"


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


class PartsFolder:
    """The folder of the parts of a file, which this process alone writes to.

    Parameters
    ----------
    path
        Of the file.
    journal
        That of the folder, held.
    """

    def __init__(self, path: Path, journal: Journal) -> None:
        self.path = parts_folder(path)
        self._file = path
        self._journal = journal
        self._is_begun = journal.is_begun
        self._is_done = False

    @property
    def is_of_use(self) -> bool:
        """Return whether a later process would go on with what is there."""
        return self._is_begun and not self._is_done

    @contextmanager
    def open(self, header: Mapping[str, Any]) -> Iterator[Parts]:
        """Give the parts, new or of an earlier process; raises as `parts_of` does."""
        with writing(self._file):
            self._journal.begin(header)
        self._is_begun = True
        yield Parts(self._file, self._journal)
        self._is_done = True

    def clear(self) -> None:
        """Delete what was written here, and the folder if nothing else is in it."""
        written = [path for path in self.path.iterdir() if _is_written(path)]
        # The journal last: it is what holds other processes off.
        for path in sorted(written, key=lambda path: path.name == _JOURNAL):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # a link to a folder stays, and what is not empty
            self.path.rmdir()


@contextmanager
def hold_parts(path: Path) -> Iterator[PartsFolder]:
    """Keep the folder of the parts of a file for this process alone, before anything is done.

    At the end what was written in it is deleted, unless a later process would go on with it.

    Raises
    ------
    InputError
        If the folder cannot be written, another process is at work in it, or it has files that
        were not written here.
    """
    folder = parts_folder(path)
    if folder.is_file() or (folder.is_symlink() and not folder.is_dir()):
        raise InputError(
            f"cannot write {path}: {folder} is no folder, and what is done lies there; {_REMEDY}"
        )
    with Journal.hold(folder / _JOURNAL) as journal:
        try:
            if not os.access(folder, os.W_OK | os.X_OK):
                raise InputError(
                    f"cannot write {path}: {folder} is read-only, and what is done lies there; "
                    "make it writable, or write to another place"
                )
            _check_written(folder, journal)
        except BaseException:
            journal.discard()
            raise
        place = PartsFolder(path, journal)
        try:
            yield place
        except BaseException:
            if not place.is_of_use:
                with suppress(OSError):  # the error itself is what is told
                    place.clear()
            raise
        with writing(folder):
            if not place.is_of_use:
                place.clear()


@contextmanager
def parts_of(
    path: Path, header: Mapping[str, Any], held: PartsFolder | None = None
) -> Iterator[Parts]:
    """Open the parts of a file, new or of an earlier process; delete them when all went well.

    What fails in this context and is no writing, as of a model, is not taken for it.

    Parameters
    ----------
    header
        All that the parts depend on.
    held
        Their folder, where `hold_parts` gave it; it deletes them.

    Raises
    ------
    InputError
        As `hold_parts` does.
    ConfigError
        If the file was begun with another header; the message says what differs.
    """
    with ExitStack() as stack:
        place = held or stack.enter_context(hold_parts(path))
        yield stack.enter_context(place.open(header))


def check_parts(path: Path) -> None:
    """Refuse a file whose parts cannot be written, before the work; raises as `hold_parts`."""
    with hold_parts(path):
        pass


def _check_written(folder: Path, journal: Journal) -> None:
    """Refuse a folder of other files, which would be deleted or written over.

    Hidden files count for nothing, as they stay.
    """
    with writing(folder):
        there = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if others := [path for path in there if not _is_written(path)]:
        raise InputError(f"{folder} has {others[0].name}, which trajsim did not write; {_REMEDY}")
    # The journal is made first and deleted last.
    if journal.is_new and (others := [path for path in there if path.name != _JOURNAL]):
        raise InputError(
            f"{folder} has {others[0].name} and no {_JOURNAL}, so trajsim may not have written it; "
            f"{_REMEDY}"
        )


def _is_written(path: Path) -> bool:
    """Return whether what lies in a folder of parts is named as what is written there."""
    is_named = is_temporary(path.name) or _NAMES.fullmatch(path.name)
    return bool(is_named) and path.is_file() and not path.is_symlink()


def is_begun(path: Path) -> bool:
    """Return whether parts of a file are there, of an earlier process or of this one."""
    try:
        return (parts_folder(path) / _JOURNAL).stat().st_size > 0
    except OSError:
        return False


def parts_folder(path: Path) -> Path:
    """Return the folder that has the finished parts of a file until all are finished."""
    # Beside what a link leads to, as it is renamed to that.
    path = Path(os.path.realpath(path))
    return path.with_name(f"{path.name}.parts")
