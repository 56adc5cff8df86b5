"""The reference pages have everything that they are the reference of."""

import importlib

import click
import pytest
import yaml

from docsite.pages import ROOT
from docsite.python_page import CALLS, NAMES
from docsite.reference import reference_pages
from service.client import AsyncClient, Client
from service.settings import Settings
from similarity.cli.main import main

PAGES = reference_pages()


def test_every_command_and_option_is_there() -> None:
    page = PAGES["cli.md"]
    for name in main.list_commands(click.Context(main)):
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert f"## trajsim {name}" in page
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert max(parameter.opts, key=len) in page


def test_an_option_of_many_commands_is_described_once() -> None:
    assert PAGES["cli.md"].count("| `--dtype` |") == 1
    assert "`--distance`" in PAGES["cli.md"]


def test_every_route_and_object_is_there() -> None:
    api = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    for path, methods in api["paths"].items():
        for method in methods:
            assert f"### {method.upper()} {path}\n" in PAGES["http.md"]
    for name in api["components"]["schemas"]:
        assert f"{{#object-{name.lower()}}}" in PAGES["http.md"]


def test_every_setting_is_there_with_its_default() -> None:
    for name in Settings.model_fields:
        assert f"`TRAJSIM_{name.upper()}`" in PAGES["settings.md"]
    assert "Undefined" not in PAGES["settings.md"]


@pytest.mark.parametrize("name", [name for names in NAMES.values() for name in names])
def test_every_name_can_be_imported(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        assert getattr(importlib.import_module(module), attribute).__doc__


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_every_call_of_a_client_is_in_the_reference(client: type) -> None:
    """They are made, so the site's generator finds none in the class."""
    methods = {name for name in vars(client) if not name.startswith("_")}
    assert methods - {"ask", "close"} == set(CALLS)
