"""The columns of a report: figures stand in one only if they are of the same pairs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eval.runs import AVERAGE, Figure, Run


@dataclass(frozen=True)
class Column:
    """The figures of some pairs: those of a task, or of the seven test sets on average.

    Attributes
    ----------
    digest
        Of the pairs: runs may have other pairs under the same name.
    is_part
        Whether the pairs are not all of their set.
    """

    task: str
    digest: str
    is_part: bool
    label: str

    def figure(self, run: Run, method: str, aggregate: str) -> Figure | None:
        """Return a run's figure × 100, or None where it has none of these pairs."""
        if run.digest(self.task) != self.digest:
            return None
        if self.task == AVERAGE:
            return run.average(method, aggregate)
        return run.figure(self.task, method, aggregate)


def columns(runs: Sequence[Run], names: Mapping[str, str] | None = None) -> list[Column]:
    """Return the columns that some runs fill; the averages are the last.

    Parameters
    ----------
    names
        What tasks are called in the table, those that come first and in their order.
    """
    names = names or {}
    there = dict.fromkeys(task for run in runs for task in run.tasks)
    tasks = [*(task for task in names if task in there), *there, AVERAGE]
    return [column for task in dict.fromkeys(tasks) for column in _of_task(task, runs, names)]


def difference(runs: Sequence[Run]) -> str:
    """Return a sentence that names the tasks of which the runs have different pairs, or ""."""
    differing = []
    for task in dict.fromkeys(task for run in runs for task in run.tasks):
        having = [run for run in runs if task in run.tasks]
        if len({run.digest(task) for run in having}) > 1:
            pairs = ", ".join(f"{run.name} {run.pairs(task)}" for run in having)
            differing.append(f"{task} ({pairs})")
    if not differing:
        return ""
    return (
        f"the runs have different pairs of {', '.join(differing)}: their figures stand in columns "
        "of their own, and cannot be compared"
    )


def _of_task(task: str, runs: Sequence[Run], names: Mapping[str, str]) -> Iterator[Column]:
    first: dict[str, Run] = {}
    for run in runs:
        if (digest := run.digest(task)) is not None:
            first.setdefault(digest, run)
    for digest, run in first.items():
        name = run.label(task, names.get(task, ""))
        label = name if len(first) == 1 else f"{name} ({digest[:8]})"
        yield Column(task, digest, run.is_part(task), label)
