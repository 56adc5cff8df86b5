"""A folder of files that belong together: replaced whole, and found whole after a kill.

Each file is named by its content, and the manifest, which names them, is renamed into its place
last: so what a reader finds is either the old bundle or the new.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from similarity.digests import digest_of, digest_of_file
from similarity.errors import ConfigError, InputError
from similarity.storage.files import (
    Writer,
    alone_in,
    cannot_write,
    fill,
    replace_file,
    temporary_beside,
    writing,
)
from similarity.storage.folders import new_folder
from similarity.storage.user_cache import reading_remedy

T = TypeVar("T")

# The name of a manifest's own digest in it.
_DIGEST = "digest"
# What the digest in the name of a file is like.
_HEX = "[0-9a-f]{16}"


@dataclass(frozen=True)
class BundleKind:
    """A kind of bundle: what it is called, and which files a folder of it may have.

    Parameters
    ----------
    manifest
        The name of its manifest.
    names
        Of all other files that it may have, such as "arrays.npz".
    what, command
        What it holds and which command makes it, for messages.
    """

    manifest: str
    names: tuple[str, ...]
    what: str
    command: str

    def files(self, folder: Path) -> list[Path]:
        """Return what lies in a folder that is named as files of such bundles are."""
        return [path for path in folder.iterdir() if self._is_named(path)]

    def check_place(self, folder: Path) -> None:
        """Refuse a folder that has anything else than such a bundle, as files of a user.

        Hidden files count for nothing.

        Raises
        ------
        InputError
            If it has, or cannot be read.
        """
        if not folder.is_dir():
            return
        with writing(folder):
            there = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        others = [path for path in there if not self._is_named(path)]
        # One that is damaged is known by the files beside it.
        if len(others) < len(there) or self._is_manifest(folder / self.manifest):
            others = [path for path in others if path.name != self.manifest]
        if others:
            raise InputError(
                f"{folder} has {others[0].name}, which {self.command} did not write; name a new "
                "folder, or one that has nothing else"
            )

    def _is_named(self, path: Path) -> bool:
        return any(re.fullmatch(_named(re.escape(one), _HEX), path.name) for one in self.names)

    def _is_manifest(self, path: Path) -> bool:
        """Return whether a file names files of this kind alone, be they there or not."""
        try:
            named: Mapping[str, str] = json.loads(_content(path) or b"")["files"]
            return bool(named) and named.keys() <= set(self.names)
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return False


def write_bundle(
    kind: BundleKind, folder: Path, content: Mapping[str, Any], files: Mapping[str, Writer]
) -> None:
    """Write the files, then the manifest with their names as "files"; what was there goes.

    Parameters
    ----------
    files
        By names of the kind, such as "arrays.npz", which becomes "arrays-<digest>.npz".

    Raises
    ------
    InputError
        If it cannot be written there, or the folder has what is of no such bundle.
    """
    try:
        # Or what is stale to one would be the new files of another.
        with new_folder(folder), alone_in(folder):
            kind.check_place(folder)
            there = kind.files(folder)
            try:
                named = {name: _write_named(folder, name, write) for name, write in files.items()}
                whole = {**content, "files": named}
                text = json.dumps({**whole, _DIGEST: _digest_of(whole)}, indent=1) + "\n"
                new = folder / kind.manifest
                replace_file(new, lambda path: path.write_text(text, encoding="utf-8"))
            except Exception:
                # No manifest names them.
                for path in set(kind.files(folder)).difference(there):
                    path.unlink()
                raise
            for path in kind.files(folder):
                if path.name not in named.values():
                    path.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error


def read_bundle(kind: BundleKind, folder: Path, read: Callable[[dict[str, Any]], T]) -> T:
    """Return what `read` makes of a bundle's manifest and of the files that this names.

    If the bundle is replaced meanwhile, and its files are gone, the new one is read.

    Raises
    ------
    ConfigError
        If there is none, or it or one of its files is damaged.
    """
    while True:
        before = _content(folder / kind.manifest)
        try:
            return read(_checked(kind, folder))
        except Exception:
            if _content(folder / kind.manifest) == before:
                raise


def _content(path: Path) -> bytes | None:
    """Return the bytes of a file; None where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _checked(kind: BundleKind, folder: Path) -> dict[str, Any]:
    try:
        manifest = (folder / kind.manifest).read_bytes()
    except PermissionError as error:
        raise _unreadable(error) from error
    except OSError as error:
        raise ConfigError(
            f"no {kind.what} in {folder}: {error.strerror}; {kind.command} makes such a folder"
        ) from error
    try:
        content: dict[str, Any] = json.loads(manifest.decode())
        files = {folder / current: name for name, current in content["files"].items()}
        damaged = [path.name for path, name in files.items() if path.name != _true_name(path, name)]
        # Those that were made before there was one are taken without.
        if content.pop(_DIGEST, digest := _digest_of(content)) != digest:
            damaged.append(kind.manifest)
    except PermissionError as error:
        raise _unreadable(error) from error
    except OSError as error:
        # Its manifest is there, so it is no folder without one.
        raise ConfigError(
            f"{error.filename} cannot be read ({error.strerror}), so {folder} is damaged; make "
            f"the {kind.what} anew by {kind.command}"
        ) from error
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        damaged = [kind.manifest]
    if damaged:
        raise ConfigError(
            f"{folder / damaged[0]} is damaged; make the {kind.what} anew by {kind.command}"
        )
    return content


def _unreadable(error: OSError) -> ConfigError:
    # It may be whole, so nothing is to be made anew.
    return ConfigError(f"cannot read {error.filename}: {error.strerror}{reading_remedy(error)}")


def _digest_of(content: Mapping[str, Any]) -> str:
    """Return the digest of a manifest's other fields, whatever their order."""
    return digest_of({**content, _DIGEST: None})


def _write_named(folder: Path, name: str, write: Writer) -> str:
    with temporary_beside(folder / name) as temporary:
        fill(temporary, write)
        named = _true_name(temporary, name)
        temporary.replace(folder / named)
    return named


def _true_name(path: Path, name: str) -> str:
    return _named(name, digest_of_file(path))


def _named(name: str, digest: str) -> str:
    stem, _, suffix = name.partition(".")
    return f"{stem}-{digest}.{suffix}"
