"""The printed table: every figure whole, at any width of the terminal."""

from typing import Any

import pytest

from eval.tables import print_gaps, print_results
from similarity.cli import tables

METHODS = ("trajectories, implies", "last token, whitened")
TASKS = ("stsb-test", *(f"sts{year}-test" for year in range(12, 17)), "sick-r-test")
FIGURE = {"value": -11.04, "low": -14.02, "high": -7.96}


def results(tasks: tuple[str, ...] = TASKS, **figure: float | None) -> dict[str, Any]:
    found = FIGURE | figure
    difference = {"value": -3.1, "low": -5.2, "high": -1.3}
    behind = {"best": METHODS[0], "all": {METHODS[1]: difference}}
    subsets = {"": {"pairs": 60, "spearman": found["value"]}}
    spearman = {"all": found, "mean": found, "subsets": subsets}
    of_task = {
        "behind": behind,
        "pairs": 60,
        "methods": {method: {"spearman": spearman} for method in METHODS},
    }
    averages = {method: found | {"spearman": found["value"]} for method in METHODS}
    return {
        "fingerprint": {"id": "073455dec0bf3739"},
        "tasks": dict.fromkeys(tasks, of_task),
        "methods": dict.fromkeys(METHODS),
        "averages": averages if tasks == TASKS else {},
        "average_behind": behind,
        "resamples": 0 if found["low"] is None else 1000,
        "left_out": {"mean token": "no hidden states"},
    }


def printed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    width: int,
    content: dict[str, Any],
) -> str:
    monkeypatch.setattr(tables, "PIPE_WIDTH", width)
    print_results(content)
    return capsys.readouterr().out


@pytest.mark.parametrize(("width", "intervals"), [(70, 0), (80, 0), (100, 0), (130, 1), (200, 1)])
def test_no_figure_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, intervals: int
) -> None:
    text = printed(monkeypatch, capsys, width, results())
    cells = len(METHODS) * (len(TASKS) + 1)
    assert text.count("-11.0") == cells
    assert text.count("-14.0…-8.0") == cells * intervals
    assert all(task.removesuffix("-test") in text for task in TASKS)


def test_one_task_has_its_interval_on_any_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(monkeypatch, capsys, 80, results(("stsb-dev",)))
    assert text.count("-14.0…-8.0") == len(METHODS)
    assert "average" not in text


def test_names_are_shown_as_they_are_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`:id:` became a picture, and a tag that ends nothing ended the command."""
    name = "[/x]:id:[u]y"
    text = printed(monkeypatch, capsys, 200, results((name,)))
    assert text.count(name) == 2
    monkeypatch.setattr("tests.eval.test_tables.METHODS", (name, METHODS[1]))
    assert printed(monkeypatch, capsys, 200, results()).count(name) == 2


def test_no_interval_where_none_was_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "…" not in printed(monkeypatch, capsys, 200, results(low=None, high=None))


def test_gaps_have_their_reasons_apart_from_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_gaps(results())
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "left out: mean token: no hidden states\n"


def test_one_task_shows_how_far_methods_are_behind_the_best(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(monkeypatch, capsys, 80, results(("lab.csv",)))
    assert "lab.csv: behind trajectories, implies" in text
    assert "-5.2 to -1.3" in text
    assert "behind" not in printed(monkeypatch, capsys, 80, results(("a.csv", "b.csv")))


def test_the_average_shows_how_far_methods_are_behind_the_best(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(monkeypatch, capsys, 80, results())
    assert text.count("behind") == 1
    assert "average: behind trajectories, implies" in text


def test_a_part_of_a_set_is_marked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = results(("lab.csv", "other.csv"))
    assert "only" not in printed(monkeypatch, capsys, 200, content)
    for whole, said in ((60, False), (61, True)):
        content["tasks"]["lab.csv"] = content["tasks"]["lab.csv"] | {"whole": whole}
        text = printed(monkeypatch, capsys, 200, content)
        assert ("only 60 of the 61 pairs of lab.csv" in text) == said


def test_methods_that_equal_the_best_are_named_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of them was called the best."""
    content = results(("lab.csv",))
    content["tasks"]["lab.csv"]["behind"]["all"][METHODS[1]] = {"value": 0.0, "low": 0, "high": 0}
    text = printed(monkeypatch, capsys, 200, content)
    title = "lab.csv: behind trajectories, implies, last token, whitened"
    assert title in " ".join(text.split())
