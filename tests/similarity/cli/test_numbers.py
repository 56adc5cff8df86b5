"""No option takes a number that is not finite."""

from collections.abc import Iterator

import click
import numpy as np
import pytest
from click.types import FloatParamType

from similarity.cli.main import main
from similarity.errors import ConfigError
from similarity.scales import unit_judgements


def numbers(group: click.Group, path: str = "") -> Iterator[tuple[str, click.ParamType]]:
    """Yield each option for numbers of each command, with what reads it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from numbers(command, f"{path}{name} ")
            continue
        assert command is not None
        for option in command.params:
            parts = option.type.types if isinstance(option.type, click.Tuple) else [option.type]
            yield from (
                (f"{path}{name} {option.opts[0]}", part)
                for part in parts
                if isinstance(part, FloatParamType)
            )


ALL = dict(numbers(main))


@pytest.mark.parametrize("option", ALL)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_an_option_for_numbers_takes_none_that_is_not_finite(option: str, value: str) -> None:
    """A scale with an infinite end was kept, and compared by."""
    with pytest.raises(click.BadParameter, match=r"a finite number, got|not in the range"):
        ALL[option].convert(value, None, None)


def test_there_are_such_options() -> None:
    assert {"scales check --scale", "matrix --above", "compare --interval"} <= set(ALL)


@pytest.mark.parametrize("ends", [(-1e308, 1e308), (0.0, float("inf")), (float("nan"), 1.0)])
def test_nor_does_the_library_take_such_a_scale(ends: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match=r"--scale must be (a finite number|between)"):
        unit_judgements(np.array([1.0, 2.0]), ends)
