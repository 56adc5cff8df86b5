"""Figures that a run does not have: correlations that are not defined, and their intervals."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eval.protocol import FEWEST, UNDEFINED

# Of a task in `results.json`: by name of a subset why it has no correlation, whatever its scores.
LEFT_OUT = "subsets_left_out"
# Names of subsets in a sentence, for each reason.
_SHOWN = 10


def is_undefined(of_method: Mapping[str, Any]) -> bool:
    """Return whether a method's scores of a task are all equal, from its part of the results."""
    # Judgements that are all equal are refused before anything is scored.
    return "pearson" in of_method and of_method["pearson"]["all"] is None


def counted(of_task: Mapping[str, Any]) -> tuple[int, int]:
    """Return over how many subsets a task's means are, and how many it has.

    Where no subset has a correlation the first is 0, and the means are of all pairs together.
    Results of earlier releases do not have the subsets without a correlation, and count as whole.
    """
    subsets = _first(of_task)["spearman"]["subsets"]
    left_out = of_task.get(LEFT_OUT, {})
    # With some left out, a subset is smaller than the task.
    together = left_out and [one["pairs"] for one in subsets.values()] == [of_task["pairs"]]
    having = 0 if together else len(subsets)
    return having, having + len(left_out)


def undefined(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each correlation or interval that is not defined.

    Parameters
    ----------
    results
        As `results.json` has them.
    """
    for task, content in results["tasks"].items():
        yield from _left_out(task, content)
        resampled = bool(results["resamples"])
        yield from _constant(task, content, ", which have no interval" if resampled else "")
        if resampled:
            yield from _without_interval(task, content)
    averages = results["averages"].items() if results["resamples"] else ()
    lacking = [method for method, average in averages if average["low"] is None]
    if lacking:
        yield (
            f"the average by {_listed(lacking)} has no interval, as too few resamples have a "
            "correlation in each task"
        )


def _constant(task: str, of_task: Mapping[str, Any], interval: str) -> Iterator[str]:
    for method, found in of_task["methods"].items():
        constant = _constant_subsets(found)
        if is_undefined(found):
            yield _one_score(f"all pairs of {task}", method, f"means and differences{interval}")
        elif constant:
            subsets = f"all pairs of {task}, {_listed(constant)},"
            yield _one_score(subsets, method, f"means{interval}")


def _constant_subsets(of_method: Mapping[str, Any]) -> list[str]:
    """Return the subsets whose pairs a method gives one score."""
    subsets = of_method["spearman"]["subsets"]
    return [name for name, one in subsets.items() if one["spearman"] is None]


def _left_out(task: str, of_task: Mapping[str, Any]) -> Iterator[str]:
    by_reason = defaultdict[str, list[str]](list)
    for name, reason in of_task.get(LEFT_OUT, {}).items():
        by_reason[reason].append(name)
    if by_reason:
        having, of = counted(of_task)
        subsets = "; ".join(f"{_listed(names)} ({why})" for why, names in by_reason.items())
        means = f"are over {having}" if having else "are of all pairs together"
        yield (
            f"{of - having} of the {of} subsets of {task} have no correlation: {subsets}; mean and "
            f"wmean {means}"
        )


def _without_interval(task: str, of_task: Mapping[str, Any]) -> Iterator[str]:
    methods, subsets = of_task["methods"], _first(of_task)["spearman"]["subsets"]
    if of_task["pairs"] < FEWEST:
        yield f"{task} has {of_task['pairs']} pairs, too few for an interval"
        return
    lacking = [name for name, found in methods.items() if _lacks_interval(found, "all")]
    if lacking:
        yield _undefined_resamples(f"{task} have", lacking, "interval")
    if min(one["pairs"] for one in subsets.values()) < FEWEST:
        yield f"subsets of {task} have too few pairs for an interval of mean and wmean"
        return
    more = [
        name
        for name, found in methods.items()
        if name not in lacking and _lacks_interval(found, "mean")
    ]
    if more:
        in_subset = f"{task} have a subset of"
        yield _undefined_resamples(in_subset, more, "interval of mean and wmean")


def _lacks_interval(of_method: Mapping[str, Any], aggregate: str) -> bool:
    """Return whether a figure has no interval, and it is not said why."""
    said = is_undefined(of_method) or (aggregate == "mean" and _constant_subsets(of_method))
    return not said and of_method["spearman"][aggregate]["low"] is None


def _undefined_resamples(having: str, methods: Sequence[str], lacking: str) -> str:
    return (
        f"more than {100 * UNDEFINED:.0f} % of the resamples of {having} one judgement or one "
        f"score by {_listed(methods)}, so that there is no {lacking}"
    )


def _first(of_task: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of one method: which subsets there are is of the pairs."""
    found: Mapping[str, Any] = next(iter(of_task["methods"].values()))
    return found


def _one_score(pairs: str, method: str, where: str) -> str:
    return (
        f"{method} gives {pairs} one score, so that their correlation is undefined; it counts as "
        f"0 in {where}"
    )


def _listed(names: Sequence[str]) -> str:
    """Return the first names between commas, and how many more there are."""
    shown = ", ".join(name or '""' for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
