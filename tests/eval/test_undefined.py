"""Correlations that are not defined: a method gave all pairs one score."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

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
    "undefined; it counts as 0 in means and differences",
    "two.csv": "meaning gives all pairs of two.csv, same, one score, so that their correlation is "
    "undefined; it counts as 0 in means",
}


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
    reported = CliRunner().invoke(main, ["eval", "report", "run", "--no-figures"])
    assert reported.exit_code == 0, reported.output
    (report,) = (path.read_text() for path in Path().rglob("report.md"))
    said = SAID.get(name)
    assert [line for line in result.stdout.splitlines() if line.startswith("undefined: ")] == (
        [f"undefined: {said}"] if said else []
    )
    assert (f"* run: {said}." in report) == bool(said)
    shown = next(line for line in report.splitlines() if line.startswith("| **meaning**"))
    assert (shown == "| **meaning** | – |") == (name == "one.csv")
    found = json.loads(Path("run/results.json").read_text())["tasks"][name]["methods"]["meaning"]
    assert (found["pearson"]["all"] is None) == (name == "one.csv")
