"""Commands that are imported when they are called: help and other commands need not wait."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click


@dataclass(frozen=True)
class Late:
    """A command: the module that has it by its name, and what help says of it in a few words."""

    module: str
    short: str


class LateGroup(click.Group):
    """A group of commands that are imported when they are called.

    Parameters
    ----------
    late
        The commands, by name.
    """

    def __init__(self, *args: Any, late: Mapping[str, Late], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._late = late

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands, and import none."""
        return sorted(self._late)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now, or None if there is none of that name."""
        late = self._late.get(cmd_name)
        if late is None:
            return None
        command: click.Command = getattr(import_module(late.module), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named first; fail with the most similar name if any is."""
        name = args[0]
        names = self.list_commands(ctx)
        near = [] if name in names else get_close_matches(name, names, n=1)
        if near:
            ctx.fail(f"No such command {name!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with its few words."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._short(ctx, name)) for name in self.list_commands(ctx)])

    def _short(self, ctx: click.Context, name: str) -> str:
        if name in self._late:
            return self._late[name].short
        command = self.get_command(ctx, name)
        return "" if command is None else command.get_short_help_str(100)
