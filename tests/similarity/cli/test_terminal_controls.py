"""What others wrote never moves the cursor of a terminal, nor turns the direction of writing."""

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from similarity.cli import tables
from similarity.cli.main import COMMANDS, main
from similarity.cli.notes import note

HOSTILE = "red\x1b[31m\x1b]0;title\x07 \u202ecar [bold] sea"
TABLE = ("--format", "table")
# By command: what it is called with; FILE and MANY have texts, and NAMED is a file of that name.
CASES: dict[str, list[tuple[str, ...]]] = {
    "cluster": [("FILE", *TABLE)],
    "compare": [(HOSTILE, "a dog")],
    "consensus": [("FILE",)],
    "dedupe": [("FILE", *TABLE)],
    "entails": [(HOSTILE, "a dog")],
    "explain": [(HOSTILE, HOSTILE)],
    "hyponym": [(HOSTILE, "dog"), (HOSTILE, "dog", "--corpus", "NAMED")],
    "index": [("query", "INDEX", "a dog"), ("query", "FILES", "a dog")],
    "matrix": [("FILE", *TABLE), ("FILE", "NAMED", *TABLE), ("MANY", *TABLE), ("FOLDER", *TABLE)],
    "profile": [(HOSTILE,)],
    "scales": [("list",)],
}
# They print no texts of others in tables.
OTHERS = {"batch", "cache", "calibrate", "doctor", "embed", "fit"}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    here = tmp_path_factory.mktemp("places")
    texts = [HOSTILE, HOSTILE, f"a dog {HOSTILE}", "a cat"]
    places = {
        "FILE": here / "texts.txt",
        "MANY": here / "many.txt",
        "NAMED": here / f"{HOSTILE}.txt",
        "FOLDER": here / "folder",
    }
    for name in ("FILE", "NAMED"):
        places[name].write_text("\n".join(texts))
    places["MANY"].write_text("\n".join(f"{i} {HOSTILE}" for i in range(90)))
    places["FOLDER"].mkdir()
    for text in ("one", "two"):
        (places["FOLDER"] / f"{text} {HOSTILE}.txt").write_text(f"{text} {HOSTILE}")
    for name, read in (("INDEX", "FILE"), ("FILES", "FOLDER")):
        places[name] = here / name
        build = ["index", "build", str(places[read]), "--out", str(here / name), "--model", "toy"]
        assert CliRunner().invoke(main, build).exit_code == 0
    return {name: str(path) for name, path in places.items()}


def test_every_command_is_tried() -> None:
    assert CASES.keys() | OTHERS == COMMANDS.keys()


@pytest.mark.parametrize(
    ("command", "arguments"), [(name, case) for name, cases in CASES.items() for case in cases]
)
@pytest.mark.parametrize("is_terminal", [False, True])
def test_no_table_has_what_moves_a_terminal(
    command: str,
    arguments: tuple[str, ...],
    is_terminal: bool,
    places: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if is_terminal:
        monkeypatch.setattr(Console, "is_terminal", True)
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "dumb")
    given = [places.get(one, one) for one in arguments]
    if command == "scales":
        pairs = tmp_path / f"{HOSTILE}.csv"
        rows = "".join(f"a dog,a cat {i},{i % 6}\n" for i in range(30))
        pairs.write_text(f"text1,text2,score\n{rows}")
        fit = ["calibrate", "--pairs", str(pairs), "--scale", "0", "5", "--model", "toy"]
        fitted = CliRunner().invoke(main, fit)
        assert fitted.exit_code == 0, fitted.output
    else:
        given += ["--model", "toy"]
    result = CliRunner().invoke(main, [command, *given])
    assert result.exit_code == 0, result.output
    assert all(one.isprintable() for one in result.output.replace("\n", "")), repr(result.output)


def test_no_line_of_standard_error_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    note(HOSTILE)
    said = capsys.readouterr().err
    assert said == "red\\x1b[31m\\x1b]0;title\\x07 \\u202ecar [bold] sea\n"


def test_what_is_in_a_title_or_a_caption_is_shown_too() -> None:
    page = tables.console()
    page.file = shown = io.StringIO()
    page.print(HOSTILE, tables.Table(HOSTILE, title=HOSTILE, caption=HOSTILE))
    assert shown.getvalue().replace("\n", "").isprintable()
