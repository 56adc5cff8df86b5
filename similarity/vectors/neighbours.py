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
    """Return the cosines and the numbers of exactly `top` rows, shape "row top"."""
    found: tuple[Rows, NDArray[np.int64]]
    if not isinstance(neighbours, faiss.IndexHNSW):
        found = neighbours.search(rows, top)
        return found
    # The graph has the rows themselves, so an exact search is open to it too.
    every = faiss.downcast_index(neighbours.storage)
    candidates = max(SEARCHING, CANDIDATES * top)
    if candidates * TEXTS_OF_CANDIDATE >= neighbours.ntotal:
        found = every.search(rows, top)
        return found
    settings = faiss.SearchParametersHNSW(efSearch=candidates)
    found = neighbours.search(rows, top, params=settings)
    # Where many rows are the same, the graph falls apart and finds too few: the rest are −1.
    return every.search(rows, top) if (found[1] < 0).any() else found


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
