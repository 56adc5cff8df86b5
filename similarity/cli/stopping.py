"""How a command ends that was stopped by Ctrl-C, a server or its reader, and what it says.

It says whether the same command goes on from there.
"""

from typing import IO, Any

import click

from similarity.errors import Portable

# Of a command's context: whether it has begun what the same command goes on with.
_GOES_ON = "trajsim.goes_on"


class Stopped(Portable, click.ClickException):
    """The end of a command by Ctrl-C; the exit status is that of shells, 128 and the signal."""

    exit_code = 130

    def __init__(self, context: click.Context | None = None) -> None:
        super().__init__("stopped" + "; the same command goes on from there" * goes_on(context))

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message, which is of no error."""
        click.echo(self.message, file=file, err=file is None)


class ReaderGone(Portable, click.ClickException):
    """The end of a command whose standard output nobody reads any more, as behind `| head`.

    It says nothing. The exit status is that of shells, 128 and the signal SIGPIPE, by which other
    commands end there.
    """

    exit_code = 141

    def __init__(self) -> None:
        super().__init__("whoever read standard output has ended")

    def show(self, file: IO[Any] | None = None) -> None:
        """Print nothing."""


def goes_on(context: click.Context | None) -> bool:
    """Return whether a command has begun what the same command goes on with."""
    return context is not None and context.meta.get(_GOES_ON, False)


def note_goes_on() -> None:
    """Remember that the same command goes on where this one is stopped."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_GOES_ON] = True
