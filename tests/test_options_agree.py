"""Each setting has one default, one range and one list of choices at every door."""

import re
from collections.abc import Iterator
from typing import Any

import click
import pytest

from eval.sts_cli import ablate, sts
from service.client.values import Settings as ClientSettings
from service.http.schemas.sampling import SamplingSettings
from service.http.schemas.similarity import ComparisonSettings
from similarity.cli.batch_command import batch
from similarity.cli.compare_commands import compare, explain
from similarity.cli.index_commands import query
from similarity.cli.main import main
from similarity.cli.matrix_command import matrix
from similarity.config import COMPARISON_SETTINGS, ComparisonConfig
from similarity.errors import ConfigError
from similarity.estimators.table import ESTIMATORS
from similarity.fields import Setting
from similarity.presets import PRESETS
from tests.conftest import ROOT

PAGE = (ROOT / "service" / "static" / "index.html").read_text(encoding="utf-8")
JSON_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}
COMMANDS = [
    compare,
    explain,
    matrix,
    batch,
    query,
    sts,
    ablate,
]
each_setting = pytest.mark.parametrize(
    "setting", COMPARISON_SETTINGS.values(), ids=lambda t: t.name
)


def controls(name: str) -> list[str]:
    """Return the values that a choice of the page offers."""
    (content,) = re.findall(rf'<select id="{name}">(.*?)</select>', PAGE, re.DOTALL)
    return re.findall(r'<option(?: value="([^"]*)"[^>]*)?>([^<]*)', content)


@each_setting
def test_the_library_refuses_what_lies_beyond_the_bounds(setting: Setting) -> None:
    assert ComparisonConfig.build(**{setting.name: setting.default}) == ComparisonConfig()
    beyond: list[Any] = []
    if setting.at_most is not None and setting.at_least is not None:
        beyond = [setting.type(setting.at_most + 1), setting.type(setting.at_least - 1)]
    elif setting.choices is not None:
        beyond = ["no such choice"]
    for value in beyond:
        with pytest.raises(ConfigError, match=setting.name):
            ComparisonConfig.build(**{setting.name: value})


@each_setting
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_options_of_every_command(command: click.Command, setting: Setting) -> None:
    (option,) = [one for one in command.params if one.name == setting.name]
    assert isinstance(option, click.Option)
    assert (option.default, option.help) == (setting.default, setting.help)
    if setting.choices is not None:
        assert isinstance(option.type, click.Choice)
        assert tuple(option.type.choices) == setting.choices
    elif setting.at_least is not None:
        assert isinstance(option.type, click.IntRange | click.FloatRange)
        assert option.type.min == setting.at_least
        assert option.type.max in (setting.at_most, None)


@each_setting
def test_the_fields_of_requests(setting: Setting) -> None:
    schema = ComparisonSettings.model_json_schema()["properties"][setting.name]
    assert schema["type"] == JSON_TYPES[setting.type]
    assert schema["default"] == setting.default
    assert tuple(schema.get("enum", ())) == (setting.choices or ())
    assert (schema.get("minimum"), schema.get("maximum")) == (setting.at_least, setting.at_most)


def test_requests_and_the_client_have_all_settings() -> None:
    sampled = COMPARISON_SETTINGS.keys() - {"distance"}
    assert SamplingSettings.model_fields.keys() == sampled
    assert COMPARISON_SETTINGS.keys() <= ClientSettings.__annotations__.keys()


def test_the_presets() -> None:
    (schema,) = [
        one
        for one in ComparisonSettings.model_json_schema()["properties"]["preset"]["anyOf"]
        if "enum" in one
    ]
    assert set(schema["enum"]) == set(PRESETS)
    assert {value for value, _ in controls("preset")} == set(PRESETS)


@pytest.mark.parametrize(("control", "name"), [("n", "n_trajectories"), ("m", "max_tokens")])
def test_the_numbers_of_the_page(control: str, name: str) -> None:
    (tag,) = re.findall(rf'<input id="{control}"[^>]*>', PAGE)
    setting = COMPARISON_SETTINGS[name]
    assert f'value="{setting.default}"' in tag
    assert f'min="{setting.at_least}"' in tag


def test_the_choices_of_the_page() -> None:
    assert tuple(value for value, _ in controls("prompt")) == COMPARISON_SETTINGS["prompt"].choices
    # Those that read whole distributions are of the library alone.
    served = [
        name
        for name in COMPARISON_SETTINGS["distance"].choices or ()
        if not ESTIMATORS[name].reads_distributions
    ]
    assert [name for _, name in controls("distance")] == served


def walk(command: click.Command, name: str = "trajsim") -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), inner)
            assert found is not None
            yield from walk(found, f"{name} {inner}")


# Every word that a sentence of --help begins with.
VERBS = """
    Add Answer Build Check Compare Compute Cut Describe Divide Double Draw Embed End Explain Find
    Fit Forget Group Give Index Join Judge Keep List Load Look Map Measure Print Put Read Resample
    Sample Score Search Serve Show Shuffle Shrink Stop Delete Take Tell Use Weigh Write
"""
SENTENCES = {
    f"{name} {setting}": text
    for name, command in walk(main)
    for setting, text in [
        ("", command.help),
        *((one.name, one.help) for one in command.params if isinstance(one, click.Option)),
    ]
    # The settings of the service have the descriptions of their environment variables.
    if name != "trajsim serve" or not setting
}


@pytest.mark.parametrize("name", SENTENCES)
def test_help_begins_with_a_verb(name: str) -> None:
    assert (SENTENCES[name] or "").partition(" ")[0] in VERBS.split()


def test_what_needs_a_bank_is_offered_nowhere_else() -> None:
    """A command or a request gives no bank."""
    setting = COMPARISON_SETTINGS["distance"]
    needing = {name for name, estimator in ESTIMATORS.items() if estimator.needs_bank}
    assert needing
    assert set(setting.in_python or ()) - set(setting.choices or ()) == needing
