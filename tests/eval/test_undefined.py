"""Correlations and intervals that are not defined, and where that is said."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from similarity.cli.main import main

SETS = {
    # Each text beside itself: all distances are 0.
    "one.csv": [(i % 6, f"Item {i}.", f"Item {i}.", "a") for i in range(40)],
    # One subset of such pairs beside one of others.
    "two.csv": [
        *((i % 6, f"Item {i}.", f"Item {i}.", "same") for i in range(20)),
        *((i % 6, f"Item {i}.", f"A dog runs {i} miles.", "other") for i in range(20)),
    ],
    "none.csv": [(i % 6, f"Item {i}.", f"A dog runs {i} miles.", "a") for i in range(20)],
}
SAID = {
    "one.csv": "meaning gives all pairs of one.csv one score, so that their correlation is "
    "undefined; it counts as 0 in means and differences, which have no interval",
    "two.csv": "meaning gives all pairs of two.csv, same, one score, so that their correlation is "
    "undefined; it counts as 0 in means, which have no interval",
}


def said_of(result: Result) -> list[str]:
    lines = result.stderr.splitlines()
    return [line.removeprefix("undefined: ") for line in lines if line.startswith("undefined: ")]


@pytest.mark.parametrize("name", SETS)
def test_it_is_said_and_not_shown_as_0(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table and the report had 0.0 [0.0, 0.0], and subsets counted as 0 without a word."""
    monkeypatch.chdir(tmp_path)
    with Path(name).open("w", newline="") as file:
        csv.writer(file).writerows([("score", "text1", "text2", "subset"), *SETS[name]])
    command = ["eval", "sts", "--data", ".", "--tasks", name, "--model", "toy", "--out", "run"]
    command += ["--columns", "score,text1,text2,subset", "--method", "meaning"]
    result = CliRunner().invoke(main, [*command, "--no-trajectories", "--no-baselines"])
    assert result.exit_code == 0, result.output
    # With figures: a subset without a correlation has no point there.
    reported = CliRunner().invoke(main, ["eval", "report", "run"])
    assert reported.exit_code == 0, reported.output
    (report,) = (path.read_text() for path in Path().rglob("report.md"))
    said = SAID.get(name)
    assert said_of(result) == ([said] if said else [])
    assert (f"* run: {said}." in report) == bool(said)
    shown = next(line for line in report.splitlines() if line.startswith("| **meaning**"))
    assert (shown == "| **meaning** | – |") == (name == "one.csv")
    found = json.loads(Path("run/results.json").read_text())["tasks"][name]["methods"]["meaning"]
    assert (found["pearson"]["all"] is None) == (name == "one.csv")


def pairs(subset: str, judgements: Sequence[int]) -> list[tuple[int, str, str, str]]:
    words = ["dog", "cat", "bird", "sun", "train", "sea"]
    return [
        (judgement, f"A {words[i % 6]} {subset} {i}.", f"The {words[(i * 5 + 1) % 6]}.", subset)
        for i, judgement in enumerate(judgements)
    ]


def evaluated(tmp_path: Path, rows: Sequence[tuple[object, ...]], *more: str) -> Result:
    """Return what `eval sts` gave for these rows, in the folder `run`."""
    with (tmp_path / "own.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("score", "sentence1", "sentence2", "subset"), *rows])
    command = ["eval", "sts", "--data", str(tmp_path), "--tasks", "own.csv", "--model", "toy"]
    command += ["--out", str(tmp_path / "run"), "--no-trajectories", *more]
    result = CliRunner().invoke(main, [*command, "--no-baselines", "--method", "meaning"])
    assert result.exit_code == 0, result.output
    return result


def report_of(folder: Path) -> str:
    reported = CliRunner().invoke(main, ["eval", "report", str(folder), "--no-figures"])
    assert reported.exit_code == 0, reported.output
    return (folder / "report" / "report.md").read_text()


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_subset_without_a_correlation_is_named(more: Sequence[str], tmp_path: Path) -> None:
    """It was left out of means and tables without a word."""
    rows = [
        *pairs("news", [0, 1, 2, 3, 4, 5]),
        *pairs("forums", [5, 3, 1, 0, 2, 4]),
        *pairs("lonely", [2]),
        *pairs("flat", [3, 3, 3]),
        *pairs("", [1]),
    ]
    said = (
        '3 of the 5 subsets of own.csv have no correlation: lonely, "" (one pair); flat (all '
        "judgements 3); mean and wmean are over 2"
    )
    assert said_of(evaluated(tmp_path, rows, *more)) == [said]
    task = json.loads((tmp_path / "run" / "results.json").read_text())["tasks"]["own.csv"]
    reasons = {"lonely": "one pair", "flat": "all judgements 3", "": "one pair"}
    assert task["subsets_left_out"] == reasons
    found = task["methods"]["meaning"]["spearman"]
    assert list(found["subsets"]) == ["news", "forums"]
    assert found["mean"]["value"] == pytest.approx(
        (found["subsets"]["news"]["spearman"] + found["subsets"]["forums"]["spearman"]) / 2
    )
    report = report_of(tmp_path / "run")
    assert f"* run: {said}." in report
    assert report.count("Subsets that it is over: 2 of the 5 of own.csv.") == 2


def test_where_no_subset_has_a_correlation_means_are_of_all_pairs(tmp_path: Path) -> None:
    rows = [pair for i in range(13) for pair in pairs(f"s{i}", [i % 6])]
    result = evaluated(tmp_path, rows)
    assert said_of(result) == [
        "13 of the 13 subsets of own.csv have no correlation: s0, s1, s2, s3, s4, s5, s6, s7, s8, "
        "s9 and 3 more (one pair); mean and wmean are of all pairs together"
    ]
    task = json.loads((tmp_path / "run" / "results.json").read_text())["tasks"]["own.csv"]
    found = task["methods"]["meaning"]["spearman"]
    # One after the other they would be drawn the same in each resample.
    assert found["all"]["low"] < found["all"]["value"] < found["all"]["high"]
    assert found["mean"] == found["all"]
    assert "summed up otherwise" not in report_of(tmp_path / "run")


def test_fewer_than_five_pairs_have_no_interval(tmp_path: Path) -> None:
    """Two pairs had one."""
    rows = pairs("", [0, 3, 1, 5])
    result = evaluated(tmp_path, rows, "--method", "fast")
    said = "own.csv has 4 pairs, too few for an interval"
    assert said_of(result) == [said]
    assert "…" not in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["–"] in lines
    assert any(line[:1] == ["fast"] and line[-1:] == ["–"] for line in lines)
    report = report_of(tmp_path / "run")
    assert f"* run: {said}." in report
    assert " [–] |" in report
    of_five = pairs("", [0, 3, 1, 5, 2])
    (tmp_path / "more").mkdir()
    assert said_of(evaluated(tmp_path / "more", of_five)) == []
    (tmp_path / "none").mkdir()
    assert said_of(evaluated(tmp_path / "none", rows, "--resamples", "0")) == []


def test_means_over_small_subsets_have_no_interval(tmp_path: Path) -> None:
    rows = [*pairs("news", [0, 1, 2, 3, 4, 5]), *pairs("forums", [5, 3, 1, 0])]
    assert said_of(evaluated(tmp_path, rows)) == [
        "subsets of own.csv have too few pairs for an interval of mean and wmean"
    ]


@pytest.mark.parametrize(("others", "interval"), [(3, True), (2, False)])
def test_resamples_of_one_judgement_have_no_correlation(
    others: int, interval: bool, tmp_path: Path
) -> None:
    """They counted as a correlation of 0, so that intervals began there."""
    rows = pairs("", [5] * others + [0] * 36)
    rows[:others] = [(5, "The same.", "The same.", "")] * others
    result = evaluated(tmp_path, rows, "--method", "fast")
    task = json.loads((tmp_path / "run" / "results.json").read_text())["tasks"]["own.csv"]
    for found in task["methods"].values():
        for name in ("all", "mean", "wmean"):
            low, value = (found["spearman"][name][of] for of in ("low", "value"))
            assert (low is not None and 0.3 * value < low <= value) == interval
    ((difference),) = task["behind"]["all"].values()
    assert (difference["low"] is not None) == interval
    said = (
        "more than 5 % of the resamples of own.csv have one judgement or one score by fast, "
        "meaning, so that there is no interval"
    )
    assert said_of(result) == ([] if interval else [said])
    assert (" [–] |" in report_of(tmp_path / "run")) == (not interval)


def test_means_of_resamples_with_a_subset_of_one_judgement(tmp_path: Path) -> None:
    rows = [*pairs("news", [0, 0, 0, 0, 0, 5]), *pairs("forums", [5, 3, 1, 0, 2, 4])]
    assert said_of(evaluated(tmp_path, rows)) == [
        "more than 5 % of the resamples of own.csv have a subset of one judgement or one score by "
        "meaning, so that there is no interval of mean and wmean"
    ]
    task = json.loads((tmp_path / "run" / "results.json").read_text())["tasks"]["own.csv"]
    found = task["methods"]["meaning"]["spearman"]
    assert found["all"]["low"] < found["all"]["high"]


def test_results_of_earlier_releases_are_read(tmp_path: Path) -> None:
    rows = [*pairs("news", [0, 1, 2, 3, 4, 5]), *pairs("lonely", [1])]
    evaluated(tmp_path, rows)
    path = tmp_path / "run" / "results.json"
    content = json.loads(path.read_text())
    del content["digest"], content["tasks"]["own.csv"]["subsets_left_out"]
    path.write_text(json.dumps(content))
    assert "## Undefined" not in report_of(tmp_path / "run")
    assert "| own.csv | lonely" not in report_of(tmp_path / "run")
    # The same command goes on with it, and says what the older one did not.
    assert len(said_of(evaluated(tmp_path, rows))) == 1
    assert "1 of the 2 subsets of own.csv" in report_of(tmp_path / "run")
