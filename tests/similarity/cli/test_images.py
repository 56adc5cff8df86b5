"""On the command line a path that is an image stands for it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from similarity.cli import compare_commands
from similarity.cli.main import main
from similarity.models import loader
from tests.similarity.images.made import as_file, picture
from tests.similarity.models.fake_seeing_server import SeeingServer
from tests.similarity.models.fake_server import Load, load
from tests.tiny_models import save_tiny_model
from tests.tiny_vision_models import save_tiny_vision_model

__all__ = ["load"]  # a fixture
DOG = "A dog runs."
SHORT = ("-n", "2", "-m", "3")


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_vision_model("llava", tmp_path_factory.mktemp("cli") / "llava"))


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(as_file(picture(40, 30), "PNG"))
    Path("copy.bmp").write_bytes(as_file(picture(40, 30), "BMP"))
    Path("other.webp").write_bytes(as_file(picture(30, 40, seed=1), "WEBP"))
    return "photo.jpg"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def distance(*arguments: str) -> Any:
    result = run("compare", *SHORT, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["distance"]


def test_compare_images_and_texts(seeing: str, photo: str) -> None:
    model = ("--model", seeing)
    assert distance(*model, photo, "copy.bmp") == 0
    beside = distance(*model, photo, DOG)
    assert beside > 0
    assert distance(*model, DOG, photo) == pytest.approx(beside, abs=1e-6)
    named = distance(*model, "--text", photo, DOG)
    assert named != pytest.approx(beside, abs=1e-3)
    assert distance(*model, "--prompt", "aligned", photo, DOG) != pytest.approx(beside, abs=1e-3)


def test_explain_an_image(seeing: str, photo: str) -> None:
    result = run("explain", "--model", seeing, *SHORT, "--json", photo, DOG)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["texts"] == [photo, DOG]


def test_a_model_of_texts_says_so_before_it_is_loaded(
    photo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(save_tiny_model("llama", tmp_path / "llama"))
    monkeypatch.setattr(loader, "import_module", None)  # loads nothing
    for name in ("toy", "embedded", "smollm2", folder, "a.gguf"):
        result = run("compare", "--model", name, photo, DOG)
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert f"{name} reads texts alone, and image 'photo.jpg' was given" in line


def test_what_is_no_image_is_said_before_a_model_is_loaded(
    photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "import_module", None)
    Path("half.png").write_bytes(Path(photo).read_bytes()[:600])
    for given, said in (("no.png", "No such file"), ("half.png", "truncated or damaged")):
        result = run("compare", "--model", "some/model", given, DOG)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert given in line
        assert said in line
        assert "--text compares the name as a text" in line


def test_a_matrix_of_images_and_texts(seeing: str, photo: str) -> None:
    Path("all.txt").write_text(f"{photo}\n{DOG}\ncopy.bmp\nsee missing.png\n")
    result = run("matrix", "all.txt", "--model", seeing, *SHORT, "--format", "json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["rows"] == [photo, DOG, "copy.bmp", "see missing.png"]
    assert content["distances"][0][2] == 0
    assert content["distances"][0][1] == pytest.approx(
        distance("--model", seeing, photo, DOG), abs=1e-6
    )
    as_texts = run("matrix", "all.txt", "--text", "--model", "toy", *SHORT, "--format", "json")
    assert as_texts.exit_code == 0, as_texts.output
    assert json.loads(as_texts.stdout)["distances"][0][2] > 0


def test_a_batch_with_images(seeing: str, photo: str) -> None:
    lines: list[dict[str, Any]] = [
        {"pair": [{"image": photo}, {"image": "copy.bmp"}]},
        {"text1": {"image": photo}, "text2": DOG},
        {"pair": [{"image": "no.png"}, DOG]},
        {"texts": [{"image": photo}, DOG, {"image": "other.webp"}]},
        {"pair": [{"image": 3}, DOG]},
        {"texts": [DOG, {"image": "pipe"}]},
    ]
    os.mkfifo("pipe")  # nobody writes into it: it was waited for without end
    Path("in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    result = run("batch", "in.jsonl", "out.jsonl", "--model", seeing, *SHORT)
    assert result.exit_code == 0, result.output
    same, beside, all_of = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert same["distance"] == 0
    assert beside["distance"] == pytest.approx(distance("--model", seeing, photo, DOG), abs=1e-6)
    assert all_of["distances"][0][1] == pytest.approx(beside["distance"], abs=1e-6)
    refused = [json.loads(line) for line in Path("out.jsonl.errors.jsonl").read_text().splitlines()]
    assert [one["line"] for one in refused] == [3, 5, 6]
    assert "'no.png' cannot be read: No such file" in refused[0]["reason"]
    assert 'or {"image": path}' in refused[1]["reason"]
    assert "'pipe' cannot be read: it is a pipe" in refused[2]["reason"]


def test_a_finished_batch_whose_photo_was_replaced_is_refused(seeing: str, photo: str) -> None:
    Path("in.jsonl").write_text(json.dumps({"pair": [{"image": photo}, DOG]}))
    command = ("batch", "in.jsonl", "out.jsonl", "--model", seeing, *SHORT)
    assert run(*command).exit_code == 0
    assert "is finished" in run(*command).stderr
    Path(photo).write_bytes(as_file(picture(40, 30, seed=9)))
    result = run(*command)
    assert result.exit_code == 2
    assert f"image '{photo}' changed after records with" in result.stderr
    assert (
        "delete out.jsonl, out.jsonl.errors.jsonl and out.jsonl.journal to begin" in result.stderr
    )


@pytest.mark.longer
def test_groups_and_duplicates_of_images_are_of_what_they_show(
    seeing: str, photo: str, tmp_path: Path
) -> None:
    # Other numbers in their names are no numbers of theirs; other names are no other images.
    Path("1.png").write_bytes(Path(photo).read_bytes())
    Path("2.png").write_bytes(Path(photo).read_bytes())
    (tmp_path / "lines.txt").write_text("1.png\na dog\nother.webp\n2.png\ncopy.bmp\n")
    options = (str(tmp_path / "lines.txt"), "--model", seeing, *SHORT)
    result = run("dedupe", *options, "--threshold", "1", "--json")
    assert result.exit_code == 0, result.output
    first, *others = json.loads(result.stdout)["groups"]
    assert first["text"] == "1.png"
    assert [one["text"] for one in first["duplicates"]] == ["2.png", "copy.bmp"]
    assert {one["reason"] for one in first["duplicates"]} == {"similarity"}
    assert [one["text"] for one in others] == ["a dog", "other.webp"]
    found = json.loads(run("cluster", *options, "--k", "3", "--json").stdout)
    assert found["groups"][0]["texts"] == ["1.png", "2.png", "copy.bmp"]
    words = json.loads(run("dedupe", *options, "--threshold", "1", "--json", "--text").stdout)
    assert len(words["groups"]) == 5


@pytest.mark.parametrize("command", ["matrix", "cluster", "dedupe"])
def test_paths_of_images_are_words_to_a_model_of_texts_only_where_asked(
    command: str, photo: str, tmp_path: Path
) -> None:
    (tmp_path / "lines.txt").write_text(f"{photo}\nother.webp\n")
    options = (command, str(tmp_path / "lines.txt"), "--model", "toy", *SHORT)
    result = run(*options)
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 1
    assert "toy reads texts alone" in line
    assert line.endswith("--text compares the name as a text")
    assert run(*options, "--text").exit_code == 0


UNREAD = [
    ("cmyk.tif", as_file(picture(), "TIFF")),
    ("scan.TIFF", as_file(picture(), "TIFF")),
    ("scan", as_file(picture(), "TIFF")),
    ("photo.avif", b"\0\0\0\x1cftypavif"),
    ("photo", b"\0\0\0\x18ftypheic"),
    ("a drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ("photo.heic", b""),
    ("empty.png", b""),
]


@pytest.mark.parametrize(("name", "data"), UNREAD, ids=[name for name, _ in UNREAD])
@pytest.mark.parametrize("command", ["compare", "explain", "matrix", "cluster", "dedupe"])
def test_a_picture_in_a_format_that_is_not_read_is_refused(
    command: str, name: str, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loader, "import_module", None)
    Path(name).write_bytes(data)
    Path("lines.txt").write_text(f"{DOG}\n{name}\n")
    given = (name, DOG) if command in ("compare", "explain") else ("lines.txt",)
    result = run(command, *given, "--model", "some/model")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert f"image '{name}' is none of PNG, JPEG, WEBP, GIF, BMP" in line
    assert line.endswith("convert it to PNG; --text compares the name as a text")


@pytest.mark.parametrize("command", ["matrix", "cluster", "dedupe"])
@pytest.mark.parametrize("name", ["nothere.png", "nothere.tif"])
def test_a_line_named_as_an_image_that_is_not_there_is_a_word_to_models_of_texts_alone(
    command: str, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "lines.txt"
    path.write_text(f"{DOG}\n{name}\n")
    result = run(command, str(path), "--model", "some/model")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert f"image '{name}' cannot be read: No such file" in line
    assert line.endswith("--text compares the name as a text")
    assert run(command, str(path), "--model", "toy", *SHORT).exit_code == 0


def test_a_server_is_asked_whether_it_reads_images(
    photo: str, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_commands, "open_model", lambda _: load(server=SeeingServer()))
    for name in ("http://127.0.0.1:1", "vllm:some/model"):
        assert distance("--model", name, photo, DOG) > 0


@pytest.mark.parametrize(
    "command",
    [
        ("embed", "{}"),
        ("consensus", "{}"),
        ("matrix", "{}", "--above", "0", "--out", "pairs.csv"),
        ("index", "build", "{}", "--out", "found"),
    ],
    ids=lambda command: command[0],
)
def test_where_paths_of_images_are_read_as_words_it_is_said(
    command: tuple[str, ...], photo: str, tmp_path: Path
) -> None:
    if command[0] == "index":
        pytest.importorskip("faiss")
    Path("scan.tif").write_bytes(as_file(picture(), "TIFF"))
    (tmp_path / "lines.txt").write_text(f"{photo}\nno.png\na dog\nscan.tif\n")
    result = run(*(part.format("lines.txt") for part in command), "--model", "embedded")
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stderr.splitlines() if "paths of images" in line]
    assert line.startswith("warning: 2 of 4 texts are paths of images, such as 'photo.jpg'")
