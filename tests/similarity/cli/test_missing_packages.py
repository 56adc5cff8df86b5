"""Each command, where nothing is installed but what the package itself requires."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from similarity.cli.main import main
from tests.conftest import ROOT

# Runs commands in one process in which no other package can be found.
BARE = """
import importlib.abc, json, sys
from click.testing import CliRunner

ALLOWED = {*sys.stdlib_module_names, "similarity", "service", "eval", "trajsim", "click", "numpy",
           "platformdirs", "rich", "scipy", "pygments", "markdown_it", "mdurl", "typing_extensions"}

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED and not name.startswith("_"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from similarity.cli.main import main
for command in json.load(sys.stdin):
    done = CliRunner().invoke(main, command)
    failed = None if isinstance(done.exception, SystemExit | None) else repr(done.exception)
    print(json.dumps([done.exit_code, done.stderr, failed]))
"""
STS = ("eval", "sts", "--data", ".", "--tasks", "judged.csv", "--columns", "score,text1,text2")
MODEL = "the model 'smollm2' needs "
PARQUET = "Parquet needs pyarrow: pip install pyarrow"
COMMANDS = {
    ("serve",): "the service needs pydantic",
    ("serve", "--help"): "the service needs pydantic",
    ("compare", "a", "b"): MODEL,
    ("compare", "a", "b", "--model", "embedded"): "the model 'embedded' needs ",
    ("compare", "a", "b", "--model", "a/b"): "the model 'a/b' needs ",
    ("compare", "a", "b", "--model", "x.gguf"): "the model 'x.gguf' needs ",
    ("compare", "a", "b", "--model", "vllm:a/b"): "the model 'vllm:a/b' needs ",
    ("compare", "a", "b", "--model", "http://127.0.0.1:1"): "pip install httpx anyio",
    ("explain", "a", "b"): MODEL,
    ("profile", "a"): MODEL,
    ("entails", "a", "b"): MODEL,
    ("hyponym", "a", "b"): MODEL,
    ("doctor",): MODEL,
    ("consensus", "texts.txt"): MODEL,
    ("cluster", "texts.txt"): MODEL,
    ("cluster", "texts.txt", "--plot", "x.png"): "pictures need matplotlib: pip install matplotlib",
    ("dedupe", "texts.txt"): MODEL,
    ("matrix", "texts.txt"): MODEL,
    ("matrix", "texts.txt", "--plot", "x.png"): "pictures need matplotlib: pip install matplotlib",
    ("batch", "pairs.csv", "out.csv"): MODEL,
    ("batch", "pairs.parquet", "out.csv"): PARQUET,
    ("batch", "pairs.csv", "out", "--ray", "local"): "pip install 'ray[data]' pyarrow",
    ("embed", "texts.txt", "--out", "x.npy"): MODEL,
    ("embed", "texts.txt", "--out", "y", "--ray", "local"): "pip install 'ray[data]' pyarrow",
    ("fit", "--corpus", "texts.txt", "--out", "fitted"): MODEL,
    ("calibrate", "--texts", "texts.txt"): MODEL,
    ("index", "build", "texts.txt", "--out", "ix"): "an index needs faiss-cpu: pip install faiss",
    ("index", "query", "texts.txt", "a"): "an index needs faiss-cpu: pip install faiss-cpu",
    # What cannot be written is said before the model is opened.
    ("embed", "texts.txt", "--out", "x.parquet"): PARQUET,
    ("matrix", "texts.txt", "--out", "x.parquet"): PARQUET,
    ("matrix", "texts.txt", "--out", "x.any", "--format", "parquet"): PARQUET,
    ("matrix", "texts.txt", "--nearest", "1", "--out", "x.parquet"): PARQUET,
    ("cluster", "texts.txt", "--out", "x.parquet"): PARQUET,
    ("dedupe", "texts.txt", "--out", "x.parquet"): PARQUET,
    (*STS, "--model", "toy", "--no-baselines"): "scores of an evaluation need zstandard: pip",
    STS: MODEL,
    ("eval", "entailment", "judged.csv", "--columns", "score,text1,text2"): MODEL,
    ("eval", "hyponymy", "judged.csv", "--columns", "text1,text2"): MODEL,
}
# These need no more than the package itself, or files that are not at hand here.
NOT_TRIED = (
    ("cache",),
    ("scales",),
    *(("eval", name) for name in ("ablate", "calibrate", "cxc", "report")),
)


def leaves(command: click.Command, *names: str) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [names]
    context = click.Context(command)
    below = {name: command.get_command(context, name) for name in command.list_commands(context)}
    return [leaf for name, sub in below.items() if sub for leaf in leaves(sub, *names, name)]


def test_every_command_is_tried() -> None:
    tried = (*COMMANDS, *NOT_TRIED)
    names = leaves(main)
    assert len(names) > 20
    for name in names:
        assert any(one[: len(name)] == name or one == name[: len(one)] for one in tried), name


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bare")


@pytest.fixture(scope="module")
def done(bare: Path) -> dict[tuple[str, ...], list[object]]:
    folder = bare
    (folder / "texts.txt").write_text("a red car\nthe sea\n")
    (folder / "pairs.csv").write_text("text1,text2\na red car,the sea\n")
    (folder / "pairs.parquet").write_text("PAR1")
    (folder / "judged.csv").write_text("score,text1,text2\n0,a b,c d\n1,e f,g h\n")
    ran = subprocess.run(
        [sys.executable, "-c", BARE],
        input=json.dumps([list(command) for command in COMMANDS]),
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "HOME": str(folder), "PATH": ""},
    )
    lines = map(json.loads, ran.stdout.splitlines())
    return dict(zip(COMMANDS, lines, strict=True))


@pytest.mark.parametrize(("command", "message"), COMMANDS.items(), ids=map(" ".join, COMMANDS))
def test_a_missing_package_is_one_line(
    command: tuple[str, ...], message: str, done: dict[tuple[str, ...], list[object]]
) -> None:
    code, stderr, failed = done[command]
    assert failed is None
    assert code == 1, stderr
    last = str(stderr).splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last
    assert "pip install " in last


def test_nothing_is_written_where_the_output_needs_a_missing_package(
    done: dict[tuple[str, ...], list[object]], bare: Path
) -> None:
    """A run was scored to its end before it said so."""
    assert len(done) == len(COMMANDS)
    made = {path.name for path in bare.iterdir()} - {".cache", ".config", ".local"}
    assert made == {"texts.txt", "pairs.csv", "pairs.parquet", "judged.csv"}
