"""Standard streams that are closed, full, or of a narrow encoding, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

TEXTS = "a red car\nthe café by the sea\n"
COMMANDS = {
    "compare": ("compare", "a red car", "the sea"),
    "table": ("matrix", "texts.txt", "--format", "table"),
    "dedupe": ("dedupe", "texts.txt"),
    "help": ("--help",),
}
PROGRAM = (sys.executable, "-m", "similarity")
MODEL = {
    "TRAJSIM_MODEL": "toy",
    "PYTHONUNBUFFERED": "",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
}


@pytest.fixture(autouse=True)
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts.txt").write_text(TEXTS, encoding="utf-8")
    Path("pairs.csv").write_text("text1,text2\na red car,the sea\n", encoding="utf-8")


def trajsim(
    redirected: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Return what a command did whose streams a shell has redirected."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *PROGRAM, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | MODEL | environment,
    )


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize("name", ["compare", "table"])
def test_without_standard_error_the_work_is_done(redirected: str, name: str) -> None:
    found = trajsim(redirected, *COMMANDS[name])
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == trajsim("", *COMMANDS[name]).stdout
    assert found.stdout


@pytest.mark.parametrize("redirected", ["2>/dev/full", "<&- >&- 2>&-"])
def test_a_batch_needs_no_standard_streams(redirected: str) -> None:
    assert trajsim(redirected, "batch", "pairs.csv", "out.csv").returncode == 0
    assert len(Path("out.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("redirected", "why"),
    [
        (">&-", "it is closed"),
        (
            ">/dev/full",
            "No space left on device; free some space there, and give the same command again",
        ),
    ],
)
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_standard_output_that_cannot_be_written_is_one_line(
    redirected: str, why: str, arguments: tuple[str, ...]
) -> None:
    found = trajsim(redirected, *arguments)
    assert found.returncode == 2
    assert found.stderr.splitlines() == [f"Error: standard output: {why}"]


def test_neither_stream_can_be_written() -> None:
    assert trajsim(">&- 2>&-", "compare", "a", "b").returncode == 2


@pytest.mark.parametrize("name", ["compare", "dedupe"])
def test_standard_output_that_is_full_and_has_no_buffer(name: str) -> None:
    found = trajsim(">/dev/full", *COMMANDS[name], PYTHONUNBUFFERED="1")
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)


def test_a_closed_standard_input_is_empty() -> None:
    found = trajsim("<&-", "batch", "-", "out.csv")
    assert (found.returncode, found.stderr.splitlines()) == (
        2,
        ["Error: standard input has no lines; give one for each pair"],
    )


@pytest.mark.parametrize("name", ["dedupe", "batch"])
def test_standard_input_that_cannot_be_read_has_its_name(name: str) -> None:
    more = ("out.csv",) if name == "batch" else ()
    found = trajsim("0>/dev/null", name, "-", *more)
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert "standard input" in found.stderr
    assert "Error: -" not in found.stderr


def test_what_an_encoding_has_is_written_as_it_is() -> None:
    found = trajsim("", *COMMANDS["table"], PYTHONIOENCODING="utf-8")
    assert found.returncode == 0, found.stderr
    assert "é" in found.stdout


SHOWS_TEXTS = {
    "table": COMMANDS["table"],
    "cluster": ("cluster", "texts.txt", "--k", "2", "--format", "table"),
    "dedupe": ("dedupe", "twice.txt", "--format", "table"),
    "consensus": ("consensus", "texts.txt"),
    "explain": ("explain", "a car", "the sea", "--preset", "paper", "-n", "2", "-m", "3"),
}


@pytest.mark.longer
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""},
    ],
    ids=["ascii", "C"],
)
@pytest.mark.parametrize("name", SHOWS_TEXTS)
def test_what_an_encoding_lacks_is_escaped(name: str, environment: dict[str, str]) -> None:
    """A table ended in UnicodeEncodeError in the locale C, whose errors have another name."""
    Path("twice.txt").write_text("the café\nthe café\n", encoding="utf-8")
    found = trajsim("", *SHOWS_TEXTS[name], **environment)
    assert found.returncode == 0, found.stderr
    assert found.stdout.isascii()
    assert "\\" in found.stdout


READ = COMMANDS | {
    "version": ("--version",),
    "help of a command": ("compare", "--help"),
    "help of a group": ("eval", "--help"),
    "help of the service": ("serve", "--help"),
    "json": ("compare", "a red car", "the sea", "--json"),
    "explain": ("explain", "a red car", "the sea", "--preset", "paper"),
    "doctor": ("doctor",),
    "info": ("cache", "info"),
    "embed": ("embed", "texts.txt"),
    "matrix": ("matrix", "texts.txt"),
    "cluster": ("cluster", "texts.txt", "--k", "2"),
}


@pytest.mark.longer
@pytest.mark.parametrize(
    ("name", "unbuffered"), [*((name, "") for name in READ), ("compare", "1"), ("dedupe", "1")]
)
def test_a_reader_that_is_gone_ends_a_command_as_others_end(name: str, unbuffered: str) -> None:
    """By SIGPIPE, in a shell's words; it was 1, as for any fault, and nothing said which."""
    reading, written = os.pipe()
    os.close(reading)
    found = subprocess.run(
        [*PROGRAM, *READ[name]],
        check=False,
        stdout=written,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | MODEL | {"PYTHONUNBUFFERED": unbuffered},
    )
    os.close(written)
    assert (found.returncode, found.stderr) == (141, "")


@pytest.mark.longer
def test_a_reader_may_leave_in_the_middle() -> None:
    Path("many.txt").write_text("".join(f"the sea {i}\n" for i in range(2000)))
    command = [*PROGRAM, "embed", "many.txt"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | MODEL,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert not any(word in said for word in ("Traceback", "Exception ignored", "Error"))
