"""Rows that are searched by inner product, in an index of faiss: exact, or a graph."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.arrays import Rows
from similarity.extras import optional_module

faiss: Any = optional_module("faiss", "an index needs")

# Of the graph (HNSW; Malkov and Yashunin 2016): links of a text, and texts looked at to find
# neighbours when a text is added and, at least, when a query is searched.
LINKS, ADDING, SEARCHING = 32, 200, 128
# A graph that keeps so many candidates for each wanted hit found 99 % of 10 to 1,000 hits.
CANDIDATES = 4
# To look at one candidate costs as much as an exact search of 15 to 200 texts.
TEXTS_OF_CANDIDATE = 128


def empty_neighbours(kind: str, width: int) -> Any:
    """Return an index of faiss, "exact" or "graph", for vectors of this width by inner product.

    In half precision, which takes half the memory and a third of the time, and moves a cosine
    by 1e-3 at most.
    """
    # The stubs of faiss want an object where it takes the number of a kind.
    half: Any = faiss.ScalarQuantizer.QT_fp16
    product = faiss.METRIC_INNER_PRODUCT
    if kind == "exact":
        return faiss.IndexScalarQuantizer(width, half, product)
    graph = faiss.IndexHNSWSQ(width, half, LINKS, product)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = ADDING, SEARCHING
    return graph


def nearest(neighbours: Any, rows: Rows, top: int) -> tuple[Rows, NDArray[np.int64]]:
    """Return the cosines and the numbers of exactly `top` rows, shape "row top".

    Rows that are equally near stand in the order of their numbers. Where not all of them are among
    the first `top`, an exact search has the first of them.
    """
    if not isinstance(neighbours, faiss.IndexHNSW):
        return _first_nearest(neighbours, rows, top)
    # The graph has the rows themselves, so an exact search is open to it too.
    every = faiss.downcast_index(neighbours.storage)
    candidates = max(SEARCHING, CANDIDATES * top)
    if candidates * TEXTS_OF_CANDIDATE >= neighbours.ntotal:
        return _first_nearest(every, rows, top)
    settings = faiss.SearchParametersHNSW(efSearch=candidates)
    found: tuple[Rows, NDArray[np.int64]] = neighbours.search(rows, top, params=settings)
    # Where many rows are the same, the graph falls apart and finds too few: the rest are −1.
    return _first_nearest(every, rows, top) if (found[1] < 0).any() else _in_order(*found)


def _first_nearest(neighbours: Any, rows: Rows, top: int) -> tuple[Rows, NDArray[np.int64]]:
    """Search exactly; faiss keeps any of the rows that are equally near, so it is asked for all."""
    wanted = top
    while True:
        wanted = min(wanted + 1, neighbours.ntotal)
        cosines, numbers = _in_order(*neighbours.search(rows, wanted))
        # All that are as near as the last wanted one are there once a farther one is.
        if wanted == neighbours.ntotal or (cosines[:, -1] < cosines[:, top - 1]).all():
            return cosines[:, :top], numbers[:, :top]
        wanted *= 4


def _in_order(cosines: Rows, numbers: NDArray[np.int64]) -> tuple[Rows, NDArray[np.int64]]:
    """Order the rows that were found: the nearest first, and of those equally near the first."""
    # Rounding to half precision lets some exceed 1: they are equal too.
    cosines = np.minimum(cosines, np.float32(1))
    order = np.lexsort((numbers, -cosines), axis=1)
    return np.take_along_axis(cosines, order, axis=1), np.take_along_axis(numbers, order, axis=1)


def write_neighbours(path: Path, neighbours: Any) -> None:
    """Write an index of faiss to a file.

    Raises
    ------
    OSError
        With the code of the system, such as that of a full disk.
    """
    try:
        faiss.write_index(neighbours, str(path))
    except RuntimeError as error:
        # faiss says in words of C++ what the system said, such as that a disk is full.
        said = (code for code in errno.errorcode if f"({os.strerror(code)})" in str(error))
        code = next(said, errno.EIO)
        raise OSError(code, os.strerror(code)) from error


def read_neighbours(path: Path) -> Any:
    """Read what `write_neighbours` wrote."""
    return faiss.read_index(str(path))
