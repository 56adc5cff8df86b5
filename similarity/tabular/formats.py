"""The formats of files, and which of them a file has."""

import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from similarity.errors import ConfigError, InputError
from similarity.storage.files import reason_of
from similarity.tabular.xz import open_xz

STANDARD = "-"

# By the ending of a file's name.
ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "text",
    ".text": "text",
    ".parquet": "parquet",
    ".npy": "npy",
    # What is neither read nor written, and must not be taken for text.
    **{f".{name}": name for name in ("xlsx", "xls", "ods", "docx", "pdf", "gz", "xz", "zip")},
}
# What unpacks a file, by the last ending of its name; the one before is that of its format.
_UNPACK: dict[str, Callable[[BinaryIO], Any]] = {".gz": gzip.open, ".xz": open_xz}
# A line is held in memory whole; one longer than this is a file without line ends.
MAX_LINE_BYTES = 2**24
# In journals, the format of tables whose fields with tabs stand in quotation marks. By an older
# rule TSV had none: what was begun by that cannot go on by this.
QUOTED_TSV = "tsv with quotation marks"
READ_FORMATS = ("text", "jsonl", "csv", "tsv", "parquet")


def format_of(
    path: str,
    given: str | None,
    *,
    allowed: Collection[str],
    default: str | None = None,
    flag: str | None = "--format",
    packed: bool = False,
) -> str:
    """Return the format that is given, or else that of the file's ending.

    Parameters
    ----------
    default
        Of a file with another ending, and of "-"; None refuses those.
    flag
        The option that names the format, for messages; None where there is none.
    packed
        Whether it is a file for `open_binary`, which may be packed: its ending is the inner one.

    Raises
    ------
    ConfigError
        If it is none of those allowed.
    """
    if not path:
        raise ConfigError(
            "the name of a file is empty; name one, or - for standard input or output"
        )
    name = Path(path)
    if packed and name.suffix.lower() in _UNPACK:
        name = name.with_suffix("")
    ending = name.suffix.lower()
    found = given or ENDINGS.get(ending, default)
    if found is None:
        raise ConfigError(
            f"the ending of {place(path)} is of no known format; {_remedy(flag, allowed)}"
        )
    if found not in allowed:
        by = "" if given else ", as its ending has it"
        raise ConfigError(f"{place(path)} cannot be {found}{by}; {_remedy(flag, allowed)}")
    return found


def rule_of(kind: str) -> str:
    """Return the format as journals name it: with the rule by which it is read."""
    return QUOTED_TSV if kind == "tsv" else kind


def _remedy(flag: str | None, allowed: Collection[str]) -> str:
    if flag is not None:
        return f"give {flag} {_or(allowed)}"
    return f"name a file that ends in {_or([e for e, kind in ENDINGS.items() if kind in allowed])}"


@contextmanager
def open_binary(path: str) -> Iterator[BinaryIO]:
    """Open a file to read, or give standard input for "-"; .gz and .xz are unpacked.

    Raises
    ------
    InputError
        If it cannot be opened, read or unpacked.
    """
    try:
        if path == STANDARD:
            yield sys.stdin.buffer
        else:
            with Path(path).open("rb") as file:
                unpack = _UNPACK.get(Path(path).suffix.lower())
                yield file if unpack is None else unpack(file)
    except IsADirectoryError as error:
        raise InputError(f"{place(path)} is a folder; give a file") from error
    except OSError as error:
        raise InputError(f"cannot read {place(path)}: {reason_of(error)}") from error
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise InputError(f"cannot read {place(path)}: {error}; pack it anew") from error


def _or(names: Collection[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def place(path: str) -> str:
    """Return what messages call a file."""
    return "standard input" if path == STANDARD else str(Path(path))
