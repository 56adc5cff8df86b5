"""The file of a run's scores, a line a pair: scores.jsonl.zst."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from similarity.errors import InputError
from similarity.extras import optional_module
from similarity.storage.files import replace_file, writing

NAME = "scores.jsonl.zst"
_READ_BYTES = 1 << 20
_PURPOSE = "the compressed scores of an evaluation need"


def check_package() -> None:
    """Raise MissingDependencyError if zstandard is not installed, before the scores are made."""
    optional_module("zstandard", _PURPOSE)


def write_scores(folder: Path, lines: Iterable[dict[str, Any]]) -> str:
    """Write the lines, whole or not at all; equal lines give equal bytes.

    Returns the SHA-256 of the lines before they are compressed, hexadecimal.

    Raises
    ------
    InputError
        If it cannot be written there.
    MissingDependencyError
        If zstandard is not installed.
    """
    zstandard: Any = optional_module("zstandard", _PURPOSE)
    path = folder / NAME
    digest = hashlib.sha256()

    def write(new: Path) -> None:
        # Without a checksum a changed byte may be read as other scores.
        compressor = zstandard.ZstdCompressor(10, write_checksum=True)
        with new.open("wb") as file, compressor.stream_writer(file) as out:
            for line in lines:
                text = json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"
                digest.update(text)
                out.write(text)

    with writing(path):
        replace_file(path, write)
    return digest.hexdigest()


def read_scores(folder: Path, digest: str | None = None) -> Iterator[dict[str, Any]]:
    """Give the lines.

    Parameters
    ----------
    digest
        What `write_scores` returned. Runs of earlier releases have kept none.

    Raises
    ------
    InputError
        If the file cannot be read, is damaged, or has other lines than were written: then perhaps
        after some of its lines.
    MissingDependencyError
        If zstandard is not installed.
    """
    zstandard: Any = optional_module("zstandard", _PURPOSE)
    path = folder / NAME
    try:
        lines = _lines(path, zstandard.ZstdDecompressor().decompressobj())
        yield from map(json.loads, lines if digest is None else _held(lines, digest))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError, zstandard.ZstdError) as error:
        raise InputError(
            f"{path} is damaged: {error}; give the command of the run again, which writes it anew"
        ) from error


def check_scores(folder: Path, digest: str | None = None) -> None:
    """Read the whole file: its checksum stands at the end.

    Raises
    ------
    InputError, MissingDependencyError
        As `read_scores` does.
    """
    for _ in read_scores(folder, digest):
        pass


def _held(lines: Iterable[bytes], digest: str) -> Iterator[bytes]:
    """Give the lines, and raise ValueError at the end if they have another digest."""
    found = hashlib.sha256()
    for line in lines:
        found.update(line + b"\n")
        yield line
    if found.hexdigest() != digest:
        raise ValueError("these are not the scores of its results.json")


def _lines(path: Path, decompressor: Any) -> Iterator[bytes]:
    rest = b""
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            *lines, rest = (rest + decompressor.decompress(part)).split(b"\n")
            yield from lines
    # What is cut off is no error to the library.
    if rest or not decompressor.eof:
        raise ValueError("its end is missing")
