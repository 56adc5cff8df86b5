"""No command writes over what it reads, by whatever option that is named."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from similarity.cli.apart import note_folder, note_read, note_written
from similarity.cli.main import main
from tests.similarity.images.made import as_file, picture
from tests.tiny_models import save_tiny_model
from tests.tiny_vision_models import save_tiny_vision_model

TOY = ("--model", "toy", "-n", "2", "-m", "3")
TABLE = "text,who\nWhere is my parcel?,Ann\nI want a refund,Bob\n"
# Of commands with such an output, what has a place of its own: a folder, or files that are checked
# by `BatchFiles` and `add_calibration`.
OF_THEIR_OWN = {"fit --out", "index build --out", "eval sts --out", "eval ablate --out"} | {
    "eval report --out",
    "eval calibrate --out",
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder in which there are inputs, and a link to one."""
    monkeypatch.chdir(tmp_path)
    for name in ("t.csv", "second.csv"):
        Path(name).write_text(TABLE)
    Path("lines.jsonl").write_text('{"text": "a red car"}\n{"text": "the sea"}\n')
    Path("lines.txt").write_text("a red car\nthe sea\n")
    Path("link.csv").symlink_to("t.csv")
    Path("notes/below").mkdir(parents=True)
    for name in ("parcel", "below/refund"):
        Path("notes", f"{name}.txt").write_text(f"I ask for my {name}")
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "line",
    [
        "cluster t.csv --k 1 --out t.csv",
        "cluster ./t.csv --k 1 --out link.csv",
        "cluster link.csv --k 1 --out notes/../t.csv",
        "cluster --k 1 --out t.csv t.csv",
        "dedupe t.csv --out t.csv",
        "dedupe lines.txt --out lines.txt",
        "dedupe notes --out notes/parcel.txt",
        "dedupe notes --out notes/below/kept.md",
        "matrix t.csv --out t.csv",
        "matrix t.csv second.csv --out second.csv",
        "matrix t.csv --above 0.1 --out t.csv",
        "matrix t.csv --plot t.csv",
        "embed lines.jsonl --out lines.jsonl",
    ],
)
def test_an_input_is_not_written_over(line: str, place: Path) -> None:
    before = content(place)
    settings = ("--model", "toy") if line.startswith("embed") else TOY
    refused = CliRunner().invoke(main, [*line.split(), *settings])
    assert refused.exit_code == 2, refused.output
    assert "name another, as no input is written over" in refused.stderr
    assert content(place) == before


@pytest.mark.parametrize("command", ["matrix t.csv", "cluster t.csv --k 1"])
def test_two_outputs_of_one_file_are_named_as_that(command: str, place: Path) -> None:
    """The message spoke of an input."""
    before = content(place)
    line = f"{command} --format csv --out heat.png --plot heat.png"
    refused = CliRunner().invoke(main, [*line.split(), *TOY])
    assert refused.exit_code == 2, refused.output
    said = (
        "heat.png is the file that --out names; name another, as each output has a file of its own"
    )
    assert f"--plot {said}" in refused.stderr
    assert content(place) == before


def test_files_of_a_model_are_not_written_over(place: Path) -> None:
    save_tiny_model("gpt2", place / "model")
    before = content(place)
    for option in ("--model", "--vectors"):
        line = ("cluster", "t.csv", option, "model", "--json", "--out", "model/config.json")
        refused = CliRunner().invoke(main, line)
        assert refused.exit_code == 2, refused.output
        assert f"--out model/config.json is the file that {option} names" in refused.stderr
    assert content(place) == before


def test_an_image_of_the_input_is_not_drawn_over(place: Path) -> None:
    model = str(save_tiny_vision_model("llava", place / "llava"))
    Path("photo.png").write_bytes(as_file(picture(40, 30), "PNG"))
    Path("list.txt").write_text("photo.png\nA dog runs.\n")
    before = content(place)
    line = ("matrix", "list.txt", "--plot", "photo.png", "--model", model, "-n", "2", "-m", "3")
    refused = CliRunner().invoke(main, line)
    assert refused.exit_code == 2, refused.output
    assert "--plot photo.png is the file that the input names" in refused.stderr
    assert content(place) == before


def test_an_output_beside_the_texts_of_a_folder_is_written_again() -> None:
    for _ in range(2):
        found = CliRunner().invoke(main, ["cluster", "notes", "--out", "notes/groups.csv", *TOY])
        assert found.exit_code == 0, found.output


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("index build notes --out notes", "below"),
        ("index build texts-2024.jsonl --out .", "lines.jsonl"),
        ("index build t.csv --out mine", "index.json"),
        ("fit --corpus notes/parcel.txt --out notes", "below"),
        ("fit --corpus t.csv --out mine", "index.json"),
    ],
)
def test_a_folder_of_other_files_is_not_written_to(line: str, other: str, place: Path) -> None:
    Path("lines.jsonl").rename("texts-2024.jsonl")
    Path("lines.jsonl").write_text("{}")
    Path("mine").mkdir()
    Path("mine/index.json").write_text('{"mine": true}')
    before = content(place)
    refused = CliRunner().invoke(main, [*line.split(), "--model", "toy"])
    assert refused.exit_code == 2, refused.output
    assert f" has {other}, which trajsim " in refused.stderr
    assert "did not write; name a new folder" in refused.stderr
    assert content(place) == before


@pytest.mark.parametrize(
    "line",
    [
        "embed lines.txt --out v.npy",
        "embed lines.txt --out v.jsonl",
        "embed {theirs} --out v.npy",
        "matrix lines.txt --out v.npy",
        "matrix {theirs} --out v.npy",
        "matrix lines.txt --nearest 1 --out v.csv",
        "matrix long.txt --nearest 1 --out v.csv",
        "matrix lines.txt --above 0.1 --out v.jsonl",
    ],
)
def test_a_folder_of_parts_with_other_files_is_not_written_to(line: str, place: Path) -> None:
    """All that was in it was deleted, the input too, and by a command that was refused."""
    theirs = Path(f"{line.rsplit(maxsplit=1)[-1]}.parts", "chapters", "one.txt")
    theirs.parent.mkdir(parents=True)
    theirs.write_text("a red car\nthe sea\n")
    Path("long.txt").write_text("word " * 9000)
    before = content(place)
    refused = CliRunner().invoke(main, [*line.format(theirs=theirs).split(), "--model", "toy"])
    assert refused.exit_code == 2, refused.output
    assert "v." in refused.stderr
    assert ".parts has chapters, which trajsim did not write; move it away, or" in refused.stderr
    assert content(place) == before


def commands(group: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    if not isinstance(group, click.Group):
        yield name, group
        return
    context = click.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        yield from commands(command, f"{name} {each}".strip())


def test_every_option_says_whether_it_is_read_or_written() -> None:
    found = 0
    for name, command in commands(main):
        flags = {option.opts[0]: option for option in command.params}
        outputs = {
            flag
            for flag in {"--out", "--plot"} & set(flags)
            if f"{name} {flag}" not in OF_THEIR_OWN
        }
        for flag in outputs:
            assert flags[flag].callback is note_written, (name, flag)
        for flag in {"file", "file2"} & set(flags) if outputs else ():
            assert flags[flag].callback is note_read, (name, flag)
            found += 1
        for flag in {"--model", "--vectors"} & set(flags) if outputs else ():
            assert flags[flag].callback is note_folder, (name, flag)
    assert found
