"""Correlations that are not defined, as a method gave all pairs one score."""

from collections.abc import Iterator, Mapping
from typing import Any


def is_undefined(of_method: Mapping[str, Any]) -> bool:
    """Return whether a method's scores of a task are all equal, from its part of the results."""
    # Judgements that are all equal are refused before anything is scored.
    return "pearson" in of_method and of_method["pearson"]["all"] is None


def undefined(tasks: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each correlation that is not defined.

    Parameters
    ----------
    tasks
        As `results.json` has them.
    """
    for task, content in tasks.items():
        for method, found in content["methods"].items():
            subsets = found["spearman"].get("subsets", {})
            constant = [name for name, one in subsets.items() if one["spearman"] is None]
            if is_undefined(found):
                yield _sentence(f"all pairs of {task}", method, "means and differences")
            elif constant:
                yield _sentence(f"all pairs of {task}, {', '.join(constant)},", method, "means")


def _sentence(pairs: str, method: str, where: str) -> str:
    return (
        f"{method} gives {pairs} one score, so that their correlation is undefined; it counts as "
        f"0 in {where}"
    )
