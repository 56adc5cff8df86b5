"""The picture of a run's agreement with people: Spearman's correlation by subset and method."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.runs import Run
from eval.style import picture

# Subsets with fewer pairs say nothing by themselves.
FEWEST = 20

# By name of a subset, or of another group of pairs: by method, Spearman × 100.
Agreement = Mapping[str, Mapping[str, float]]


def agreement_by_subset(run: Run, methods: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return Spearman × 100 of each subset of `FEWEST` pairs or more, by method.

    A method that gave a subset's pairs one score has none there.
    """
    found: dict[str, dict[str, float]] = {}
    for task, content in run.tasks.items():
        for method in methods:
            subsets = content["methods"][method]["spearman"]["subsets"]
            for subset, figures in subsets.items():
                if figures["pairs"] >= FEWEST and figures["spearman"] is not None:
                    name = task if len(subsets) == 1 else f"{task}: {subset}"
                    found.setdefault(name, {})[method] = figures["spearman"]
    return found


def plot_agreement(agreement: Agreement, path: Path) -> None:
    """Draw a line for each subset, the best at the top, and a point on it for each method."""
    methods = list(dict.fromkeys(method for row in agreement.values() for method in row))
    # By the first method, so that the others are seen beside it.
    names = sorted(agreement, key=lambda name: agreement[name].get(methods[0], 0.0))
    with picture(path, 7.5, 1.4 + 0.28 * len(names)) as figure:
        axes = figure.subplots()
        for height, name in enumerate(names):
            values = list(agreement[name].values())
            axes.plot([min(values), max(values)], [height, height], color="0.8", zorder=1)
        for method in methods:
            rows = [
                (agreement[n][method], y) for y, n in enumerate(names) if method in agreement[n]
            ]
            axes.plot(*zip(*rows, strict=True), "o", label=method)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("Spearman × 100")
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside upper center", ncols=len(methods))
