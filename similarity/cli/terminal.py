"""What the commands share: texts from files, JSON to standard output."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from similarity.errors import InputError

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def read_texts(file: str) -> list[str]:
    """Return the lines of a UTF-8 file, or of standard input for "-".

    Raises
    ------
    InputError
        If it cannot be read, is not UTF-8, has no lines, or has an empty one.
    """
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file} is not UTF-8: byte {error.object[error.start]:#04x} at offset {error.start}; "
            "convert it to UTF-8"
        ) from error
    if not lines:
        raise InputError(f"{file} has no texts; put one on each line")
    empty = [number for number, line in enumerate(lines, 1) if not line.strip()]
    if empty:
        raise InputError(f"line {empty[0]} of {file} is empty; put one text on each line")
    return lines


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on one line, in ASCII so that any terminal or pipe takes it."""
    click.echo(json.dumps(content, allow_nan=False))
