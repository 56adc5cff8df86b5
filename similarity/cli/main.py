"""The command line `trajsim`: options in, the library called, a table or JSON out.

`serve` and `eval` belong to the packages above the library and are found by entry point, so that
nothing here imports them.
"""

import errno
import os
import sys
import textwrap
from importlib.metadata import entry_points
from typing import Any

import click

from similarity.cli.late import Late, LateGroup
from similarity.cli.notes import note
from similarity.cli.places import said
from similarity.cli.stopping import Stopped, goes_on
from similarity.cli.streams import STANDARD_OUTPUT, standard_streams
from similarity.cli.variables import misspelt
from similarity.errors import (
    BackendError,
    ConfigError,
    InputError,
    ModelError,
    Portable,
    TrajsimError,
)
from similarity.extras import extra_needed
from similarity.lacking import is_out_of_memory, is_out_of_threads
from similarity.storage.files import reason_of
from similarity.version import __version__

ENTRY_POINTS = "trajsim.commands"
# Of what a library says of its memory, in characters: some give advice of their own.
_LONGEST_REASON = 200

# By name: the module here that has it, and what help says of it.
_LATE = {
    "batch": ("batch_command", "Score the pairs and lists of texts in a file."),
    "cache": ("cache_commands", "Show or delete what is kept so that nothing is computed twice."),
    "calibrate": ("calibrate_commands", "Fit a scale for a model's similarities."),
    "cluster": ("cluster_commands", "Group the texts in a file by meaning."),
    "compare": ("compare_commands", "Print how alike two texts are."),
    "consensus": ("consensus_command", "Group answers by meaning, and find which group to trust."),
    "dedupe": ("cluster_commands", "Keep one of the texts that say the same."),
    "doctor": (
        "compare_commands",
        "Check that a model is fit to score with, and measure its speed.",
    ),
    "embed": ("vector_commands", "Give the meaning vectors of the texts in a file."),
    "entails": ("entailment_commands", "Find which of two texts entails the other."),
    "explain": ("compare_commands", "Explain the score of two texts."),
    "fit": ("vector_commands", "Fit meaning vectors to text of your own."),
    "hyponym": ("hyponym_command", "Find which of two words is a kind of the other."),
    "index": ("index_commands", "Find the texts of like meaning among up to a million."),
    "matrix": ("matrix_command", "Print all similarities of the texts in a file."),
    "profile": ("vector_commands", "Show the words that a text implies."),
    "scales": (
        "scale_commands",
        "Check scales of similarity; list or forget those you fitted.",
    ),
}
COMMANDS = {
    name: Late(f"similarity.cli.{module}", summary) for name, (module, summary) in _LATE.items()
}


class _OneLineError(Portable, click.ClickException):
    """An error of the library's as one line; 2 where the caller can mend it, else 1."""

    def __init__(self, error: TrajsimError, context: click.Context) -> None:
        # What a server's failure ended is often begun anew by hand, though most of it is kept.
        kept = isinstance(error, BackendError) and goes_on(context)
        rest = "; once the server answers, the same command goes on from there" * kept
        super().__init__(said(context, error) + rest)
        self._error = error

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # of the error, not of the class
        return 2 if isinstance(self._error, InputError | ConfigError) else 1


class _Commands(LateGroup):
    """The commands here, and those that installed packages bring."""

    def __call__(self, *args: Any, **extra: Any) -> Any:
        """Do what the command line says, whatever the standard streams are."""
        with standard_streams():
            try:
                return super().__call__(*args, **extra)
            except OSError as error:
                # Help is printed before a command is called.
                if error.filename != STANDARD_OUTPUT:
                    raise
                note(f"Error: {_failure(error)}")
                sys.exit(2)

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
        return sorted(found | set(super().list_commands(ctx)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in entry_points(group=ENTRY_POINTS, name=cmd_name):
            command: click.Command = entry.load()
            return command
        return super().get_command(ctx, cmd_name)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        # Help loads what other packages bring, and is printed here.
        try:
            return super().make_context(*args, **extra)
        except KeyboardInterrupt as error:
            click.echo(err=True)
            raise Stopped from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with extra_needed(None, "this command needs"):
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            click.echo(err=True)  # the terminal has printed ^C
            raise Stopped(ctx) from error
        except TrajsimError as error:
            raise _OneLineError(error, ctx) from error
        except (MemoryError, RuntimeError, ImportError) as error:
            if (lacking := _lacking(error)) is None:
                raise
            raise _OneLineError(lacking, ctx) from error
        except OSError as error:
            # A full disk, a folder without permission. At the closed pipe of somebody else's
            # stream click ends quietly.
            if error.errno == errno.EPIPE:
                raise
            raise _OneLineError(InputError(_failure(error)), ctx) from error


def _lacking(error: Exception) -> TrajsimError | None:
    """Return the error for what this machine is out of; None where it is out of nothing."""
    said = textwrap.shorten(str(error), _LONGEST_REASON, placeholder=" …").rstrip(".")
    if is_out_of_memory(error):
        return ModelError(
            f"memory is out{f' ({said})' * bool(said)}; give fewer or shorter texts at once, a "
            "smaller model, or more memory"
        )
    if is_out_of_threads(error):
        return ModelError(
            f"threads are out ({said}); end other programs, or allow this user or container more "
            "threads, as by ulimit -u"
        )
    return None


def _failure(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{reason_of(error)}"


@click.group(cls=_Commands, late=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trajsim")
@click.pass_context
def main(context: click.Context) -> None:
    """Compare texts by meaning: by how a language model would continue them."""
    # The service has settings of its own, and warns of these too.
    if context.invoked_subcommand == "serve":
        return
    for name, near in misspelt(os.environ):
        note(f"warning: {name} is no variable of trajsim and has no effect; did you mean {near}?")
