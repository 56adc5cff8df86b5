"""What a command says that Ctrl-C or a server ended: whether the same one goes on from there."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from similarity.cli.main import main
from similarity.errors import BackendUnavailableError
from similarity.models.toy import ToyModel
from tests.conftest import ROOT

GOES_ON = "stopped; the same command goes on from there"
EVAL = ("eval", "sts", "--data", ".", "--tasks", "judged.csv", "--no-baselines", "--out", "run")
PAPER = ("--preset", "paper", "-n", "2", "-m", "3")


COMMANDS = [
    (("batch", "pairs.csv", "out.csv", *PAPER), True),
    (("embed", "texts.txt", "--out", "out.npy"), True),
    (("matrix", "texts.txt", "--out", "out.npy", *PAPER), True),
    (("matrix", "texts.txt", "--above", "0", "--out", "out.csv", *PAPER), True),
    ((*EVAL, "-n", "2", "-m", "3"), True),
    (("embed", "texts.txt"), False),
    (("matrix", "texts.txt", *PAPER), False),
    (("compare", "a cat", "a dog", *PAPER), False),
]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pairs.csv").write_text("text1,text2\na cat,a dog\n")
    Path("texts.txt").write_text("a cat\na dog\n")
    Path("judged.csv").write_text("score,sentence1,sentence2\n1,a cat,a dog\n2,a cat,a cat\n")


def ended_by(error: BaseException, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> Result:
    """Do a command that the model ends; then that it does go on is tried."""

    def end(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as ended:
        for work in ("encode", "encode_continuation"):
            ended.setattr(ToyModel, work, end, raising=False)
        result = CliRunner().invoke(main, arguments)
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 0, again.output
    return result


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("command", "kept"), COMMANDS)
def test_ctrl_c(command: tuple[str, ...], kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    result = ended_by(KeyboardInterrupt(), [*command, "--model", "toy"], monkeypatch)
    assert (result.exit_code, result.stdout) == (130, ""), result.output
    assert result.stderr.splitlines()[-1] == (GOES_ON if kept else "stopped")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("command", "kept"), COMMANDS)
def test_a_server_that_failed(
    command: tuple[str, ...], kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of hours that a server ended did not say that the same command goes on."""
    error = BackendUnavailableError("the server does not answer")
    result = ended_by(error, [*command, "--model", "toy"], monkeypatch)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    said = "the server does not answer"
    said += "; once the server answers, the same command goes on from there" * kept
    assert result.stderr.splitlines()[-1].removeprefix("Error: ") == said


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("command", "first"),
    [
        (COMMANDS[0][0], "batch_command.check_files"),
        (COMMANDS[1][0], "vector_commands.check_place"),
        (COMMANDS[3][0], "matrix_command.texts_of"),
    ],
)
def test_ctrl_c_before_a_command_has_looked_at_its_files(
    command: tuple[str, ...], first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says less, and an earlier run is kept, as the guide has it."""

    def end(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def there() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}

    arguments = [*command, "--model", "toy"]
    with monkeypatch.context() as ended:
        for work in ("encode", "encode_continuation"):
            ended.setattr(ToyModel, work, end, raising=False)
        assert CliRunner().invoke(main, arguments).stderr.endswith(f"{GOES_ON}\n")
    before = there()
    with monkeypatch.context() as ended:
        ended.setattr(f"similarity.cli.{first}", end)
        result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (130, "stopped")
    assert there() == before
    assert CliRunner().invoke(main, arguments).exit_code == 0


@pytest.mark.parametrize("entry", ["similarity.__main__", "trajsim.__main__"])
@pytest.mark.parametrize("begun", ["numpy", "click", "similarity.exports", "similarity.cli.late"])
def test_ctrl_c_while_the_command_is_imported(entry: str, begun: str) -> None:
    """Let the signal come while the command is imported, where modules in C hide exceptions."""
    program = f"""
import os, runpy, signal, sys
class Stop:
    def find_spec(self, name, *_):
        if name == {begun!r}:
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt as error:
                raise ImportError("of a module in C") from error
sys.meta_path.insert(0, Stop())
sys.argv = ["trajsim", "compare", "a cat", "a dog", "--model", "toy"]
runpy.run_module({entry!r}, run_name="__main__", alter_sys=True)
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "\nstopped\n")


ENDS = {
    # In the order of time: threads are waited for, what is registered is called, modules go.
    "threads": "threading._register_atexit(stop)",
    "registered": "atexit.register(stop)",
    "modules": "builtins.last = Last()",
}


@pytest.mark.longer
@pytest.mark.parametrize("entry", ["similarity.__main__", "trajsim.__main__"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("text", "status"), [("a cat", 0), ("", 2)])
def test_ctrl_c_after_the_work_is_done(entry: str, end: str, text: str, status: int) -> None:
    """It ended the process by the signal, or with a traceback and the status 0."""
    program = f"""
import atexit, builtins, os, runpy, signal, sys, threading
def stop(kill=os.kill, pid=os.getpid(), number=signal.SIGINT):
    kill(pid, number)
class Last:
    def __del__(self, stop=stop):
        stop()
class Begin:
    def find_spec(self, name, *_):
        if name == "similarity.cli.main":
            {{}}
sys.meta_path.insert(0, Begin())
sys.argv = ["trajsim", "compare", {text!r}, "a cat", "--model", "toy", "--json"]
runpy.run_module({entry!r}, run_name="__main__", alter_sys=True)
"""

    def ended(how: str) -> tuple[int, str, str]:
        command = [sys.executable, "-c", program.format(how)]
        found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        return found.returncode, found.stdout, found.stderr

    undisturbed = ended("pass")
    assert undisturbed[0] == status
    assert ended(ENDS[end]) == undisturbed


def test_the_command_hears_signals_before_anything_is_imported() -> None:
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["trajsim"]
    module = script.partition(":")[0]
    program = f"""
import importlib, os, signal, sys
before = set(sys.modules)
import similarity.__main__, {module}
print(sorted(set(sys.modules) - before))
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert set(ast.literal_eval(result.stdout)) == {
        "atexit",  # of the interpreter itself
        "similarity",
        "similarity.__main__",
        "trajsim",
        "trajsim.__main__",
    }


def test_ctrl_c_while_help_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("similarity.cli.main.entry_points", stop)
    result = CliRunner().invoke(main, ["--help"])
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "\nstopped\n")
