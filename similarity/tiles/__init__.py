"""Matrices larger than memory: tile by tile into a file, and on from there after a kill.

Beside the file lies a folder, `<file>.parts`, with what is done so far; it goes when all is done.
"""

from similarity.tiles.grid import TILE, Grid, Selection
from similarity.tiles.stream import (
    JUDGED_COLUMNS,
    PAIR_COLUMNS,
    stream_matrix,
    stream_pairs,
)

__all__ = [
    "JUDGED_COLUMNS",
    "PAIR_COLUMNS",
    "TILE",
    "Grid",
    "Selection",
    "stream_matrix",
    "stream_pairs",
]
