"""What others wrote is shown as it is written: it is no markup, and moves no terminal's cursor."""

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console, ConsoleDimensions

from similarity.cli import tables
from similarity.cli.main import COMMANDS, main
from similarity.cli.notes import note

# Rich read the first as a picture's name, and the others as styles. They stand first, as long texts
# are cut.
MARKUP = (":id:", "[bold]", "[u]y")
HOSTILE = f"{''.join(MARKUP)} red\x1b[31m\x1b]0;title\x07 \u202ecar sea"
# In no file's name, but in each text: it ended a command in an error.
ENDING = "[/x]"
TEXT = ENDING + HOSTILE
TABLE = ("--format", "table")
# By command: what it is called with; FILE and MANY have texts, and NAMED is a file of that name.
CASES: dict[str, list[tuple[str, ...]]] = {
    "cluster": [("FILE", *TABLE)],
    "compare": [(TEXT, "a dog")],
    "consensus": [("FILE",)],
    "dedupe": [("FILE", *TABLE)],
    "entails": [(TEXT, "a dog")],
    "explain": [(TEXT, TEXT), (TEXT, "a dog", "--preset", "paper")],
    "hyponym": [(TEXT, "dog", "--corpus", "NAMED")],
    "index": [("query", "INDEX", "a dog"), ("query", "FILES", "a dog")],
    "matrix": [("FILE", *TABLE), ("FILE", "NAMED", *TABLE), ("MANY", *TABLE), ("FOLDER", *TABLE)],
    "profile": [(TEXT,)],
    "scales": [("list",)],
}
# They show no text whole, but words that it has or implies.
WITHOUT_TEXTS = {"compare", "entails", "explain"}
# They print no texts of others in tables.
OTHERS = {"batch", "cache", "calibrate", "doctor", "embed", "fit"}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    here = tmp_path_factory.mktemp("places")
    texts = [TEXT, TEXT, f"{TEXT} a dog", "a cat"]
    places = {
        "FILE": here / "texts.txt",
        "MANY": here / "many.txt",
        "NAMED": here / f"{HOSTILE}.txt",
        "FOLDER": here / "folder",
    }
    for name in ("FILE", "NAMED"):
        places[name].write_text("\n".join(texts))
    places["MANY"].write_text("\n".join(f"{TEXT} {i}" for i in range(90)))
    places["FOLDER"].mkdir()
    for text in ("one", "two"):
        (places["FOLDER"] / f"{HOSTILE} {text}.txt").write_text(f"{TEXT} {text}")
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
def test_tables_show_what_was_written_and_move_no_terminal(
    command: str,
    arguments: tuple[str, ...],
    is_terminal: bool,
    places: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    # No text is folded.
    monkeypatch.setattr(Console, "size", ConsoleDimensions(1000, 25))
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
    shown = result.stdout.count("".join(MARKUP))
    assert {result.stdout.count(one) for one in (*MARKUP, "y red\\x1b[31m")} == {shown}
    assert "\N{SQUARED ID}" not in result.output
    assert (shown == 0) == (command in WITHOUT_TEXTS), result.output


def test_no_line_of_standard_error_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    note(HOSTILE)
    said = capsys.readouterr().err
    assert said == ":id:[bold][u]y red\\x1b[31m\\x1b]0;title\\x07 \\u202ecar sea\n"


def test_what_is_in_a_title_or_a_caption_is_shown_too() -> None:
    page = tables.console()
    page.file = shown = io.StringIO()
    page.print(TEXT, tables.Table(TEXT, title=TEXT, caption=TEXT))
    assert shown.getvalue().replace("\n", "").isprintable()
    assert all(shown.getvalue().count(one) == 4 for one in (ENDING, *MARKUP))
