"""Puts a run's table of agreement with people into a model's card.

It comes after `training.export`, as only an exported model can be evaluated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from similarity.models.revision import revision
from similarity.storage.files import replace_file

BEGIN = "<!-- Written by training.agreement from an evaluation; do not edit by hand. -->"
END = "<!-- end -->"


@click.command(context_settings={"show_default": True})
@click.option(
    "--results",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="results.json of `trajsim eval sts`.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder of the model, with its card.",
)
def main(results: Path, model: Path) -> None:
    """Write the table into the model's README.md, in place of the one before."""
    try:
        insert(_read(results), model)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _read(results: Path) -> dict[str, Any]:
    """Return what the file has; raises ValueError where it is no whole object of JSON."""
    try:
        content = json.loads(results.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ValueError(
            f"{results} is damaged, or no results.json: give the command of the run again, which "
            "writes it anew"
        )
    return content


def insert(results: dict[str, Any], model: Path) -> None:
    """Write the table into the card, whole or not at all.

    Raises
    ------
    ValueError
        When the run is of another model, or the card has no place for it.
    """
    evaluated, given = results["fingerprint"]["model"]["revision"], revision(model, None)
    if evaluated != given:
        raise ValueError(f"the run is of {evaluated}, and {model} is {given}: evaluate it anew")
    path = model / "README.md"
    card = path.read_text(encoding="utf-8")
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path} has no place for the table: write it anew by training.export")
    text = f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}"
    replace_file(path, lambda new: new.write_text(text, encoding="utf-8"))


def table(results: dict[str, Any]) -> str:
    """Return Spearman × 100 by method and task, all pairs of a task together, as Markdown."""
    tasks, averages = results["tasks"], results["averages"]
    names = [task.removesuffix("-test") for task in tasks]
    head = ["method", *names, *(["average"] if averages else [])]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for method in results["methods"]:
        figures = [task["methods"][method]["spearman"]["all"]["value"] for task in tasks.values()]
        cells = [f"{figure:.1f}" for figure in figures]
        if averages:
            cells.append(_with_interval(averages[method]))
        lines.append(f"| {' | '.join([method, *cells])} |")
    return "\n".join(lines)


def _with_interval(average: dict[str, Any]) -> str:
    figure = f"{average['spearman']:.1f}"
    if average["low"] is None:
        return figure
    return f"{figure} [{average['low']:.1f}, {average['high']:.1f}]"


if __name__ == "__main__":
    main()
