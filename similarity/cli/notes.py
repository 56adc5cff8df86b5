"""What commands say on standard error beside their output."""

import click

from similarity.printable import printable


def note(line: str) -> None:
    """Print a line on standard error; names of files and columns in it are shown as printable."""
    click.echo(printable(line), err=True)
