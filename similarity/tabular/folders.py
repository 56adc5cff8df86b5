"""A folder of text files: one text a file, known by its path within the folder."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from similarity.errors import InputError
from similarity.prompts import is_blank
from similarity.tabular.formats import MAX_LINE_BYTES
from similarity.tabular.lines import without_mark
from similarity.tabular.records import OnRead, PlacedTexts, counted, ignore_read

TEXT_ENDINGS = (".txt", ".md")
# Of the files that a message names.
_SHOWN = 5


def read_folder(folder: Path, on_read: OnRead = ignore_read) -> PlacedTexts:
    """Return the texts of all .txt and .md files in a folder and those below it, by their paths.

    Hidden files, linked folders and files with other endings are left out. A byte of a path that is
    not UTF-8 is what `os.fsdecode` makes of it, a lone surrogate. `on_read` is called now and then
    with the number of files that were looked at since the last call.

    Raises
    ------
    InputError
        If there are none, or some cannot be read as a text; the message names them.
    """
    found: dict[str, str] = {}
    refused: list[str] = []
    left_out: dict[str, list[str]] = {}
    files = sorted(_files(folder), key=lambda one: (_shown(folder, one[0]), one[0]))
    for path, why in counted(files, on_read):
        name = _shown(folder, path)
        if why:
            left_out.setdefault(why, []).append(name)
            continue
        try:
            found[path.relative_to(folder).as_posix()] = _text(folder, path)
        except InputError as error:
            refused.append(f"{name} {error}")
    if refused:
        raise InputError(f"{folder}: {_some(refused, '; ')}; or move what is no text elsewhere")
    reasons = "; ".join(
        f"{len(names)} {why} ({_some(names, ', ')})" for why, names in left_out.items()
    )
    if not found:
        there = f"; there are {reasons}" if reasons else ""
        raise InputError(
            f"{folder} is a folder without {' or '.join(TEXT_ENDINGS)} files{there}; give one with "
            "a text in each file, or a file with a text in each line"
        )
    return PlacedTexts(
        texts=list(found.values()),
        places=[str(folder / name) for name in found],
        ids=tuple(found),
        left_out=reasons,
    )


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file, and why it is left out, or ""."""
    for place, folders, files in os.walk(folder, onerror=_refuse):
        below = [Path(place, name) for name in folders]
        yield from ((path, "linked folders") for path in below if path.is_symlink())
        yield from ((path, "hidden") for path in below if _hidden(path) and not path.is_symlink())
        folders[:] = [path.name for path in below if not (path.is_symlink() or _hidden(path))]
        for path in (Path(place, name) for name in files):
            if _hidden(path):
                yield path, "hidden"
            elif path.suffix.lower() in TEXT_ENDINGS:
                yield path, ""
            else:
                yield path, "with other endings"


def _text(folder: Path, path: Path) -> str:
    """Return the text of a file; the error says what it is, and what helps."""
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(folder)):
        raise InputError(f"is a link to {real}, outside of the folder: copy the file into it")
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise InputError("is no regular file: remove it")
        if about.st_size > MAX_LINE_BYTES:
            raise InputError(f"has more than {MAX_LINE_BYTES} bytes: split it")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}): mend it, or remove it") from error
    try:
        text = without_mark(content).decode().strip()
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 at byte {error.start + 1}: convert it to UTF-8") from error
    except InputError as error:
        raise InputError(f"is not UTF-8, as {error}") from error
    if is_blank(text):
        raise InputError("is empty: write a text into it, or remove it")
    if "\0" in text:
        raise InputError("has a NUL character: take it out, or remove the file")
    return text


def _shown(folder: Path, path: Path) -> str:
    # In messages a name that is not UTF-8 is shown with its bytes.
    return os.fsencode(path.relative_to(folder).as_posix()).decode(errors="backslashreplace")


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _refuse(error: OSError) -> None:
    raise InputError(f"cannot read {error.filename}: {error.strerror}") from error


def _some(items: list[str], between: str) -> str:
    more = [f"and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return between.join([*items[:_SHOWN], *more])
