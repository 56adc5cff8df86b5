"""Commands that are imported when they are called."""

import click
import pytest
from click.testing import CliRunner

from eval import cli as eval_cli
from similarity.cli import main as main_cli
from similarity.cli.late import Late, LateGroup

GROUPS = {"trajsim": main_cli.main, "trajsim eval": eval_cli.evaluate}
TOLD = [
    (group, name, late)
    for group, table in (("trajsim", main_cli.COMMANDS), ("trajsim eval", eval_cli.COMMANDS))
    for name, late in table.items()
]


@pytest.mark.parametrize(("group", "name", "late"), TOLD, ids=lambda value: str(value)[:20])
def test_each_command_is_where_the_table_says(group: str, name: str, late: Late) -> None:
    command = GROUPS[group].get_command(click.Context(GROUPS[group]), name)
    assert command is not None
    assert command.name == name
    # On one line of a narrow terminal.
    assert len(late.short) < 66
    assert late.short.endswith(".")


def test_help_lists_all_commands_and_cuts_none() -> None:
    message = CliRunner().invoke(main_cli.main, ["--help"]).output
    assert "…" not in message
    assert "..." not in message.partition("Commands:")[2]
    for late in main_cli.COMMANDS.values():
        assert late.short in message
    listed = message.partition("Commands:\n")[2].splitlines()
    assert all(line.startswith("  ") and line[2] != " " for line in listed)


def test_an_unknown_command_is_refused() -> None:
    group = LateGroup("some", late={"one": Late("no.such.module", "Do one thing.")})
    assert CliRunner().invoke(group, ["--help"]).exit_code == 0
    result = CliRunner().invoke(group, ["two"])
    assert result.exit_code == 2
    assert "No such command 'two'" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compaer", "a", "b"), "No such command 'compaer'. Did you mean 'compare'?"),
        (("serv",), "No such command 'serv'. Did you mean 'serve'?"),
        (("eval", "stss"), "No such command 'stss'. Did you mean 'sts'?"),
    ],
)
def test_a_misspelt_command_gets_the_near_name(arguments: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(main_cli.main, arguments)
    assert result.exit_code == 2
    assert message in result.output
