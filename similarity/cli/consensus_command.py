"""`trajsim consensus`: what the texts in a file agree on."""

import click
from rich.table import Table

from similarity.cli.answers import store_of
from similarity.cli.choices import ModelChoice, open_model
from similarity.cli.images import note_paths
from similarity.cli.numbers import FiniteRange
from similarity.cli.options import model_options, truncate_option
from similarity.cli.progress import progress_bars
from similarity.cli.reading import texts_of_file
from similarity.cli.tables import console, words_in_line
from similarity.cli.terminal import input_options, json_option, print_json, print_warnings
from similarity.entailment.estimators import DEFAULT
from similarity.entailment.opening import open_entailment
from similarity.entailment.profiles import ProfileEntailment
from similarity.groups.consensus import Consensus, check_of, check_room, find_consensus
from similarity.texts.truncation import Truncator


@click.command()
@click.argument("file")
@input_options()
@click.option("--question", help="Put this before each text, and let their own words count too.")
@click.option(
    "--threshold",
    type=FiniteRange(0, 1),
    help="Take texts for one meaning that entail each other to this degree, whatever their own "
    "words.  "
    "[default: calibrated on general sentences]",
)
@click.option("--vectors", help="Read the profiles of a folder that `trajsim fit` made.")
@truncate_option
@json_option
@model_options
def consensus(
    file: str,
    kind: str | None,
    columns: str | None,
    question: str | None,
    threshold: float | None,
    vectors: str | None,
    truncate: str,
    as_json: bool,
    choice: ModelChoice,
) -> None:
    """Group the texts in FILE by meaning, and print which group to trust.

    The texts are answers to one question, as a model gives when it is asked several times. Their
    semantic entropy is 0 where all agree, and log N where all N differ.
    """
    texts = texts_of_file(file, kind, columns)
    check_room(texts)
    note_paths(texts)
    model = open_model(choice)
    with progress_bars() as progress:
        scorer = open_entailment(
            model, DEFAULT, vectors=vectors, store=store_of(model), progress=progress
        )
        assert isinstance(scorer, ProfileEntailment)
        found = find_consensus(
            scorer,
            texts,
            question=question,
            threshold=threshold,
            truncator=Truncator(check_of(scorer.check, question), truncate),
            progress=progress,
        )
    print_warnings(found.warnings)
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found)


def _print(found: Consensus) -> None:
    lines = [words_in_line(text) for text in found.texts]
    table = Table("probability", "texts", "agree on", "other texts")
    for group in found.groups:
        # A text that repeats is shown once.
        others = dict.fromkeys(lines[i] for i in group.members if i != group.representative)
        others.pop(lines[group.representative], None)
        table.add_row(
            f"{group.probability:.3f}",
            str(len(group.members)),
            lines[group.representative],
            " · ".join(others),
        )
    table.caption = f"semantic entropy {found.entropy:.3f} nats"
    console().print(table)
