"""Pairs in tiles of few texts, so that what is known of these need not be held for all texts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

# Different first texts of a tile's pairs, and different second ones, at most. Their profiles over
# SmolLM2's vocabulary take 19 MB.
SIDE = 8


@dataclass(frozen=True)
class Tile:
    """Some pairs, and the texts that they are of.

    Parameters
    ----------
    texts
        Numbers of the texts, in rising order.
    pairs
        The place of each pair among all pairs, and the places of its two texts in `texts`.
    """

    texts: list[int]
    pairs: list[tuple[int, list[int]]]


def in_tiles(pairs: Sequence[tuple[int, int]]) -> list[Tile]:
    """Return all pairs in tiles: of a matrix each is a part, of other pairs some in their order.

    Parameters
    ----------
    pairs
        Numbers of texts.
    """
    firsts, seconds = (_numbered([pair[side] for pair in pairs]) for side in (0, 1))
    together = defaultdict(list)
    for place, (first, second) in enumerate(pairs):
        together[firsts[first] // SIDE, seconds[second] // SIDE].append(place)
    return [_tile(places, pairs) for places in together.values()]


def _numbered(texts: Sequence[int]) -> dict[int, int]:
    """Return a number for each text, in the order in which they come first."""
    return {text: number for number, text in enumerate(dict.fromkeys(texts))}


def _tile(places: Sequence[int], pairs: Sequence[tuple[int, int]]) -> Tile:
    texts = sorted({text for place in places for text in pairs[place]})
    return Tile(texts, [(place, [texts.index(text) for text in pairs[place]]) for place in places])
