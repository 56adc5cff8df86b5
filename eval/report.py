"""A report in Markdown of one run or of several side by side, beside the published figures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.columns import Column, columns, difference
from eval.published import Published, PublishedTable
from eval.runs import AVERAGE, Figure, Run, best_of
from eval.sts_options import FITTED_TO_TEXTS
from eval.undefined import counted, undefined
from eval.unlabelled import fit_warnings

# By which a file is known as a report.
TITLE = "# Evaluation"
AGGREGATES = {
    "all": "All pairs of a task in one correlation (`all`), as the published figures are.",
    "mean": "The mean over a task's subsets (`mean`); of a task with one subset, that one.",
    "wmean": "The mean over a task's subsets weighted by their pairs (`wmean`), as in SentEval.",
}
DIFFER = (
    "Three ways of summing up a task of several subsets are in use, and differ by many points: "
    "only figures of one way can be compared."
)
NONE = "–"


def report(runs: Sequence[Run], published: PublishedTable, figures: Mapping[str, Path]) -> str:
    """Return the report.

    Parameters
    ----------
    figures
        By caption: where each picture lies, from where the report will lie.
    """
    parts = [
        TITLE,
        *(_settings(runs) if runs else ()),
        *(_spearman(runs, published) if runs else ()),
        *_behind(runs),
        *_other_aggregates(runs),
        *_seeds(runs),
        *(part for run in runs for part in _subsets(run)),
        *_undefined(runs),
        *_left_out(runs),
        *_pictures(figures),
        *_sources(runs, published),
    ]
    return "\n\n".join(parts) + "\n"


def _settings(runs: Sequence[Run]) -> Iterator[str]:
    yield "## Settings"
    named = [run.settings for run in runs]
    # The run with the most settings has them in the order in which they are read.
    names = dict.fromkeys(name for one in sorted(named, key=len, reverse=True) for name in one)
    rows = [[name, *(settings.get(name, NONE) for settings in named)] for name in names]
    for task in dict.fromkeys(task for run in runs for task in run.tasks):
        rows.append([task, *(_pairs(run, task) for run in runs)])
    if any(map(_fitted_to, runs)):
        rows.append(["unlabelled texts", *map(_unlabelled, runs)])
    rows.append(["resamples", *(str(run.content["resamples"]) for run in runs)])
    yield table(["", *(run.name for run in runs)], rows)
    sampled = "n trajectories a text, of m tokens at most. " if "n" in names else ""
    yield (
        f"{sampled}Of each task: how many pairs were scored, and their digest. The fingerprint "
        "stands for model, revision, settings and version. With it, the pairs, the unlabelled "
        "texts and the number of resamples equal, figures can be repeated to the digit."
    )
    for run in runs:
        for warning in fit_warnings(_fitted_to(run)) if _fitted_to(run) else ():
            yield f"**Warning:** {run.name}: {warning}."


def _fitted_to(run: Run) -> Mapping[str, Any]:
    """Return what is known of the texts that methods were fitted to; nothing if none was."""
    found: Mapping[str, Any] = run.content["unlabelled"]
    return {} if set(run.methods).isdisjoint(FITTED_TO_TEXTS) else found


def _unlabelled(run: Run) -> str:
    found = _fitted_to(run)
    return f"{found['texts']} of {found['origin']}, {found['sha256']}" if found else NONE


def _pairs(run: Run, task: str) -> str:
    if task not in run.tasks:
        return NONE
    return f"{run.pairs(task)} pairs, {run.digest(task)}"


def _spearman(runs: Sequence[Run], published: PublishedTable) -> Iterator[str]:
    yield "## Spearman × 100"
    yield f"{AGGREGATES['all']} {_interval_in_words(runs)}"
    found = columns(runs, published.columns)
    rows = list(_rows(runs, found, "all"))
    known = any(column.task in published.columns and not column.is_part for column in found)
    if known:
        rows += _without_empty(_published_row(row, found) for row in published.rows)
    yield table(["method", *(column.label for column in found)], rows)
    if any(column.is_part for column in found):
        yield (
            "A column with *of* in its head is of a part of a set (`--limit`). No published figure "
            "stands in it, as those are of all pairs, and the two cannot be compared."
        )
    if sentence := difference(runs):
        yield f"**Warning:** {sentence}."
    if known:
        yield "Rows with a year are published ones, without intervals: see [Sources](#sources)."
    else:
        yield (
            "Published figures are of the whole test sets; there is none of them here to compare "
            "with."
        )


def _behind(runs: Sequence[Run]) -> Iterator[str]:
    rows = [
        [
            run.name,
            run.label(task),
            method,
            best_of(behind),
            _figure(figure, run.content["resamples"]),
        ]
        for run in runs
        for task, behind in run.behind.items()
        for method, figure in behind["all"].items()
    ]
    if rows:
        yield "## Behind the best method"
        yield (
            "Spearman × 100, `all`, less that of the best method, on the same resamples of the "
            "pairs. Where the interval leaves 0 out, the difference is significant."
        )
        yield table(["run", "task", "method", "best", "difference"], rows)


def _other_aggregates(runs: Sequence[Run]) -> Iterator[str]:
    divided = [run for run in runs if any(run.is_divided(task) for task in run.tasks)]
    if not divided:
        return
    yield "## The same, summed up otherwise"
    yield DIFFER
    found = columns(divided)
    header = ["method", *(column.label for column in found)]
    over = _over_subsets(divided)
    for name in ("mean", "wmean"):
        yield f"{AGGREGATES[name]} {over}"
        yield table(header, list(_rows(divided, found, name)))


def _over_subsets(runs: Sequence[Run]) -> str:
    """Return over how many subsets the means of each task are."""
    found = dict.fromkeys(
        f"{having} of {task}" if having == of else f"{having} of the {of} of {task}"
        for run in runs
        for task, content in run.tasks.items()
        if run.is_divided(task)
        for having, of in [counted(content)]
    )
    return f"Subsets that it is over: {', '.join(found)}."


def _seeds(runs: Sequence[Run]) -> Iterator[str]:
    rows = [
        [
            run.name,
            run.label(task),
            str(len(seeds["values"])),
            f"{seeds['mean']:.1f}",
            f"{spread:.2f}",
        ]
        for run in runs
        for task, seeds in run.content["seeds"].items()
        for spread in [seeds["standard_deviation"]]
    ]
    if rows:
        yield "## Over seeds"
        yield "The trajectories sampled anew with each seed; Spearman × 100, `all`."
        yield table(["run", "task", "seeds", "mean", "standard deviation"], rows)


def _subsets(run: Run) -> Iterator[str]:
    yield f"## Subsets: {run.name}"
    yield "Spearman × 100 of each subset, and Pearson × 100 of all pairs of a task."
    rows: list[list[str]] = []
    for task, content in run.tasks.items():
        found = [content["methods"][method] for method in run.methods]
        if run.is_divided(task):
            rows += _subset_rows(
                run.label(task), [of_method["spearman"]["subsets"] for of_method in found]
            )
        pearson = [_number(of_method["pearson"]["all"]) for of_method in found]
        rows.append([run.label(task), "Pearson, all", str(content["pairs"]), *pearson])
    yield table(["task", "subset", "pairs", *run.methods], rows)


def _subset_rows(task: str, methods: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    for subset, first in methods[0].items():
        figures = (_number(of_method[subset]["spearman"]) for of_method in methods)
        yield [task, subset, str(first["pairs"]), *figures]


def _undefined(runs: Sequence[Run]) -> Iterator[str]:
    found = [f"* {run.name}: {sentence}." for run in runs for sentence in undefined(run.content)]
    if found:
        yield "## Undefined"
        yield "\n".join(found)


def _left_out(runs: Sequence[Run]) -> Iterator[str]:
    rows = [
        [run.name, method, reason]
        for run in runs
        for method, reason in run.content["left_out"].items()
    ]
    if rows:
        yield "## Left out"
        yield table(["run", "method", "why"], rows)


def _pictures(figures: Mapping[str, Path]) -> Iterator[str]:
    if figures:
        yield "## Figures"
    for caption, path in figures.items():
        yield f"![{path.stem}]({path.as_posix()})"
        yield caption


def _sources(runs: Sequence[Run], published: PublishedTable) -> Iterator[str]:
    there = ((run, task) for run in runs for task in run.tasks)
    if not any(task in published.columns and not run.is_part(task) for run, task in there):
        return
    yield "## Sources"
    yield "\n".join(
        f"* {name}: [{source['title']}]({source['url']})"
        for name, source in published.sources.items()
    )
    notes = [f"* {row.method}, {row.model}: {row.note}" for row in published.rows if row.note]
    yield "\n".join(notes)


def _rows(runs: Sequence[Run], found: Sequence[Column], aggregate: str) -> Iterator[list[str]]:
    for run in runs:
        for method in run.methods:
            label = method if len(runs) == 1 else f"{run.name}: {method}"
            yield [f"**{label}**", *(_cell_of(run, method, one, aggregate) for one in found)]


def _cell_of(run: Run, method: str, column: Column, aggregate: str) -> str:
    # Averages of other aggregates have no intervals.
    drawn = column.task != AVERAGE or aggregate == "all"
    resamples = run.content["resamples"] if drawn else 0
    return _figure(column.figure(run, method, aggregate), resamples)


def _published_row(row: Published, found: Sequence[Column]) -> list[str]:
    figures = {**row.spearman, AVERAGE: row.average}
    cells = (None if column.is_part else figures.get(column.task) for column in found)
    return [f"{row.method}, {row.model} ({row.source})", *map(_number, cells)]


def _without_empty(rows: Iterable[list[str]]) -> list[list[str]]:
    """Leave out rows of which nothing is known in these columns."""
    return [row for row in rows if any(cell != NONE for cell in row[1:])]


def _interval_in_words(runs: Sequence[Run]) -> str:
    resamples = {run.content["resamples"] for run in runs} - {0}
    if not resamples:
        return "Without intervals: the runs were made with no resamples."
    return "In brackets the 95 % interval of a bootstrap over pairs, within each subset."


def _figure(figure: Figure | None, resamples: int = 0) -> str:
    """Return a figure and its interval, with a dash for one that the resamples do not give."""
    if figure is None:
        return NONE
    low, high = figure["low"], figure["high"]
    if low is None or high is None:
        return _number(figure["value"]) + (f" [{NONE}]" if resamples else "")
    return f"{_number(figure['value'])} [{low:.1f}, {high:.1f}]"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown: the first column to the left, the others to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in (header, rule, *rows))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
