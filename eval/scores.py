"""The file of a run's scores, a line a pair: scores.jsonl.zst."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from similarity.errors import InputError
from similarity.extras import optional_module
from similarity.storage.files import replace_file, writing

NAME = "scores.jsonl.zst"
_PURPOSE = "the compressed scores of an evaluation need"


def write_scores(folder: Path, lines: Iterable[dict[str, Any]]) -> Path:
    """Write the lines, whole or not at all; equal lines give equal bytes.

    Raises
    ------
    InputError
        If it cannot be written there.
    MissingDependencyError
        If zstandard is not installed.
    """
    zstandard: Any = optional_module("zstandard", _PURPOSE)
    path = folder / NAME

    def write(new: Path) -> None:
        with new.open("wb") as file, zstandard.ZstdCompressor(10).stream_writer(file) as out:
            for line in lines:
                out.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    with writing(path):
        replace_file(path, write)
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
    zstandard: Any = optional_module("zstandard", _PURPOSE)
    path = folder / NAME
    try:
        with zstandard.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, ValueError, RecursionError, zstandard.ZstdError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
