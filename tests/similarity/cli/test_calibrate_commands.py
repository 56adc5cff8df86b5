import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.known_scales import find_calibration
from similarity.models.toy import ToyModel
from similarity.scorers import open_scorer
from tests.tiny_models import save_tiny_model

OPTIONS = ("--model", "toy", "-m", "4")
TEXTS = ("a red car", "the sea")
PAIRS = "text1,text2,score\nthe sea,the sea,5\nthe sea,a red car,1\nthe sea,my boat,3\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def compared(*more: str) -> dict[str, Any]:
    result = run("compare", *TEXTS, *OPTIONS, "--json", *more)
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def test_a_scale_without_labels(cache: Path) -> None:
    assert (compared()["calibrated"], compared()["scale"]) == (False, "none")
    assert "(uncalibrated)" in run("compare", *TEXTS, *OPTIONS).stdout
    result = run("calibrate", *OPTIONS, "-n", "2", "--sentences", "7")
    assert result.exit_code == 0, result.output
    assert "similarity 1 at distance 0 (a text and itself), 0 at" in result.stdout
    assert "(the median of 7 unrelated pairs)" in result.stdout
    (path,) = (cache / "calibrations").iterdir()
    assert result.stderr.splitlines()[-3:] == [
        "in force now for toy, preset paper, max_tokens 4: your scale of general text",
        f"kept in {path}",
        f"to forget it: trajsim scales forget {path.stem}",
    ]
    found = find_calibration(ToyModel(), ComparisonConfig.build(max_tokens=4))
    assert found is not None
    # Of another number of trajectories and another seed, too.
    for more in ((), ("-n", "3"), ("--seed", "5"), ("--interval", "0.9")):
        content = compared(*more)
        assert (content["calibrated"], content["scale"]) == (True, "general text")
        assert content["similarity"] == found.similarity(content["distance"])
    assert (
        "(calibrated on general text, by a scale of yours)"
        in run("compare", *TEXTS, *OPTIONS).stdout
    )
    assert compared("--distance", "hellinger")["scale"] == "none"


def test_a_scale_of_judgements(cache: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "mine.csv"
    pairs.write_text(PAIRS, encoding="utf-8")
    result = run("calibrate", *OPTIONS, "--pairs", str(pairs))
    assert result.exit_code == 0, result.output
    assert result.stdout == "fitted to 3 judged pairs\n"
    assert compared()["scale"] == "judgements"
    assert compared()["similarity"] == pytest.approx(0.2)
    assert "warning: 3 judged pairs make a rough scale; judge 100 or more" in result.stderr
    # The one that was fitted last is used, whatever it was fitted to.
    again = run("calibrate", *OPTIONS, "--sentences", "3")
    assert f"replaces your scale of judgements, fitted {date.today().isoformat()}" in again.stderr
    assert compared()["scale"] == "general text"


def test_a_hundred_judged_pairs_are_no_few(cache: Path, tmp_path: Path) -> None:
    rows = [f"{letter}{number},b{number},{number % 6}" for number in range(50) for letter in "ac"]
    for count in (99, 100):
        pairs = tmp_path / f"{count}.csv"
        pairs.write_text("\n".join(["text1,text2,score", *rows[:count]]), encoding="utf-8")
        result = run("calibrate", *OPTIONS, "-n", "1", "--pairs", str(pairs))
        assert result.exit_code == 0, result.output
        assert ("make a rough scale" in result.stderr) == (count < 100)


def test_a_scale_of_own_texts(cache: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("the sea\na red car\nmy boat\nmy boat\n", encoding="utf-8")
    result = run("calibrate", *OPTIONS, "-n", "2", "--texts", str(mine))
    assert result.exit_code == 0, result.output
    assert "(the median of 3 random pairs of your texts)" in result.stdout
    (path,) = (cache / "calibrations").iterdir()
    (kept,) = json.loads(path.read_text(encoding="utf-8"))
    assert kept["fitted_on"]["own texts"]["texts"] == 3
    assert len(kept["fitted_on"]["own texts"]["sha256"]) == 16
    assert (compared()["calibrated"], compared()["scale"]) == (True, "own texts")
    assert (
        "(calibrated on own texts, by a scale of yours)" in run("compare", *TEXTS, *OPTIONS).stdout
    )
    # A column of a table, or a folder, are the same texts in another order.
    table = tmp_path / "mine.csv"
    table.write_text("id,said\n1,my boat\n2,a red car\n3,the sea\n", encoding="utf-8")
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, text in enumerate(("my boat", "the sea", "a red car")):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    for given in ((str(table), "--columns", "said"), (str(folder),)):
        again = run("calibrate", *OPTIONS, "-n", "2", "--texts", *given)
        assert again.stdout == result.stdout, again.output
        assert json.loads(path.read_text(encoding="utf-8")) == [kept]


@pytest.mark.longer
def test_ones_own_goes_before_what_ships_until_it_is_forgotten(cache: Path) -> None:
    embedded = ("--model", "embedded", "--preset", "paper")
    pair = ("compare", *TEXTS, *embedded)
    assert "(calibrated)" in run(*pair).stdout
    result = run("calibrate", *embedded, "--sentences", "3")
    assert result.exit_code == 0, result.output
    (path,) = (cache / "calibrations").iterdir()
    assert "your scale of general text\n" in result.stderr
    assert "goes before the scale of judgements that ships\n" in result.stderr
    assert "(calibrated on general text, by a scale of yours)" in run(*pair).stdout
    assert run("scales", "forget", path.stem).exit_code == 0
    assert "(calibrated)" in run(*pair).stdout


def test_a_file_that_is_named_goes_before_all(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("calibrate", *OPTIONS, "-n", "2", "--sentences", "3").exit_code == 0
    (path,) = (cache / "calibrations").iterdir()
    monkeypatch.setenv("TRAJSIM_CALIBRATION", str(path.rename(tmp_path / "named.json")))
    pairs = tmp_path / "mine.csv"
    pairs.write_text(PAIRS, encoding="utf-8")
    result = run("calibrate", *OPTIONS, "-n", "2", "--pairs", str(pairs))
    assert "the scale of general text in the file that TRAJSIM_CALIBRATION names" in result.stderr
    assert "unset it to use yours" in result.stderr
    assert compared()["scale"] == "general text"
    # Also where it says of itself no more than a run's own scale does.
    ((content,), named) = (json.loads((tmp_path / "named.json").read_text()), "named.json")
    del content["kept"], content["digest"]
    (tmp_path / named).write_text(json.dumps([content]), encoding="utf-8")
    said = run("compare", *TEXTS, *OPTIONS, "-n", "2").stdout
    assert "(calibrated on general text, by a scale of yours)" in said
    monkeypatch.delenv("TRAJSIM_CALIBRATION")
    assert compared()["scale"] == "judgements"


def test_matrices_and_batches_name_the_scale(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text1,text2\na red car,the sea\n", encoding="utf-8")
    (tmp_path / "texts").write_text("a red car\nthe sea\n", encoding="utf-8")
    assert (
        run("batch", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), *OPTIONS).exit_code == 0
    )
    header, row = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    named = dict(zip(header.split(","), row.split(","), strict=True))
    assert (named["calibrated"], named["scale"]) == ("False", "none")
    table = run("matrix", str(tmp_path / "texts"), "--format", "table", *OPTIONS)
    assert "uncalibrated; model toy" in table.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pairs", "FOLDER"), "trajsim eval calibrate RUN --keep"),
        (("--pairs", "none.csv"), "cannot read none.csv"),
        (("--pairs", "none.csv", "--sentences", "5"), "leave it or --pairs out"),
        (("--pairs", "none.csv", "--texts", "none.txt"), "leave one of them out"),
        (("--texts", "none.txt"), "cannot read none.txt"),
        (("--texts", "ONE"), "two different texts or more, and there is one; give more texts"),
        (("--sentences", "1000"), "sentences must be between 2 and 401, got 1000"),
    ],
)
def test_what_is_refused(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "one.txt").write_text("a\na\n", encoding="utf-8")
    named = {"FOLDER": str(tmp_path), "ONE": str(tmp_path / "one.txt")}
    given = [named.get(name, name) for name in arguments]
    result = run("calibrate", *OPTIONS, *given)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("content", [b"", b"[{", b"\x94", b"[7]", b"[]", None])
@pytest.mark.parametrize("more", [("-n", "2", "-m", "4"), ("--preset", "fast")])
@pytest.mark.parametrize("by", ["calibrate", "forget"])
def test_what_helps_against_a_damaged_scale_does(
    content: bytes | None, more: tuple[str, ...], by: str, cache: Path
) -> None:
    options = ("--model", "toy", *more)
    fit = ("calibrate", *options, "--sentences", "7")
    assert run(*fit).exit_code == 0
    (path,) = (cache / "calibrations").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    refused = run("compare", *TEXTS, *options)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
    assert f"{path} is no file of scales" in refused.stderr
    assert "; fit it anew by `trajsim calibrate` with the same options, or" in refused.stderr
    remedy = f"trajsim scales forget {path.stem}"
    assert refused.stderr.endswith(f"forget it: {remedy}\n")
    mended = run(*(fit if by == "calibrate" else remedy.split()[1:]))
    assert mended.exit_code == 0, mended.output
    assert ("replaces" if by == "calibrate" else "forgot") + f" the damaged {path}" in mended.stderr
    scale = "calibrated on general text" if by == "calibrate" else "uncalibrated"
    assert f"({scale}" in run("compare", *TEXTS, *options).stdout


@pytest.mark.parametrize("content", [b"text1,text2,score\na,b,1\n", b"[]", None])
def test_no_file_of_the_users_own_is_to_be_deleted(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What TRAJSIM_CALIBRATION names may be anything, and what lies beside a model is its own."""
    path = tmp_path / "judged.csv"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("TRAJSIM_CALIBRATION", str(path))
    refused = run("compare", *TEXTS, *OPTIONS)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
    assert str(path) in refused.stderr
    assert "wrote by TRAJSIM_CALIBRATION, or unset it" in refused.stderr
    assert "delete" not in refused.stderr
    monkeypatch.delenv("TRAJSIM_CALIBRATION")
    model = save_tiny_model("gpt2", tmp_path / "model")
    (model / "calibration.json").write_bytes(content or b"")
    refused = run("compare", *TEXTS, "-n", "2", "-m", "2", "--model", str(model))
    assert refused.exit_code == 2, refused.output
    assert "it belongs to the model: put" in refused.stderr
    assert "delete" not in refused.stderr


@pytest.mark.parametrize("turned", [False, True])
def test_judgements_that_are_distances_or_on_another_scale(tmp_path: Path, turned: bool) -> None:
    texts = [" ".join(["the sea"] * (i % 3) + ["a dog"] * i) + "." for i in range(1, 21)]
    scores = open_scorer(ToyModel()).score([(texts[0], text) for text in texts])
    file = tmp_path / "pairs.csv"
    rows = [
        f"{texts[0]},{text},{s.distance if turned else max(0, 1 - s.distance)}"
        for text, s in zip(texts, scores, strict=True)
    ]
    file.write_text("text1,text2,score\n" + "\n".join(rows) + "\n")
    result = run("calibrate", "--model", "toy", "--pairs", str(file))
    if turned:
        assert result.exit_code == 2
        assert "where they are distances, turn them round" in " ".join(result.stderr.split())
    else:
        assert result.exit_code == 0, result.output
        assert "a small part of the scale from 0 to 5" in result.stderr
        assert "--scale 0 1" in result.stderr


def test_a_scale_that_says_little_is_warned_of(tmp_path: Path) -> None:
    noise = tmp_path / "noise.csv"
    rows = [f"a text {i},another text {i * 7 % 11},{i * 5 % 6}" for i in range(24)]
    noise.write_text("\n".join(("text1,text2,score", *rows)) + "\n")
    result = run("calibrate", *OPTIONS, "-n", "2", "--pairs", str(noise))
    assert result.exit_code == 0, result.output
    assert "which may be chance" in result.stderr
    texts = tmp_path / "two.txt"
    texts.write_text("a red car\nthe sea\n")
    result = run("calibrate", *OPTIONS, "-n", "2", "--texts", str(texts))
    assert result.exit_code == 0, result.output
    assert "the median of 2 random pairs makes a rough scale" in result.stderr


def test_a_place_that_cannot_be_written_is_found_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All texts were read first."""
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path))
    (tmp_path / "calibrations").write_text("no folder")
    monkeypatch.setattr("similarity.cli.calibrate_commands.open_model", None)
    refused = CliRunner().invoke(main, ["calibrate", "--model", "toy", "--preset", "fast"])
    assert refused.exit_code == 2, refused.output
    assert f"cannot write to {tmp_path / 'calibrations'}: " in refused.stderr
