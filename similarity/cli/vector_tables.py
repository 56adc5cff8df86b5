"""Explanations of meaning vectors as tables for a person to read."""

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
    if result.overlap:
        console().print(_overlap_table(result.overlap))
    if result.continuations:
        console().print(_continuations_table(result.continuations))


def print_profile(text: str, words: Sequence[tuple[str, float, float]]) -> None:
    """Print the words that a text makes likelier than usual, with both numbers in nats."""
    table = Table("word", "beyond the usual", "log-probability", caption="nats")
    for word, beyond, log_prob in words:
        table.add_row(escape(word), f"{beyond:+.2f}", f"{log_prob:.2f}")
    console().print(escape(text))
    console().print(table)


def _implied_table(implied: ImpliedWords) -> Table:
    table = Table(
        "both imply",
        "only the first",
        "only the second",
        caption="words likelier than usual, with their share of the cosine",
    )
    columns = (implied.both, implied.first, implied.second)
    for row in zip_longest(*columns):
        table.add_row(*("" if word is None else _implied(word) for word in row))
    return table


def _implied(word: ImpliedWord) -> str:
    return f"{escape(word.word)} {word.share:+.4f}"


def _overlap_table(words: Sequence[WordShare]) -> Table:
    table = Table("own word", "share", "first", "second", caption="how often either text has it")
    for word in words:
        table.add_row(escape(word.word), f"{word.share:+.4f}", *map(str, word.counts))
    return table


def _continuations_table(continuations: Sequence[ContinuationShare]) -> Table:
    table = Table("continuation", "share", "first", "second", "usual", caption="nats per token")
    for one in continuations:
        numbers = (f"{value:.2f}" for value in (*one.log_likelihoods, one.usual))
        table.add_row(escape(repr(one.text)[1:-1]), f"{one.share:+.4f}", *numbers)
    return table
