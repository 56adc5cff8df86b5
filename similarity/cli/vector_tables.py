"""Explanations of meaning vectors as tables for a person to read."""

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from rich.table import Table

from similarity.cli.tables import console, one_line, print_score
from similarity.vectors.explain import ContinuationShare, VectorExplanation, WordShare
from similarity.vectors.implied import ImpliedWord, ImpliedWords

# What a part of a vector compares, by the name of its group.
PART_WORDS: Mapping[str, str] = {
    "profile": "words that may follow as its summary",
    "examples": "the same, after worked examples",
    "trigrams": "the texts' own words",
    "trajectories": "likelihoods of general continuations",
}
# The words that texts imply: both of them, and either far more than the other.
IMPLIED_COLUMNS = ("both imply", "more after the first", "more after the second")

_OF_CONTINUATIONS = (
    "Mean log-likelihoods after the first text, after the second and usually, in nats per token; "
    "the share is what a continuation adds to the cosine. The largest stands first, above 0 or "
    "below."
)
# Of probabilities.
_LEAST_SHOWN = 0.0001


def print_vector_explanation(result: VectorExplanation, top: int) -> None:
    """Print what a cosine is made of, and at most `top` parts of each kind."""
    print_score(result.score)
    console().print(_shares_table(result))
    if result.implied is not None:
        console().print(_implied_table(result.implied, top))
    if result.note is not None:
        console().print(one_line(result.note))
    if result.overlap:
        console().print(_overlap_table(result.overlap, top))
    if result.continuations:
        console().print(_continuations_table(result.continuations))


def print_profile(text: str, words: Sequence[tuple[str, float, float]]) -> None:
    """Print the words that a text makes likelier than usual, and how likely they are."""
    table = Table("word", "likelier than usual", "probability of the next word")
    for word, beyond, log_prob in words:
        probability = math.exp(log_prob)
        shown = f"{probability:.2%}" if probability >= _LEAST_SHOWN else f"under {_LEAST_SHOWN:.2%}"
        table.add_row(one_line(word), times(beyond), shown)
    console().print(one_line(text))
    console().print(table)


def _shares_table(result: VectorExplanation) -> Table:
    table = Table("part", "compares", "weight", "× cosine", "= share", box=None)
    for name, share in result.shares.items():
        weight = result.weights[name]
        own = share / weight if weight else 0.0
        words = PART_WORDS.get(name, "")
        table.add_row(name, words, f"{weight:.4f}", f"{own:.4f}", f"{share:+.4f}")
    table.add_row("all", "", "", "", f"{result.cosine:+.4f}")
    return table


def _implied_table(implied: ImpliedWords, top: int) -> Table:
    table = Table(
        *IMPLIED_COLUMNS,
        caption="Words that may follow a text as its summary, of the part profile alone. The share "
        "of each is tiny. ×: how many times likelier than usual a word is there, and than the "
        "average token; for both, the lesser of the two. Opposites may be among them. A column has "
        f"{top} words at most. Where both imply them, the greatest number stands first; else the "
        "word in which the texts differ most.",
        caption_justify="left",
    )
    for row in zip_longest(*implied_columns(implied), fillvalue=""):
        table.add_row(*row)
    return table


def implied_columns(implied: ImpliedWords) -> tuple[list[str], list[str], list[str]]:
    """Return the words of each of `IMPLIED_COLUMNS`, with ratios."""

    def with_ratio(word: ImpliedWord, beyond: float) -> str:
        return f"{one_line(word.word)} {times(beyond)}"

    return (
        [with_ratio(word, min(word.beyond_usual)) for word in implied.both],
        [with_ratio(word, word.beyond_usual[0]) for word in implied.first],
        [with_ratio(word, word.beyond_usual[1]) for word in implied.second],
    )


def times(nats: float) -> str:
    """Return a ratio of probabilities, given in nats, as a number that is read at a glance."""
    ratio = math.exp(min(nats, 700.0))
    if ratio < 10:
        return f"×{ratio:.1f}"
    if ratio < 1e6:
        return f"×{float(f'{ratio:.2g}'):,.0f}"
    return f"×{ratio / 1e6:.2g} million" if ratio < 1e9 else f"×{ratio / 1e9:.2g} billion"


def _overlap_table(words: Sequence[WordShare], top: int) -> Table:
    table = Table(
        "own word",
        "share of the cosine",
        "in the first",
        "in the second",
        caption="Words of the texts, compared by pieces of three letters, and how often either "
        "text has them. A word of one text has a share where the other has such pieces. The "
        f"largest share stands first, above 0 or below; {top} words at most.",
        caption_justify="left",
    )
    for word in words:
        table.add_row(one_line(word.word), f"{word.share:+.4f}", *map(str, word.counts))
    return table


def _continuations_table(continuations: Sequence[ContinuationShare]) -> Table:
    table = Table(
        "continuation",
        "share",
        "first",
        "second",
        "usual",
        caption=_OF_CONTINUATIONS,
        caption_justify="left",
    )
    for one in continuations:
        numbers = (f"{value:.2f}" for value in (*one.log_likelihoods, one.usual))
        table.add_row(one_line(one.text), f"{one.share:+.4f}", *numbers)
    return table
