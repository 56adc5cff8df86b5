"""Explanations of meaning vectors as tables for a person to read."""

import math
from collections.abc import Sequence
from itertools import zip_longest

from rich.markup import escape
from rich.table import Table

from similarity.cli.tables import console, print_score
from similarity.vectors.explain import ContinuationShare, VectorExplanation, WordShare
from similarity.vectors.implied import ImpliedWord, ImpliedWords


def print_vector_explanation(result: VectorExplanation) -> None:
    """Print what a cosine is made of, and the parts of most share."""
    print_score(result.score)
    shares = Table("part", "share of the cosine", box=None)
    for group, share in result.shares.items():
        shares.add_row(group, f"{share:+.4f}")
    shares.add_row("all", f"{result.cosine:.4f}")
    console().print(shares)
    if result.implied is not None:
        console().print(_implied_table(result.implied))
    if result.note is not None:
        console().print(escape(result.note))
    if result.overlap:
        console().print(_overlap_table(result.overlap))
    if result.continuations:
        console().print(_continuations_table(result.continuations))


def print_profile(text: str, words: Sequence[tuple[str, float, float]]) -> None:
    """Print the words that a text makes likelier than usual, and how likely they are."""
    table = Table("word", "likelier than usual", "probability of the next word")
    for word, beyond, log_prob in words:
        table.add_row(escape(word), times(beyond), f"{math.exp(log_prob):.2%}")
    console().print(escape(text))
    console().print(table)


def _implied_table(implied: ImpliedWords) -> Table:
    table = Table(
        "both imply",
        "only the first",
        "only the second",
        caption="Words of the part profile alone; the share of each is tiny. ×: how many times "
        "likelier than usual, and than the average token, a word is as the summary of the text; "
        "for both, the lesser of the two. Opposites may be among them. What tells the texts apart "
        "most stands first.",
        caption_justify="left",
    )
    for row in zip_longest(*implied_columns(implied), fillvalue=""):
        table.add_row(*row)
    return table


def implied_columns(implied: ImpliedWords) -> tuple[list[str], list[str], list[str]]:
    """Return the words that both texts imply, the first alone, and the second, with ratios."""

    def told(word: ImpliedWord, beyond: float) -> str:
        return f"{escape(word.word)} {times(beyond)}"

    return (
        [told(word, min(word.beyond_usual)) for word in implied.both],
        [told(word, word.beyond_usual[0]) for word in implied.first],
        [told(word, word.beyond_usual[1]) for word in implied.second],
    )


def times(nats: float) -> str:
    """Return a ratio of probabilities, given in nats, as a number that is read at a glance."""
    ratio = math.exp(min(nats, 700.0))
    if ratio < 10:
        return f"×{ratio:.1f}"
    if ratio < 1e6:
        return f"×{float(f'{ratio:.2g}'):,.0f}"
    return f"×{ratio / 1e6:.2g} million" if ratio < 1e9 else f"×{ratio / 1e9:.2g} billion"


def _overlap_table(words: Sequence[WordShare]) -> Table:
    table = Table(
        "own word",
        "share of the cosine",
        "in the first",
        "in the second",
        caption="Words of the texts, compared by pieces of three letters, and how often either "
        "text has them. A word of one text has a share where the other has such pieces.",
        caption_justify="left",
    )
    for word in words:
        table.add_row(escape(word.word), f"{word.share:+.4f}", *map(str, word.counts))
    return table


def _continuations_table(continuations: Sequence[ContinuationShare]) -> Table:
    table = Table("continuation", "share", "first", "second", "usual", caption="nats per token")
    for one in continuations:
        numbers = (f"{value:.2f}" for value in (*one.log_likelihoods, one.usual))
        table.add_row(escape(repr(one.text)[1:-1]), f"{one.share:+.4f}", *numbers)
    return table
