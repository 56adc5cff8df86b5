"""`trajsim eval entailment` and `trajsim eval hyponymy`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.table import Table

from eval.direction import entailment_figures, hyponymy_figures
from eval.labelled import Pair, read_labelled, read_words
from eval.protocol import FEWEST
from similarity.cli.choices import ModelChoice, open_model
from similarity.cli.notes import note
from similarity.cli.options import model_options
from similarity.cli.places import note_places
from similarity.cli.progress import progress_bars
from similarity.cli.tables import console, one_line
from similarity.cli.terminal import json_option, print_json
from similarity.entailment.estimators import ESTIMATORS
from similarity.entailment.opening import open_entailment
from similarity.entailment.profiles import ProfileEntailment
from similarity.images.image import Content
from similarity.models.base import LanguageModel, OnProgress
from similarity.tabular.texts import split_columns, unfit_columns
from similarity.vectors.meaning import Features, in_batches

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_limit = click.option(
    "--limit", type=click.IntRange(min=2), help="Take so many pairs of each kind."
)
_seed = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Shuffle by this."
)


@click.command("entailment")
@click.argument("file", type=_FILE)
@click.option(
    "--columns",
    default="label,sentence1,sentence2",
    show_default=True,
    help="Read the label and both texts in these columns.",
)
@click.option(
    "--likelihoods/--no-likelihoods",
    default=True,
    show_default=True,
    help="Score conditional likelihoods too, which read both texts twice.",
)
@_limit
@_seed
@json_option
@model_options
def entailment(
    file: Path,
    columns: str,
    likelihoods: bool,
    limit: int | None,
    seed: int,
    as_json: bool,
    choice: ModelChoice,
) -> None:
    """Print how well scores find the premise of a pair in FILE, and the pairs with entailment.

    FILE is a .tsv, .csv, .jsonl or .parquet file. Pairs whose first text entails the second have
    the label 'entailment', in capitals or not. Choose all other labels freely, but not 'the rest'.
    Each is compared with entailment, and so are all of them together, as 'the rest'. In .tsv a
    quotation mark is a character.
    """
    rows = read_labelled(file, _columns(columns, 3))
    _note(file, [row.pair for row in rows])
    model = open_model(choice)
    scorers = _scorers(model)
    with progress_bars() as progress:
        found = entailment_figures(model, scorers, rows, limit, seed, likelihoods, progress)
    _print(found, as_json)


@click.command("hyponymy")
@click.argument("file", type=_FILE)
@click.option(
    "--columns",
    default="hyponym,hypernym",
    show_default=True,
    help="Read the words in these columns.",
)
@_limit
@_seed
@json_option
@model_options
def hyponymy(
    file: Path,
    columns: str,
    limit: int | None,
    seed: int,
    as_json: bool,
    choice: ModelChoice,
) -> None:
    """Print how well scores find which word of a pair in FILE is the hyponym.

    FILE is a .tsv, .csv, .jsonl or .parquet file. In .tsv a quotation mark is a character.
    """
    words = read_words(file, _columns(columns, 2))
    _note(file, words)
    model = open_model(choice)
    scorers = _scorers(model)
    with progress_bars() as progress:
        found = hyponymy_figures(model, scorers, words, limit, seed, progress)
    _print(found, as_json)


def _note(file: Path, pairs: Sequence[Pair]) -> None:
    """Remember where texts are, for what is said of one later."""
    for number, pair in enumerate(pairs, 1):
        note_places(pair, [f"pair {number} of {file}"] * 2)


def _columns(given: str, count: int) -> tuple[str, ...]:
    names = split_columns(given)
    if len(names) != count:
        raise unfit_columns(f"{count} names between commas", given)
    return names


def _scorers(model: LanguageModel) -> dict[str, ProfileEntailment]:
    """Return the scorers by profiles; none where the model gives no profiles."""
    with progress_bars() as progress:
        first = open_entailment(model, progress=progress)
    if not isinstance(first, ProfileEntailment):
        return {}
    vectors, known = first.vectors, dict[Content, Features]()

    def read(texts: Sequence[Content], on_progress: OnProgress) -> Features:
        # The estimators look at the same profiles, which are read once.
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            new = in_batches(vectors.read, missing, on_progress)
            for i, text in enumerate(missing):
                known[text] = {name: rows[i] for name, rows in new.items()}
        return {name: np.stack([known[text][name] for text in texts]) for name in vectors.names}

    return {
        name: ProfileEntailment(vectors=vectors, estimator=name, read=read)
        for name, row in ESTIMATORS.items()
        if row.evidence == "profiles"
    }


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for name, figures in found.items():
        if isinstance(figures, dict) and name != "published":
            table = Table("score", "x 100", "95 %", "pairs", title=one_line(name))
            for score, one in figures.items():
                table.add_row(score, f"{one['value']:.1f}", _interval(one), str(one["pairs"]))
            if any(one["low"] is None for one in figures.values()):
                table.caption = f"no interval of fewer than {FEWEST} pairs"
            console().print(table)
    note(f"chance {found['chance']:g}, shuffled by seed {found['seed']}")


def _interval(figure: dict[str, Any]) -> str:
    low, high = figure["low"], figure["high"]
    return "–" if low is None else f"{low:.1f} to {high:.1f}"
