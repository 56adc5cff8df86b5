"""What Ctrl-C says: whether the same command goes on from there."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from similarity.cli.main import main
from similarity.models.toy import ToyModel
from tests.conftest import ROOT

GOES_ON = "stopped; the same command goes on from there"
EVAL = ("eval", "sts", "--data", ".", "--tasks", "judged.csv", "--no-baselines", "--out", "run")
PAPER = ("--preset", "paper", "-n", "2", "-m", "3")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("batch", "pairs.csv", "out.csv", *PAPER), GOES_ON),
        (("embed", "texts.txt", "--out", "out.npy"), GOES_ON),
        (("matrix", "texts.txt", "--out", "out.npy", *PAPER), GOES_ON),
        (("matrix", "texts.txt", "--above", "0", "--out", "out.csv", *PAPER), GOES_ON),
        ((*EVAL, "-n", "2", "-m", "3"), GOES_ON),
        (("embed", "texts.txt"), "stopped"),
        (("matrix", "texts.txt", *PAPER), "stopped"),
        (("compare", "a cat", "a dog", *PAPER), "stopped"),
    ],
)
def test_ctrl_c(
    command: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pairs.csv").write_text("text1,text2\na cat,a dog\n")
    Path("texts.txt").write_text("a cat\na dog\n")
    Path("judged.csv").write_text("score,sentence1,sentence2\n1,a cat,a dog\n2,a cat,a cat\n")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    arguments = [*command, "--model", "toy"]
    with monkeypatch.context() as stopped:
        for work in ("encode", "encode_continuation"):
            stopped.setattr(ToyModel, work, stop, raising=False)
        result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (130, ""), result.output
    assert result.stderr.splitlines()[-1] == said
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize("begun", ["numpy", "click", "similarity", "similarity.cli.late"])
def test_ctrl_c_while_the_command_is_imported(begun: str) -> None:
    """Let an import of what the installed command needs be where the signal comes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, function = project["scripts"]["trajsim"].split(":")
    program = f"""
import sys
class Stop:
    def find_spec(self, name, *_):
        if name == {begun!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
from {module} import {function}
sys.argv = ["trajsim", "compare", "a cat", "a dog", "--model", "toy"]
{function}()
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "\nstopped\n")


def test_ctrl_c_while_help_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("similarity.cli.main.entry_points", stop)
    result = CliRunner().invoke(main, ["--help"])
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "\nstopped\n")
