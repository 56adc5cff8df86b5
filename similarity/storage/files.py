"""Files and folders that are written whole or not at all."""

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from similarity.errors import InputError
from similarity.storage.folders import new_folder
from similarity.storage.rights import give_rights, set_mode
from similarity.storage.user_cache import access_remedy

# Writes a file to the path that it is given.
Writer = Callable[[Path], object]
# What a system says where nothing more can be written, and what helps.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FREE_SPACE = "; free some space there, and give the same command again"
# The folders of devices, among them /dev/stdout, and of the files that a process has open.
_OPEN_FILES = re.compile(r"/dev|/dev/fd|/proc/[^/]+(/task/[^/]+)?/fd")
_MOST_LINKS = 40  # as Linux follows
_OF_FILES = 0o666  # the rights that a new file has where no umask takes any
# How the names of temporary files and folders begin, and the random bytes that follow. A process id
# would not tell apart two threads, or the processes of two containers.
_BEGINNING, _RANDOM_BYTES = ".trajsim-", 4


def cannot_write(path: Path | str, error: OSError) -> InputError:
    """Return the error for a file that could not be written; its message says what to do."""
    return InputError(f"cannot write {path}: {reason_of(error)}")


def reason_of(error: OSError) -> str:
    """Return why the system refused something, and what to do where that is known."""
    named = error.filename
    if error.errno == errno.ENOENT and not Path(os.fsdecode(named or "")).is_absolute():
        try:
            Path.cwd()
        except FileNotFoundError:
            return "the current folder is gone; go to another, and give the same command again"
    return f"{error.strerror or error}{space_remedy(error) or access_remedy(error)}"


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Raise InputError if a path cannot be written in this context; it says what to do."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def space_remedy(error: OSError) -> str:
    """Return the end of a message that says what to do if a disk is full; else ""."""
    return _FREE_SPACE if error.errno in _FULL else ""


def check_place(path: Path) -> None:
    """Refuse a place where no file can be written, before the work for it.

    Raises
    ------
    InputError
        If its folder is not there or cannot be written to, or something else stands there.
    """
    if is_open_file(path):
        # What it leads to would be replaced, also where the user appends to it.
        raise InputError(f"cannot write {path}: it is no file of its own; name a file")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}")
    if path.exists() and not path.is_file():
        # A device would be replaced by the file.
        raise InputError(f"cannot write {path}: it is there and is no file; name a file")
    with writing(path), temporary_beside(followed(path)):
        pass


def check_folder(folder: Path) -> None:
    """Refuse a place where no folder can be made or filled, before the work for it.

    Raises
    ------
    InputError
        If it cannot be written to, or is a file.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise InputError(f"cannot write to {folder}: {there} is a file; name a folder")
    with writing(folder), temporary_beside(there / "any"):
        pass


def followed(path: Path) -> Path:
    """Return where symbolic links lead: a file is written there, and they stay.

    Raises
    ------
    OSError
        If they go in a circle.
    """
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return target


def is_open_file(path: Path) -> bool:
    """Return whether a path names what is open, as /dev/stdout and its like, or links to one.

    What that is depends on the process, so nothing that is kept beside it belongs to it.
    """
    place = path.absolute()
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(place.parent)
        if _OPEN_FILES.fullmatch(folder):
            return True
        place = Path(folder, place.name)
        if not place.is_symlink():
            return False
        place = Path(folder, place.readlink())
    return False  # a circle, which opening it refuses


def replace_file(path: Path, write: Writer) -> None:
    """Write a file under another name, then rename it, so that no part of it is ever read.

    A symbolic link stays, and the file that it leads to is written. A file that is there keeps its
    rights, and its owner and group where the system lets them be set.
    """
    path = followed(path)
    with temporary_beside(path) as temporary:
        there = path.stat() if path.exists() else None
        if there is not None:
            # None but those who may read that one may read this one while it is written.
            set_mode(temporary, there.st_mode | stat.S_IRUSR | stat.S_IWUSR)
        fill(temporary, write)
        if there is not None:
            give_rights(temporary, there)
        temporary.replace(path)


def fill(new: Path, write: Writer) -> None:
    """Write a file that was just made; who may read it stays as the user's umask has it.

    Some libraries, safetensors among them, put a file in its place that is their owner's alone.
    """
    mode = new.stat().st_mode
    write(new)
    set_mode(new, mode)


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all, making its folder where needed.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    with writing(path), new_folder(path.parent):
        replace_file(path, lambda new: new.write_text(text, encoding="utf-8"))


def make_folder(path: Path, write: Writer) -> None:
    """Fill a folder under another name, then rename it, so that no part of it is ever read.

    If another process was quicker, its folder is kept: both made the same. What killed processes
    left of the same folder is deleted.
    """
    path = followed(path)
    with new_folder(path.parent), _new_beside(path, Path.mkdir) as temporary:
        write(temporary)
        # A new folder has the rights of a new file, and those to enter it.
        mode = temporary.stat().st_mode & _OF_FILES
        for file in temporary.iterdir():
            set_mode(file, mode)
            _to_disk(file)
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise


def _to_disk(file: Path) -> None:
    """Wait until the system has written a file to the disk."""
    with file.open("rb") as written:
        os.fsync(written.fileno())


def is_temporary(name: str) -> bool:
    """Return whether this is the name of a temporary file or folder, in use or left over."""
    return name.startswith(_BEGINNING)


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file beside a path, and delete it at the end.

    Temporary files of the same path that killed processes left are deleted too.
    """
    with _new_beside(path, lambda new: new.touch(exist_ok=False)) as temporary:
        yield temporary


@contextmanager
def _new_beside(path: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """Yield what `make` makes under a new name beside a path, and delete it at the end.

    It is locked, which shows that somebody is still at work on it.
    """
    _clear_left(path)
    temporary, held = _made_and_held(path, make)
    try:
        yield temporary
    finally:
        _delete(temporary)
        os.close(held)


def _made_and_held(path: Path, make: Callable[[Path], object]) -> tuple[Path, int]:
    """Return the new path, and the open file whose closing frees its lock."""
    while True:
        # Not by tempfile: only its owner may read what that makes, also once it is renamed.
        new = path.with_name(f"{_BEGINNING}{secrets.token_hex(_RANDOM_BYTES)}.{path.name}")
        # Another process may have the name, or delete what is not locked yet.
        with suppress(FileExistsError):
            make(new)
            with suppress(FileNotFoundError):
                held = os.open(new, os.O_RDONLY)
                # Without a lock where a filesystem has none: there, what was left stays.
                with suppress(OSError):
                    fcntl.flock(held, fcntl.LOCK_EX)
                if is_at(held, new):
                    return new, held
                os.close(held)


@contextmanager
def alone_in(folder: Path, on_wait: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold a folder's lock, and wait for it; without it where a filesystem has no locks.

    The system frees it however its holder ends. `on_wait` is called once before the wait, if
    another holds it.
    """
    place = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _clear_left(path: Path) -> None:
    """Delete the temporary files and folders of a path that no process holds."""
    random = f"[0-9a-f]{{{2 * _RANDOM_BYTES}}}"
    names = re.compile(rf"{re.escape(_BEGINNING)}{random}\.{re.escape(path.name)}")
    for left in path.parent.iterdir():
        if names.fullmatch(left.name):
            # Gone by now, or of another user, whose it is to clear.
            with suppress(FileNotFoundError, PermissionError):
                _delete_unheld(left)


def _delete_unheld(left: Path) -> None:
    file = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pass  # somebody is at work on it, or the filesystem has no locks
    else:
        _delete(left)
    finally:
        os.close(file)


def _delete(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def is_at(file: int, path: Path) -> bool:
    """Return whether a path leads to an open file."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
