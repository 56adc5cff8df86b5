"""Every block of code in the documentation runs, or is checked as far as this machine can.

Commands and programs run on the toy model, in a folder with the sample files that the pages name,
in the order of the page. What cannot run here is in `ELSEWHERE`, with the reason.
"""

import ast
import gc
import json
import os
import re
import shlex
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

import similarity
from docsite.pages import DOCS, ROOT, Block, blocks, written_pages
from similarity.cli.main import main
from similarity.models.loader import load_model
from similarity.models.toy import ToyModel
from tests.service.servers import running
from tests.similarity.images.made import as_file, picture
from tests.tiny_vision_models import save_tiny_vision_model

SEEING = "HuggingFaceTB/SmolVLM-500M-Instruct"
ADDRESS = "http://127.0.0.1:8000"
# The log is a record: its commands were run once, on the versions of their day.
BLOCKS = [block for page in written_pages() if page.name != "log.md" for block in blocks(page)]
PAGES = list(dict.fromkeys(block.page for block in BLOCKS))

# Commands that are only parsed: what a line has in it, and why it cannot run here.
ELSEWHERE = {
    r"^serve\b": "it does not end; tests/test_first_minutes.py starts it",
    r"--ray\b": "needs a cluster; tests/ray has one",
    r"--model (http|vllm:)": "needs a vLLM server or engine; tests/vllm has them",
    r"eval calibrate runs/train": "needs the run of the line before",
    r"scales forget NAME": "needs the name of a scale, a digest that no page can foretell",
    r"--data FOLDER": "needs the benchmarks, which are not redistributed",
    r"--model openai-community": "needs the models of a hub",
}
# Programs of the shell that are checked to parse, and why they do not run here.
PROGRAMS = {
    "docker": "needs a container engine",
    "gh": "needs the network",
    "kubectl": "needs a cluster; tests/docker renders the manifests",
    "pip": "needs a package index, and changes the environment",
    "python": "changes the environment",
    "schemathesis": "takes minutes; tests/service/test_schemathesis.py runs it",
    "twine": "needs a package index",
    "vllm": "needs its own environment; tests/vllm starts servers",
}
# Of other packages, which are no dependency of this one: they are compiled, not run.
PACKAGES = {
    "daft": "reads with a service of its own",
    "lancedb": "is a database",
    "psycopg": "needs a Postgres",
    "qdrant_client": "needs a Qdrant",
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(ToyModel()) as address:
        yield address


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model that reads images."""
    return save_tiny_vision_model("llava", tmp_path_factory.mktemp("seeing") / "llava")


@pytest.fixture(scope="module")
def seeing_url(seeing: Path) -> Iterator[str]:
    with running(load_model(str(seeing)), preset="paper") as address:
        yield address


@pytest.fixture
def folder(tmp_path: Path, seeing: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a folder with the samples; the toy is the model where none is named.

    There is a photo, and a folder by the name of the model that the guide to images takes.
    """
    shutil.copytree(DOCS / "samples", tmp_path, dirs_exist_ok=True)
    shutil.copytree(DOCS / "samples", tmp_path / "docs" / "samples")
    # A folder that a command before would have made, where it cannot run here.
    (tmp_path / "runs" / "train").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAJSIM_MODEL", "toy")
    (tmp_path / SEEING).parent.mkdir()
    (tmp_path / SEEING).symlink_to(seeing)
    (tmp_path / "photo.jpg").write_bytes(as_file(picture(40, 30), "JPEG"))
    monkeypatch.setattr(
        similarity,
        "load_model",
        lambda *name: load_model(*name) if name == (SEEING,) else ToyModel(),
    )
    return tmp_path


def test_every_language_is_checked() -> None:
    assert {b.language for b in BLOCKS} <= {"python", "sh", "console", "json", "yaml", "text", ""}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_runs(page: Path, url: str, seeing_url: str, folder: Path) -> None:
    address = seeing_url if page.stem == "images" else url
    if any("--out mine" in block.text for block in blocks(page)):
        run("trajsim fit --corpus corpus.txt --out mine")
    space: dict[str, object] = {}
    for block in (block for block in blocks(page) if block.language == "python"):
        program = compile(block.text.replace(ADDRESS, address), block.name, "exec")
        if not imported(block.text) & PACKAGES.keys():
            exec(program, space)
    # Clients of other packages leave their connections to the end of the program.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        space.clear()
        gc.collect()


def imported(program: str) -> set[str]:
    """Return the packages that a program imports."""
    nodes = list(ast.walk(ast.parse(program)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run(page: Path, url: str, folder: Path) -> None:
    for block in blocks(page):
        if block.language in ("sh", "console"):
            check_shell(block, url)


def check_shell(block: Block, url: str) -> None:
    """Run the commands of a block; a console's have a prompt in front."""
    text = block.text
    if block.language == "console":
        text = "\n".join(re.findall(r"^\$ (.*)$", text, re.MULTILINE))
        assert text, block.name
    subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    for command in re.sub(r"\\\n", " ", text).splitlines():
        line = command.split(" #")[0].strip()
        words = shlex.split(line, posix=True)
        program = next((word for word in words if not re.match(r"[A-Z_]+=", word)), "")
        if program == "trajsim":
            run(line)
        elif program == "curl" and ADDRESS in line and "docker" not in line:
            ask(line.replace(ADDRESS, url))
        elif program == "make":
            assert_targets(line)
        elif program in ("", ".", "{", "EVAL_DATA", *SHELL):
            continue
        else:
            assert program in PROGRAMS, f"{block.name}: {line}"


# Of the shell itself; what deploy.md does by them is run by tests/docker/test_deploy_page.py.
SHELL = ("mkdir", "openssl", "touch", "chmod", "tar", "curl", "-H", "--volume", "cd", "git")


def run(line: str) -> None:
    """Run a command of ours in this process, or parse it where it cannot run here."""
    words = shlex.split(line.replace(" …", ""))
    while "=" in words[0]:
        words.pop(0)
    arguments = words[1:]
    if ">" in arguments:
        arguments = arguments[: arguments.index(">")]
    said = " ".join(arguments)
    if any(re.search(pattern, said) for pattern in ELSEWHERE):
        parse(main, click.Context(main), arguments)
        return
    result = CliRunner().invoke(main, ["toy" if word == "ID" else word for word in arguments])
    assert result.exit_code == 0, f"{line}: {result.output}"


def parse(group: click.Group, context: click.Context, arguments: list[str]) -> None:
    """Parse a command and its arguments; run nothing."""
    name, *rest = arguments
    found = group.get_command(context, name)
    assert found is not None, name
    if isinstance(found, click.Group):
        parse(found, click.Context(found, parent=context), rest)
    else:
        found.make_context(name, rest)


def ask(line: str) -> None:
    """Run a curl; the service must not answer with an error."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = [*shlex.split(line), "--fail-with-body"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, f"{line}: {result.stdout}{result.stderr}"
    json.loads(result.stdout)


def assert_targets(line: str) -> None:
    """Check that make knows its targets."""
    files = [ROOT / "Makefile", *ROOT.glob("*.mk")]
    rules = "".join(path.read_text(encoding="utf-8") for path in files)
    targets = [word for word in line.split()[1:] if "=" not in word]
    assert targets, line
    for target in targets:
        assert f"\n{target}: " in rules, target


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_data_is_well_formed(block: Block) -> None:
    if block.language == "json":
        try:
            json.loads(block.text)
        except ValueError:
            assert [json.loads(line) for line in block.text.splitlines()]
    elif block.language == "yaml":
        assert yaml.safe_load(block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_samples_are_as_they_are_shown(page: Path) -> None:
    shown = [block for block in blocks(page) if block.text.startswith("text1,text2\n")]
    for block in shown:
        assert block.text == (DOCS / "samples" / "pairs.csv").read_text(encoding="utf-8")


def test_what_cannot_run_is_still_there() -> None:
    text = "".join(block.text for block in BLOCKS)
    for pattern in ELSEWHERE:
        assert re.search(pattern.removeprefix("^"), text), pattern
    for program in PROGRAMS.keys() - {"twine", "gh", "python"}:
        assert re.search(rf"^\s*{program} ", text, re.MULTILINE), program


def test_no_environment_is_left_behind() -> None:
    assert os.environ["TRAJSIM_MODEL"] != "toy"
