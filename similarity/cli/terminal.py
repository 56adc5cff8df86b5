"""What the commands share: options of input and output, JSON to standard output."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from similarity.cli.apart import note_written
from similarity.cli.notes import note
from similarity.cli.options import Command
from similarity.tabular.formats import READ_FORMATS, STANDARD, format_of
from similarity.tabular.writing import check_place
from similarity.texts.familiarity import shown_warnings

# A format for people.
TABLE = "table"


class NewFolder(click.Path):
    """A folder that is written to; an empty name, as of a variable that is not set, is none.

    Parameters
    ----------
    reserved
        A name that means no folder where it is read.
    """

    def __init__(self, reserved: str | None = None) -> None:
        super().__init__(path_type=Path, file_okay=False)
        self._reserved = reserved

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "":
            self.fail("the name is empty; name a folder", param, ctx)
        if self._reserved is not None and str(value).rstrip("/") == self._reserved:
            self.fail(
                f"the name {self._reserved!r} means no folder where it is read; name ./{value}, or "
                "another",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


# The options that `input_options` adds.
INPUT_FLAGS = ("--input-format", "--columns")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def input_options(
    formats: Sequence[str] = READ_FORMATS, *flags: str
) -> Callable[[Command], Command]:
    """Return a decorator that adds --input-format and --columns, as `kind` and `columns`.

    Parameters
    ----------
    flags
        Other names of the first.
    """

    def add(command: Command) -> Command:
        command = click.option(
            "--columns",
            help="Read these columns, names between commas, in quotation marks where they "
            "have commas; numbers from 1 where the first line has no names.  [default: found by "
            "the names that are common]",
        )(command)
        return click.option(
            "--input-format",
            *flags,
            "kind",
            type=click.Choice(formats),
            help="Read the input in this format.  [default: by the ending of its name]",
        )(command)

    return add


def output_options(formats: Sequence[str]) -> Callable[[Command], Command]:
    """Return a decorator that adds --format, --json and --out, as `written_as` and `out`.

    Parameters
    ----------
    formats
        `TABLE`, then those of files, the first of which a pipe gets.
    """

    def add(command: Command) -> Command:
        command = click.option(
            "--out",
            metavar="FILE",
            callback=note_written,
            help="Write to this file, in the format of its ending.  [default: standard output]",
        )(command)
        command = click.option(
            "--json", "written_as", flag_value="json", help="Write JSON, as --format json does."
        )(command)
        return click.option(
            "--format",
            "written_as",
            type=click.Choice(formats),
            help="Write in this format.  [default: by the ending of --out, else a table for a "
            f"terminal and {formats[1]} for anything else]",
        )(command)

    return add


def print_warnings(warnings: Iterable[str]) -> None:
    """Print on standard error what to know of the texts, a line each."""
    for warning in shown_warnings(warnings):
        note(f"warning: {warning}")


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on one line, in ASCII so that any terminal or pipe takes it."""
    click.echo(json.dumps(content, allow_nan=False))


def chosen_format(given: str | None, out: str | None, allowed: Sequence[str]) -> str:
    """Return the format to write: as given, as the file's ending says, or by who reads it.

    That is a table for a terminal, and for anything else the first that is allowed.

    Raises
    ------
    ConfigError
        If the ending is of no known format, or a table is to be written to a file.
    InputError
        If the file's folder is not there.
    """
    if out is None or out == STANDARD:
        chosen = given or (TABLE if sys.stdout.isatty() else allowed[0])
    else:
        chosen = format_of(out, given, allowed=allowed)
    check_place(chosen, out)
    return chosen
