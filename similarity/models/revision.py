"""The revision of a model's weights and tokenizer: a commit of a hub, or a hash of files."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from similarity.errors import ModelError
from similarity.models.base import ModelInfo
from similarity.models.model_files import model_files

# The revision of a model whose weights cannot be distinguished from others.
UNKNOWN_REVISION = "unknown"


def identity(model: ModelInfo) -> dict[str, str]:
    """Return all that the numbers of a text that fits depend on: all but how long it may be."""
    return {"name": model.name, "revision": model.revision, "dtype": model.dtype}


def revision(source: Path, commit: str | None) -> str:
    """Return a hash of all files that a model's numbers depend on, or the hub's commit.

    Parameters
    ----------
    source
        A folder, a file, or the id of a model on a hub.

    Raises
    ------
    ModelError
        If the hub gave no commit: then nothing distinguishes this model from another.
    """
    if not source.exists():
        if commit is None:
            raise ModelError(
                f"the hub does not say which commit {source} is at; download it, give the folder"
            )
        return commit
    digest = hashlib.sha256()
    for path in _files(source):
        name = os.path.relpath(path, source) if source.is_dir() else path.name
        digest.update(Path(name).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()[:16]}"


def stamp(source: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time of the files that `revision` reads, without reading them.

    The list is empty if there is no such folder or file.
    """
    try:
        found = [(path, path.stat()) for path in _files(source)] if source.exists() else []
    except (OSError, ModelError):
        return []  # loading says better what is wrong
    return [(str(path), of.st_size, of.st_mtime_ns) for path, of in found]


@contextmanager
def unchanged(source: Path) -> Iterator[None]:
    """Raise ModelError if a model's files are written to in this context.

    Weights and `revision` are read one after the other: they might be of two models.
    """
    before, failure = stamp(source), None
    try:
        yield
    except ModelError as error:
        failure = error
    if stamp(source) != before:
        raise ModelError(
            f"{source} was written to while it was loaded; load it again after that"
        ) from failure
    if failure is not None:
        raise failure


def _files(source: Path) -> list[Path]:
    return model_files(source) if source.is_dir() else [source]
