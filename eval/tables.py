"""Results of a run as a table for a person to read."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from eval.parts import part_in_words
from eval.runs import best_of
from eval.undefined import is_undefined, undefined
from similarity.cli.notes import note
from similarity.cli.tables import console, one_line

_NONE = "–"


def print_results(results: Mapping[str, Any]) -> None:
    """Print Spearman's correlation of all pairs of each task.

    Intervals are left out where the terminal is too narrow for them.
    """
    page = console()
    table = _table(results, intervals=True)
    unbounded = page.options.update(width=sys.maxsize)
    if page.measure(table, options=unbounded).maximum > page.width:
        table = _table(results, intervals=False)
    page.print(table)
    if results["resamples"]:
        for name, behind in _compared(results):
            page.print(_behind(name, behind))


def print_gaps(results: Mapping[str, Any]) -> None:
    """Print the reasons for gaps in the results to standard error, a line each."""
    for sentence in undefined(results):
        note(f"undefined: {sentence}")
    for method, reason in results["left_out"].items():
        note(f"left out: {method}: {reason}")


def _compared(results: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield how far methods are behind on average, or in a task alone; the report has all tasks."""
    if len(results["tasks"]) == 1:
        ((task, content),) = results["tasks"].items()
        found = {task: content["behind"]}
    else:
        found = {"average": results["average_behind"]} if results["averages"] else {}
    yield from ((name, behind) for name, behind in found.items() if behind["all"])


def _table(results: Mapping[str, Any], *, intervals: bool) -> Table:
    found = (part_in_words(task, content) for task, content in results["tasks"].items())
    parts = ", ".join(filter(None, found))
    of_parts = "\n" + one_line(f"only {parts}") if parts else ""
    table = Table(
        title="Spearman × 100, all pairs of a task together",
        caption=f"fingerprint {results['fingerprint']['id']}{of_parts}",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1 if intervals else 0),
    )
    table.add_column("method")
    for task in results["tasks"]:
        table.add_column(one_line(task.removesuffix("-test")), justify="right")
    if results["averages"]:
        table.add_column("average", justify="right")
    intervals = intervals and bool(results["resamples"])
    for method in results["methods"]:
        figures = [
            _figure_of(task["methods"][method], intervals) for task in results["tasks"].values()
        ]
        if results["averages"]:
            average = results["averages"][method]
            figures.append(_figure(average["spearman"], average if intervals else None))
        table.add_row(one_line(method), *figures)
    return table


def _behind(task: str, behind: Mapping[str, Any]) -> Table:
    """Return how far the methods are behind the best, with intervals of these differences."""
    table = Table(
        title=one_line(f"{task}: behind {best_of(behind)}"),
        caption="where the interval leaves 0 out, the difference is significant",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("method")
    table.add_column("difference", justify="right")
    table.add_column("95 % interval", justify="right")
    for method, found in behind["all"].items():
        low, high = found["low"], found["high"]
        interval = _NONE if low is None else f"{low:+.1f} to {high:+.1f}"
        table.add_row(one_line(method), f"{found['value']:+.1f}", interval)
    return table


def _figure_of(of_method: Mapping[str, Any], intervals: bool) -> str:
    if is_undefined(of_method):
        return _NONE
    found = of_method["spearman"]["all"]
    return _figure(found["value"], found if intervals else None)


def _figure(value: float, interval: Mapping[str, Any] | None) -> str:
    if interval is None:
        return f"{value:.1f}"
    low, high = interval["low"], interval["high"]
    return f"{value:.1f}\n" + (_NONE if low is None else f"{low:.1f}…{high:.1f}")
