"""The file of a run's scores, a line a pair: scores.jsonl.zst."""

import json
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from similarity.errors import InputError, MissingDependencyError
from similarity.storage.files import cannot_write, replace_file

NAME = "scores.jsonl.zst"


def write_scores(folder: Path, lines: Iterable[dict[str, Any]]) -> Path:
    """Write the lines, whole or not at all; equal lines give equal bytes.

    Raises
    ------
    InputError
        If it cannot be written there.
    MissingDependencyError
        If zstandard is not installed.
    """
    zstandard = _zstandard()
    path = folder / NAME

    def write(new: Path) -> None:
        with new.open("wb") as file, zstandard.ZstdCompressor(10).stream_writer(file) as out:
            for line in lines:
                out.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    try:
        replace_file(path, write)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def read_scores(folder: Path) -> Iterator[dict[str, Any]]:
    """Give the lines.

    Raises
    ------
    InputError
        If the file cannot be read.
    MissingDependencyError
        If zstandard is not installed.
    """
    zstandard = _zstandard()
    path = folder / NAME
    try:
        with zstandard.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, ValueError, RecursionError, zstandard.ZstdError) as error:
        raise InputError(f"cannot read {path}: {error}") from error


def _zstandard() -> Any:
    try:
        return import_module("zstandard")
    except ImportError as error:
        raise MissingDependencyError(
            "an evaluation keeps its scores compressed: pip install zstandard"
        ) from error
