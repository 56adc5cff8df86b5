"""A folder of files that belong together: replaced whole, and found whole after a kill.

Each file is named by its content, and the manifest, which names them, is renamed into its place
last: so what a reader finds is either the old bundle or the new.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from similarity.digests import digest_of, digest_of_file
from similarity.errors import ConfigError
from similarity.storage.files import Writer, alone_in, cannot_write, replace_file, temporary_beside

T = TypeVar("T")

# The name of a manifest's own digest in it.
_DIGEST = "digest"


def write_bundle(
    folder: Path, manifest: str, content: Mapping[str, Any], files: Mapping[str, Writer]
) -> None:
    """Write the files, then the manifest with their names as "files"; what was there goes.

    Parameters
    ----------
    files
        By names such as "arrays.npz", which become "arrays-<digest>.npz".

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Or what is stale to one would be the new files of another.
        with alone_in(folder):
            named = {name: _write_named(folder, name, write) for name, write in files.items()}
            whole = {**content, "files": named}
            text = json.dumps({**whole, _DIGEST: _digest_of(whole)}, indent=1) + "\n"
            replace_file(folder / manifest, lambda path: path.write_text(text, encoding="utf-8"))
            for name, current in named.items():
                for stale in folder.glob(_named(name, "*")):
                    if stale.name != current:
                        stale.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error


def read_bundle(
    folder: Path,
    manifest: str,
    read: Callable[[dict[str, Any]], T],
    *,
    what: str,
    command: str,
) -> T:
    """Return what `read` makes of a bundle's manifest and of the files that this names.

    If the bundle is replaced meanwhile, and its files are gone, the new one is read.

    Parameters
    ----------
    what, command
        What the bundle holds and which command makes it, for messages.

    Raises
    ------
    ConfigError
        If there is none, or it or one of its files is damaged.
    """
    while True:
        before = _content(folder / manifest)
        try:
            return read(_checked(folder, manifest, what, command))
        except Exception:
            if _content(folder / manifest) == before:
                raise


def _content(path: Path) -> bytes | None:
    """Return the bytes of a file; None where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _checked(folder: Path, manifest: str, what: str, command: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((folder / manifest).read_text(encoding="utf-8"))
        files = {folder / current: name for name, current in content["files"].items()}
        damaged = [path.name for path, name in files.items() if path.name != _true_name(path, name)]
        # Those that were made before there was one are taken without.
        if content.pop(_DIGEST, digest := _digest_of(content)) != digest:
            damaged.append(manifest)
    except OSError as error:
        raise ConfigError(
            f"no {what} in {folder}: {error.strerror}; {command} makes such a folder"
        ) from error
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        damaged = [manifest]
    if damaged:
        raise ConfigError(f"{folder / damaged[0]} is damaged; make the {what} anew by {command}")
    return content


def _digest_of(content: Mapping[str, Any]) -> str:
    """Return the digest of a manifest's other fields, whatever their order."""
    return digest_of({**content, _DIGEST: None})


def _write_named(folder: Path, name: str, write: Writer) -> str:
    with temporary_beside(folder / name) as temporary:
        write(temporary)
        named = _true_name(temporary, name)
        temporary.replace(folder / named)
    return named


def _true_name(path: Path, name: str) -> str:
    return _named(name, digest_of_file(path))


def _named(name: str, digest: str) -> str:
    stem, _, suffix = name.partition(".")
    return f"{stem}-{digest}.{suffix}"
