"""No command writes over a file that it reads: each option that names a file says here which it is.

Nothing heavy is imported here, as every command does. `similarity.batch.files` has the same of the
files of a batch.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from similarity.errors import ConfigError
from similarity.tabular.folders import TEXT_ENDINGS
from similarity.tabular.formats import STANDARD

# Of a command's context: paths that are read and written, each with what names it.
_READ, _WRITTEN = "trajsim.read", "trajsim.written"
_NO_INPUT = "no input is written over"
_EACH_ITS_OWN = "each output has a file of its own"


def note_read(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Remember the file or folder that an option names to be read: a callback of click.

    Raises
    ------
    ConfigError
        If another option names the same file to be written, or one that would be a text of it.
    """
    if value is not None:
        _note(context, _READ, [str(value)], _flag(context, option))
    return value


def note_folder(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Remember the file or folder of a model or of vectors: a callback of click.

    Of a folder its files of JSON too, as an output could be one. Raises as `note_read` does.
    """
    # What is not there is the name of a model, or its address.
    if value is not None and Path(value).exists():
        files = map(str, Path(value).glob("*.json"))
        _note(context, _READ, [str(value), *files], _flag(context, option))
    return value


def note_written(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Remember the file that an option names to be written: a callback of click.

    Raises
    ------
    ConfigError
        If another option names the same file, or a folder of which it would be a text.
    """
    if value is not None and str(value) != STANDARD:
        _note(context, _WRITTEN, [str(value)], _flag(context, option))
    return value


def note_image(path: str) -> None:
    """Remember an image that is read, as a file of texts names it; raises as `note_read` does."""
    context = click.get_current_context(silent=True)
    if context is not None:
        _note(context, _READ, [path], "the input")


def _note(context: click.Context, what: str, paths: Iterable[str], named_by: str) -> None:
    read: dict[str, str] = context.meta.setdefault(_READ, {})
    written: dict[str, str] = context.meta.setdefault(_WRITTEN, {})
    new = dict.fromkeys(paths, named_by)
    if what == _READ:
        _check_apart(written, new, _NO_INPUT)
        read |= new
    else:
        _check_apart(new, read, _NO_INPUT)
        _check_apart(new, written, _EACH_ITS_OWN)
        written |= new


def _check_apart(written: Mapping[str, str], others: Mapping[str, str], why: str) -> None:
    for output, flag in written.items():
        for path, other in others.items():
            if fault := _fault(output, path):
                raise ConfigError(
                    f"{flag} {output} is {fault} that {other} names; name another, as {why}"
                )


def _fault(output: str, path: str) -> str:
    """Return what an output has to do with a path that it must not, or ""."""
    path = "/dev/stdin" if path == STANDARD else path
    if _is_same(output, path):
        return "the file"
    place = Path(os.path.realpath(output))
    is_text = place.suffix.lower() in TEXT_ENDINGS and Path(path).is_dir()
    return "in the folder" if is_text and place.is_relative_to(os.path.realpath(path)) else ""


def _is_same(one: str, other: str) -> bool:
    # By the files, as two names may be one where case makes no difference.
    if Path(one).exists() and Path(other).exists():
        return Path(one).samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def _flag(context: click.Context, option: click.Parameter) -> str:
    if isinstance(option, click.Option):
        return option.opts[0]
    return option.make_metavar(context).strip("[]")
