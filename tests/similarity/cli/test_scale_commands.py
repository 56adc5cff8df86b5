import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from similarity.cli.main import main

OPTIONS = ("--model", "toy", "-n", "2", "-m", "4", "--sentences", "3")


def today() -> str:
    """Return the date as the library writes it; when a test begins it may be yesterday's."""
    return date.today().isoformat()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "calibrations"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def names(cache: Path) -> list[str]:
    return sorted(path.stem for path in cache.iterdir())


def test_without_a_scale() -> None:
    result = run("scales", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "you keep no scale: trajsim calibrate fits one\n"
    assert json.loads(run("scales", "list", "--json").stdout) == {"scales": []}
    assert run("scales", "forget").exit_code == 2


def test_they_are_listed_by_what_a_person_knows_them_by(cache: Path) -> None:
    assert run("calibrate", *OPTIONS).exit_code == 0
    (name,) = names(cache)
    (listed,) = json.loads(run("scales", "list", "--json").stdout)["scales"]
    assert listed == {
        "name": name,
        "path": str(cache / f"{name}.json"),
        "model": "toy",
        "compares": "preset paper, max_tokens 4",
        "date": today(),
        "scale": "general text",
        "fitted_to": "3 texts",
    }
    header, row = run("scales", "list").stdout.splitlines()
    assert header.split() == ["name", "model", "compares", "by", "scale", "fitted", "to", "date"]
    for value in (name, "toy", "preset paper, max_tokens 4", "general text", "3 texts", today()):
        assert value in row


def test_vectors_of_ones_own_are_named_by_their_folder(tmp_path: Path, cache: Path) -> None:
    texts = tmp_path / "texts.txt"
    lines = [f"the {one} {other} is here" for one in ("red", "old", "far") for other in "abcd"]
    texts.write_text("\n".join(lines), encoding="utf-8")
    folder = str(tmp_path / "mine")
    assert run("fit", "--corpus", str(texts), "--out", folder, "--model", "toy").exit_code == 0
    judged = tmp_path / "judged.csv"
    judged.write_text("text1,text2,score\na b,a b,5\na b,c d,1\n", encoding="utf-8")
    given = ("calibrate", "--model", "toy", "--vectors", folder, "--pairs", str(judged))
    result = run(*given, "--preset", "fast")
    assert result.exit_code == 0, result.output
    assert f"in force now for toy, preset fast, vectors {folder}: your scale of" in result.stderr
    (listed,) = json.loads(run("scales", "list", "--json").stdout)["scales"]
    assert listed["compares"] == f"preset fast, vectors {folder}"
    assert listed["fitted_to"] == "2 judged pairs of judged.csv"
    # A scale is of one preset.
    assert run(*given, "--preset", "meaning").exit_code == 0
    assert len(names(cache)) == 2


def test_one_is_forgotten_by_its_name(cache: Path) -> None:
    assert run("calibrate", *OPTIONS).exit_code == 0
    assert run("calibrate", *OPTIONS, "--distance", "l2").exit_code == 0
    first, second = names(cache)
    listed = json.loads(run("scales", "list", "--json").stdout)["scales"]
    result = run("scales", "forget", first)
    assert result.exit_code == 0, result.output
    (compares,) = (one["compares"] for one in listed if one["name"] == first)
    assert (
        result.stderr
        == f"forgot your scale of general text, fitted {today()}, of toy, {compares}\n"
    )
    assert names(cache) == [second]
    gone = run("scales", "forget", first)
    assert gone.exit_code == 2
    assert f"there is no scale {first!r}; there are {second}" in gone.stderr


def test_a_damaged_one_and_one_of_earlier_are_listed_and_forgotten(cache: Path) -> None:
    assert run("calibrate", *OPTIONS).exit_code == 0
    assert run("calibrate", *OPTIONS, "--distance", "l2").exit_code == 0
    damaged, earlier = (cache / f"{name}.json" for name in names(cache))
    damaged.write_text("[")
    content = json.loads(earlier.read_text(encoding="utf-8"))
    del content[0]["kept"], content[0]["digest"]
    earlier.write_text(json.dumps(content), encoding="utf-8")
    listed = json.loads(run("scales", "list", "--json").stdout)["scales"]
    assert [(one["name"], one["scale"], one["model"]) for one in listed] == [
        (damaged.stem, None, None),
        (earlier.stem, "general text", None),
    ]
    _, first, second = run("scales", "list").stdout.splitlines()
    assert "damaged" in first
    assert "not known" in second
    result = run("scales", "forget", damaged.stem, earlier.stem, earlier.stem)
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == [
        f"forgot the damaged {damaged}",
        "forgot your scale of general text",
    ]
    assert names(cache) == []


def judged(path: Path) -> str:
    """Write 40 judged pairs: half of them of one text, and half of two."""
    rows = [
        f"the cat {i},the cat {i},5" if i % 2 else f"the cat {i},blue zebra{i} sings,1"
        for i in range(40)
    ]
    path.write_text("text1,text2,score\n" + "\n".join(rows), encoding="utf-8")
    return str(path)


def test_a_scale_is_checked_by_judged_pairs(tmp_path: Path) -> None:
    command = ("scales", "check", judged(tmp_path / "judged.csv"), *OPTIONS[:-2])
    found = json.loads(run(*command, "--json").stdout)
    assert found["scale"] == "none"
    assert [one["pairs"] for one in found["bins"]] == [10] * 4
    similarities = [one["similarity"] for one in found["bins"]]
    assert similarities == sorted(similarities)
    assert 0 <= found["gap_by_chance"] < found["mean_gap"] < 1
    printed = run(*command).stdout
    first = found["bins"][0]
    for number in (first["similarity"], 5 * first["similarity"], 5 * first["judged"]):
        assert f"{number:.2f}" in printed
    assert f"mean gap {found['mean_gap']:.2f}, where 1 is the whole scale" in printed
    assert "uncalibrated" in printed


def test_a_scale_that_was_fitted_to_the_pairs_has_less_of_a_gap(tmp_path: Path) -> None:
    pairs = judged(tmp_path / "judged.csv")
    check = ("scales", "check", pairs, *OPTIONS[:-2], "--json")
    before = json.loads(run(*check).stdout)
    assert run("calibrate", "--pairs", pairs, *OPTIONS[:-2]).exit_code == 0
    after = json.loads(run(*check).stdout)
    assert (before["scale"], after["scale"]) == ("none", "judgements")
    assert after["mean_gap"] < before["mean_gap"]
    assert after["mean_gap"] < 0.02


def test_judgements_beyond_the_scale_are_refused(tmp_path: Path) -> None:
    command = ("scales", "check", judged(tmp_path / "judged.csv"), *OPTIONS[:-2])
    result = run(*command, "--scale", "0", "4")
    assert result.exit_code == 2
    assert "the judgements are from 1 to 5, and the scale from 0 to 4; give another --scale" in (
        result.stderr
    )


def test_a_score_says_that_its_scale_is_ones_own(tmp_path: Path) -> None:
    pair = ("a cat", "a dog", *OPTIONS[:-2])
    assert "(uncalibrated)" in run("compare", *pair).stdout
    assert run("calibrate", *OPTIONS).exit_code == 0
    assert "(calibrated on general text, by a scale of yours)" in run("compare", *pair).stdout
    pairs = judged(tmp_path / "judged.csv")
    assert run("calibrate", "--pairs", pairs, *OPTIONS[:-2]).exit_code == 0
    assert "(calibrated, by a scale of yours)" in run("explain", *pair).stdout
    assert "calibrated, by a scale of yours;" in run("scales", "check", pairs, *OPTIONS[:-2]).stdout
    # One that ships is nobody's own.
    assert (
        "(calibrated)"
        in run("compare", "a", "b", "--model", "embedded", "--preset", "paper").stdout
    )
