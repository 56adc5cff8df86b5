"""What the documentation says is what the tables in the code say."""

import doctest
import re
import shlex
from pathlib import Path
from types import ModuleType

import click
import pytest

import similarity
import similarity.vectors
import trajsim
from similarity.cli.main import main
from similarity.estimators.table import ESTIMATORS
from similarity.models.toy import ToyModel
from similarity.prompts import PROMPTS
from tests.conftest import ROOT
from tests.service.servers import running

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
METHOD = (ROOT / "docs" / "method" / "trajectories.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_method_defines_every_distance_and_estimator() -> None:
    # The table of estimators begins with the paper's distances.
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", METHOD, re.MULTILINE) == list(ESTIMATORS)


def test_method_quotes_every_prompt() -> None:
    for name, prompt in PROMPTS.items():
        for quoted in filter(None, (prompt.before, prompt.after)):
            assert f"`{quoted}`" in METHOD, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_file_tree_is_true() -> None:
    (tree,) = re.findall(r"## The files\n\n```\n(.*?)```", CONTRIBUTING, re.DOTALL)
    assert tree
    folders: list[str] = []
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name, _, said = line.strip().partition(" ")
        folders = [*folders[:depth], name]
        assert said, name
        assert (ROOT / "".join(folders)).is_dir(), "".join(folders)


def test_commands_of_the_readme_parse() -> None:
    commands = re.findall(r"^\$ (trajsim .*)$", README, re.MULTILINE)
    assert commands
    for command in commands:
        _, name, *arguments = shlex.split(command)
        found = main.get_command(click.Context(main), name)
        assert found is not None
        found.make_context(name, arguments)


def test_python_of_the_readme_runs(toy_model: ToyModel, capsys: pytest.CaptureFixture[str]) -> None:
    programs = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(programs) == 2
    with running(toy_model) as url:
        for program in programs:
            exec(compile(program.replace("http://127.0.0.1:8000", url), "README.md", "exec"), {})
            assert capsys.readouterr().out


@pytest.mark.parametrize(
    "package", [similarity, similarity.vectors, trajsim], ids=lambda one: one.__name__
)
def test_examples_of_the_packages_give_what_they_say(package: ModuleType) -> None:
    found = doctest.testmod(package)
    assert (found.attempted > 0, found.failed) == (True, 0)
