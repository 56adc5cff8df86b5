"""`trajsim hyponym`: which of two words contains the other."""

import click
from rich.table import Table

from similarity.cli.answers import store_of
from similarity.cli.choices import ModelChoice, open_model
from similarity.cli.options import model_options, refuse_options
from similarity.cli.progress import progress_bars, working
from similarity.cli.reading import texts_of_file
from similarity.cli.tables import console, digits_to_compare, one_line
from similarity.cli.terminal import INPUT_FLAGS, input_options, json_option, print_json
from similarity.entailment.hyponymy import Containment, contain
from similarity.entailment.kinds import CONFIDENCE, FIRST_IS, RELATED, SECOND_IS, STRENGTH
from similarity.entailment.opening import open_entailment
from similarity.entailment.profiles import ProfileEntailment
from similarity.texts.general import general_sentences


@click.command()
@click.argument("first")
@click.argument("second")
@click.option(
    "--corpus",
    help="Look for contexts of both words in the texts of this file.  "
    "[default: the general sentences of the library]",
)
@input_options()
@json_option
@model_options
def hyponym(
    first: str,
    second: str,
    corpus: str | None,
    kind: str | None,
    columns: str | None,
    as_json: bool,
    choice: ModelChoice,
) -> None:
    """Print which of the words FIRST and SECOND is a kind of the other, if either is.

    Sentences such as "A dog is a kind of animal" decide. Words of one meaning, and siblings such
    as dog and cat, are alike. The contexts of both words in a corpus (the paper's Algorithm 2) and
    the inclusion of their profiles are printed beside it.
    """
    if corpus is None:
        refuse_options(
            INPUT_FLAGS, "says how a file is read; give the file by --corpus, or leave it out"
        )
    texts = general_sentences() if corpus is None else tuple(texts_of_file(corpus, kind, columns))
    model = open_model(choice)
    with progress_bars() as progress:
        scorer = open_entailment(model, store=store_of(model), progress=progress)
    profiles = scorer if isinstance(scorer, ProfileEntailment) else None
    with working("comparing words"):
        found = contain(model, (first, second), texts, profiles)
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found, "the general sentences" if corpus is None else corpus)


def _print(found: Containment, corpus: str) -> None:
    table = Table(show_header=False, box=None)
    first, second = found.words
    said = found.sentences
    verdict = {
        FIRST_IS: f"{first} is a kind of {second}",
        SECOND_IS: f"{second} is a kind of {first}",
    }.get(found.verdict, found.verdict)
    low, high = said.interval
    table.add_row("verdict", one_line(verdict))
    fine = digits_to_compare(said.interval, (0.0,))
    table.add_row(
        "sentences",
        f"{said.margin:+.3f} nats, {100 * CONFIDENCE:g} % interval {low:+.{fine}f} to "
        f"{high:+.{fine}f}",
    )
    fine = digits_to_compare((said.strength,), (STRENGTH,))
    table.add_row("strength", f"{said.strength:+.{fine}f} nats; a verdict wants {STRENGTH:g}")
    forth, back = said.beyond_usual
    fine = digits_to_compare(said.beyond_usual, (RELATED,))
    table.add_row(
        "beyond usual", f"{forth:+.{fine}f} and {back:+.{fine}f} nats; it wants {RELATED:g}"
    )
    contexts = f"neither word is in {corpus}"
    if found.contexts is not None:
        contexts = f"{found.contexts:+.3f} nats per token, {found.count} in {corpus}"
    table.add_row("contexts", one_line(contexts))
    if found.profiles is not None:
        table.add_row("profiles", f"{found.profiles.direction:+.3f} ({found.profiles.verdict})")
    table.caption = "above 0 where the second contains the first"
    console().print(table)
