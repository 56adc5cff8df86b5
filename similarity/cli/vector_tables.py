"""Explanations of meaning vectors as tables for a person to read."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from similarity.cli.tables import console, print_score
from similarity.vectors.explain import NextWords, ScoredTrajectory, VectorExplanation, WordShare


def print_vector_explanation(result: VectorExplanation) -> None:
    """Print what a cosine is made of, and the parts of most share."""
    print_score(result.score)
    shares = Table("part", "share of the cosine", box=None)
    for group, share in result.shares.items():
        shares.add_row(group, f"{share:+.4f}")
    shares.add_row("all", f"{result.cosine:.4f}")
    console().print(shares)
    if result.places:
        console().print(_places_table(result.places[: result.top]))
    if result.trajectories:
        console().print(_trajectories_table(result.trajectories[: result.top]))
    if result.words:
        console().print(_words_table(result.words[: result.top]))


def _places_table(places: Sequence[NextWords]) -> Table:
    table = Table("after", "share", "both", "first", "second", caption="next words made likelier")
    for place in places:
        words = (
            ", ".join(_shown(word) for word in kind)
            for kind in (place.both, place.first, place.second)
        )
        table.add_row(_shown(place.before) or "the text", f"{place.share:+.3f}", *words)
    return table


def _trajectories_table(trajectories: Sequence[ScoredTrajectory]) -> Table:
    table = Table("continuation", "share", "first", "second", "usual", caption="in nats per token")
    for scored in trajectories:
        numbers = (f"{value:.3f}" for value in (*scored.log_likelihoods, scored.usual))
        table.add_row(_shown(scored.text), f"{scored.share:+.3f}", *numbers)
    return table


def _words_table(words: Sequence[WordShare]) -> Table:
    table = Table("word", "share", "first", "second", caption="how often either text has it")
    for word in words:
        table.add_row(_shown(word.word), f"{word.share:+.3f}", *map(str, word.counts))
    return table


def _shown(text: str) -> str:
    return escape(repr(text)[1:-1].strip())
