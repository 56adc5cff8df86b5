"""Which files are of another batch: its journal names them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from similarity.errors import InputError

# In a journal's header: the errors file, from the folder of the output.
ERRORS_FILE = "errors file"
_ENDING = ".journal"


def check_unclaimed(output: Path, errors: Path, journal: Path) -> None:
    """Refuse to begin a batch whose output or errors file another batch has.

    Journals are looked for beside both files. A batch that has answered nothing has no file yet.

    Raises
    ------
    InputError
        If another batch has one of them.
    """
    if _claimed(journal):
        return  # this batch has begun, and the files are its own
    own = {os.path.realpath(path): path for path in (output, errors)}
    for other in _journals(output.parent, errors.parent):
        common = own.keys() & _claimed(other)
        if common and os.path.realpath(other) != os.path.realpath(journal):
            raise InputError(
                f"{own[common.pop()]} is of another batch, that of {other}; name another by "
                "--errors, or write to another place"
            )


def _journals(*folders: Path) -> Iterator[Path]:
    for folder in set(map(os.path.realpath, folders)):
        yield from sorted(Path(folder).glob(f"*{_ENDING}"))


def _claimed(journal: Path) -> set[str]:
    """Return the real paths of the output and the errors file of a journal with entries."""
    try:
        with journal.open("rb") as lines:
            header, entry = lines.readline(), lines.readline()
        errors = json.loads(header)[ERRORS_FILE] if entry else None
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return set()  # no journal, or not of a batch
    if not isinstance(errors, str):
        return set()
    output = journal.with_name(journal.name.removesuffix(_ENDING))
    return {os.path.realpath(path) for path in (output, journal.parent / errors)}
