"""The reference of the command line, made of the commands themselves."""

import re
from collections import Counter
from collections.abc import Iterator
from inspect import cleandoc

import click

from docsite.markdown import plain, table
from similarity.cli.main import main as trajsim

# An option that so many commands have is described once.
SHARED = 5

Help = tuple[str, str]


def cli_page() -> str:
    """Return the page: each command with its usage, and the options that many have once."""
    commands = list(_commands(trajsim, click.Context(trajsim, info_name="trajsim")))
    counted = Counter(option for context in commands for option in _options(context))
    shared = [option for option, count in counted.items() if count >= SHARED]
    parts = [
        "# Command line",
        "`trajsim COMMAND --help` prints the same. Options that most commands have are "
        "[at the end](#options-of-many-commands).",
    ]
    for context in commands:
        parts += _command(context, shared)
    parts += ["## Options of many commands", table(("option", ""), map(_row, shared))]
    return "\n\n".join(parts) + "\n"


def _commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Yield the context of each command that can be run, in the order of `--help`."""
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None:
            yield from _commands(found, click.Context(found, info_name=name, parent=context))


def _options(context: click.Context) -> list[Help]:
    records = (parameter.get_help_record(context) for parameter in context.command.params)
    return [record for record in records if record is not None and record[0].startswith("-")]


def _command(context: click.Context, shared: list[Help]) -> Iterator[str]:
    yield f"## {context.command_path}"
    usage = context.command.get_usage(context).removeprefix("Usage: ")
    yield f"```text\n{' '.join(usage.split())}\n```"
    yield re.sub(r"\n\s*\n", "\n\n", cleandoc(context.command.help or ""))
    options = _options(context)
    own = [option for option in options if option not in shared]
    if own:
        yield table(("option", ""), map(_row, own))
    others = [f"`{_name(option)}`" for option in options if option in shared]
    if others:
        yield f"And {', '.join(others)}: [options of many commands](#options-of-many-commands)."


def _name(option: Help) -> str:
    """Return an option's long name."""
    written = re.findall(r"--[a-z][a-z0-9-]*", option[0].partition(" [")[0])
    return str(written[0])


def _row(option: Help) -> tuple[str, str]:
    written, said = option
    # A long list of choices would widen the column.
    name, bracket, choices = written.partition(" [")
    if not bracket:
        return f"`{written}`", plain(said)
    listed = ", ".join(f"`{choice}`" for choice in choices.removesuffix("]").split("|"))
    return f"`{name}`", f"{plain(said)} One of {listed}."
