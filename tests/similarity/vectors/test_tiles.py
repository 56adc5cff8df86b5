"""Tiles have all pairs, each once, and few texts."""

import random
from itertools import product

import pytest

from similarity.vectors.tiles import SIDE, in_tiles

DRAW = random.Random(0)
PAIRS = {
    "none": [],
    "one": [(5, 5)],
    "a matrix": list(product(range(20), range(20, 37))),
    "a file": [(2 * number, 2 * number + 1) for number in range(100)],
    "one with many": [(3, number) for number in range(50)],
    "any": [(DRAW.randrange(30), DRAW.randrange(30)) for _ in range(200)],
}


@pytest.mark.parametrize("pairs", PAIRS.values(), ids=PAIRS)
def test_each_pair_is_in_one_tile(pairs: list[tuple[int, int]]) -> None:
    tiles = in_tiles(pairs)
    found = {
        place: (tile.texts[first], tile.texts[second])
        for tile in tiles
        for place, (first, second) in tile.pairs
    }
    assert [found[place] for place in range(len(pairs))] == pairs
    assert sum(len(tile.pairs) for tile in tiles) == len(pairs)
    for tile in tiles:
        assert len(tile.texts) <= 2 * SIDE
        assert set(tile.texts) == {text for place, _ in tile.pairs for text in pairs[place]}


@pytest.mark.parametrize(
    ("name", "most"), [("a matrix", 9 * 2 * SIDE), ("a file", 200), ("one with many", 50 + 7)]
)
def test_few_texts_are_in_many_tiles(name: str, most: int) -> None:
    assert sum(len(tile.texts) for tile in in_tiles(PAIRS[name])) <= most
