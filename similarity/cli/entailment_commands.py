"""`trajsim entails`: which of two texts entails the other."""

import click
from rich.table import Table

from similarity.cli.answers import store_of
from similarity.cli.choices import ModelChoice, open_model
from similarity.cli.numbers import FiniteRange
from similarity.cli.options import (
    comparison_options,
    model_options,
    refuse_options,
    refuse_trajectory_options,
    truncate_option,
)
from similarity.cli.progress import progress_bars
from similarity.cli.tables import console, digits_to_compare, one_line
from similarity.cli.terminal import json_option, print_json, print_warnings
from similarity.cli.vector_tables import IMPLIED_COLUMNS, implied_columns
from similarity.config import ComparisonConfig
from similarity.entailment.estimators import ESTIMATORS
from similarity.entailment.opening import open_entailment, usual_estimator
from similarity.entailment.results import Entailment
from similarity.errors import ConfigError
from similarity.prompts import checked_text
from similarity.uncertainty import DEFAULT_CONFIDENCE
from similarity.vectors.general import find_vectors


@click.command()
@click.argument("first")
@click.argument("second")
@click.option(
    "--estimator",
    type=click.Choice(list(ESTIMATORS)),
    help="Judge by this; 'paper' reads trajectories, all others profiles.  [default: "
    f"{next(iter(ESTIMATORS))} where the model gives profiles, else paper]",
)
@click.option("--vectors", help="Read the profiles of a folder that `trajsim fit` made.")
@click.option(
    "--confidence",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    default=DEFAULT_CONFIDENCE,
    show_default=True,
    help="Give the interval of the direction at this confidence.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Show so many words of each kind.",
)
@truncate_option
@json_option
@model_options
@comparison_options
def entails(
    first: str,
    second: str,
    estimator: str | None,
    vectors: str | None,
    confidence: float,
    top: int,
    truncate: str,
    as_json: bool,
    choice: ModelChoice,
    config: ComparisonConfig,
) -> None:
    """Print which of the texts FIRST and SECOND entails the other, both or neither.

    The settings of trajectories are for --estimator paper.
    """
    for text in (first, second):
        checked_text(text)
    model = open_model(choice)
    chosen = estimator or usual_estimator(model, find_vectors(vectors, model).config)
    if ESTIMATORS[chosen].evidence == "profiles":
        refuse_trajectory_options(
            f"--estimator {chosen} reads profiles", remedy="give --estimator paper, or leave it out"
        )
    else:
        if vectors is not None:
            raise ConfigError(
                f"--vectors are of profiles, and --estimator {chosen} reads none; leave it out"
            )
        refuse_options(
            ["--top"],
            f"is of words, and --estimator {chosen} has none; give another --estimator, or leave "
            "it out",
        )
    with progress_bars() as progress:
        scorer = open_entailment(
            model,
            chosen,
            config=config,
            vectors=vectors,
            confidence=confidence,
            truncate=truncate,
            store=store_of(model),
            progress=progress,
        )
        (found,) = scorer.judge([(first, second)], progress)
    print_warnings(found.warnings)
    if as_json:
        print_json(found.to_dict(top))
    else:
        _print(found, top)


def _print(found: Entailment, top: int) -> None:
    table = Table(show_header=False, box=None)
    low, high = found.interval
    related, same = found.thresholds.related, found.thresholds.same
    digits = digits_to_compare((found.forward, found.backward), (related, same))
    fine = digits_to_compare(found.interval, (0.0,))
    table.add_row("verdict", found.verdict)
    table.add_row("first entails second", f"{found.forward:.{digits}f}")
    table.add_row("second entails first", f"{found.backward:.{digits}f}")
    table.add_row(
        "direction",
        f"{found.direction:+.3f}, {100 * found.confidence:g} % interval {low:+.{fine}f} to "
        f"{high:+.{fine}f}",
    )
    if found.evenness:
        table.add_row(
            "of which", f"inclusion {found.inclusion:+.3f}, evenness {found.evenness:+.3f}"
        )
    table.add_row(
        "unrelated texts", f"degrees up to {related:.{digits}f}, at one in a hundred pairs"
    )
    table.add_row("both wants", f"degrees of {same:.{digits}f} each, and 0 within the interval")
    if found.explain is not None:
        for name, words in zip(IMPLIED_COLUMNS, implied_columns(found.explain(top)), strict=True):
            table.add_row(name, ", ".join(words))
        table.caption = "×: how many times likelier than usual a word is after the text"
    table.add_row("from", one_line(found.fingerprint.describe()))
    console().print(table)
