"""Nearest neighbours among many texts: their meaning vectors in an index of faiss, in a folder."""

import errno
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from similarity.arrays import Rows
from similarity.errors import ConfigError, InputError
from similarity.extras import optional_module
from similarity.models.base import ModelInfo
from similarity.scorer import Progress, Scorer, given_strings, no_progress
from similarity.storage.bundle import BundleKind, read_bundle, write_bundle
from similarity.storage.files import Writer
from similarity.validation import check_choice, check_count, given_path
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.storage import fingerprint

faiss: Any = optional_module("faiss", "an index needs")

T = TypeVar("T")

MANIFEST, TEXTS, IDS = "index.json", "texts.jsonl", "ids.jsonl"
NEIGHBOURS = "neighbours.faiss"
FORMAT = 2
KIND = BundleKind(MANIFEST, (TEXTS, IDS, NEIGHBOURS), what="index", command="trajsim index build")
KINDS = ("auto", "exact", "graph")
# Up to so many texts an exact search takes some 80 ms, and a graph is not worth its making.
EXACT_TEXTS = 200_000
# Of the graph (HNSW; Malkov and Yashunin 2016): links of a text, and texts looked at to find
# neighbours when a text is added and, at least, when a query is searched.
LINKS, ADDING, SEARCHING = 32, 200, 128
# A graph that keeps so many candidates for each wanted hit found 99 % of 10 to 1,000 hits.
CANDIDATES = 4
# To look at one candidate costs as much as an exact search of 15 to 200 texts.
TEXTS_OF_CANDIDATE = 128


@dataclass(frozen=True)
class Hit:
    """A text that was found: its number in the index, and its similarity to the query.

    `id` is what the text is called, if it has a name.
    """

    number: int
    text: str
    similarity: float
    id: str | None = None


@dataclass(frozen=True, eq=False)
class TextIndex:
    """Texts that can be searched by meaning; opened by `open_index`."""

    texts: Sequence[str]
    vectors: MeaningVectors
    neighbours: Any
    ids: Sequence[str] | None = None

    def query(self, text: str, top: int = 10) -> list[Hit]:
        """Return the texts whose vectors have the highest cosines with that of the text.

        Raises
        ------
        InputError
            If the text is empty, not valid Unicode, or too long for the model.
        ConfigError
            If `top` is not at least 1.
        """
        check_count("top", top)
        rows = self.vectors.encode([text])
        cosines, numbers = _nearest(self.neighbours, rows, min(top, len(self.texts)))
        return [
            Hit(i, self.texts[i], min(1.0, cosine), None if self.ids is None else self.ids[i])
            for i, cosine in zip(numbers[0].tolist(), cosines[0].tolist(), strict=True)
        ]


def _nearest(neighbours: Any, rows: Rows, top: int) -> tuple[Rows, NDArray[np.int64]]:
    """Return the cosines and the numbers of exactly `top` texts, shape "row top"."""
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
    # Where many texts are the same, the graph falls apart and finds too few: the rest are −1.
    return every.search(rows, top) if (found[1] < 0).any() else found


def build_index(
    folder: Path | str,
    vectors: MeaningVectors,
    texts: Sequence[str],
    encoded: Iterable[Rows],
    kind: str = "auto",
    *,
    ids: Sequence[str] | None = None,
    preset: str | None = None,
) -> None:
    """Write an index of texts to a folder, whole or not at all, in place of an older one.

    Parameters
    ----------
    encoded
        The texts' vectors, shape "text width", in parts.
    kind
        "exact" compares with all; "graph" is quicker to search where there are many, slower to
        make, and may miss a text; "auto" takes the one that suits the number.
    ids
        What the texts are called, if they have names.
    preset
        The preset of the vectors, if not the default; it is kept for those who open the index.

    Raises
    ------
    InputError
        If there are no texts, or the folder cannot be written to.
    ConfigError
        If the kind is unknown.
    """
    check_choice("kind", kind, KINDS)
    folder, texts = given_path("folder", folder), given_strings(texts)
    if not texts:
        raise InputError("an index needs at least one text")
    if kind == "auto":
        kind = "exact" if len(texts) <= EXACT_TEXTS else "graph"
    neighbours = empty_neighbours(kind, vectors.width)
    for rows in encoded:
        neighbours.add(rows)
    content = {
        "format": FORMAT,
        "kind": kind,
        "texts": len(texts),
        "vectors": fingerprint(vectors)["id"],
        "model": asdict(vectors.model.info),
        "preset": preset,
    }
    files: dict[str, Writer] = {
        TEXTS: lambda path: _write_lines(path, texts),
        NEIGHBOURS: lambda path: _write_neighbours(path, neighbours),
    }
    if ids is not None:
        files[IDS] = lambda path: _write_lines(path, ids)
    write_bundle(KIND, folder, content, files)


def check_index(folder: Path, model: ModelInfo | None = None) -> dict[str, Any]:
    """Return the manifest of an index, before its model or its vectors are loaded.

    Parameters
    ----------
    model
        The model that is to read the queries.

    Raises
    ------
    ConfigError
        If there is none, it is damaged, or was built with another model.
    """
    return _read(folder, lambda content: _checked(folder, content, model))


def _read(folder: Path, read: Callable[[dict[str, Any]], T]) -> T:
    return read_bundle(KIND, folder, read)


def _checked(folder: Path, content: dict[str, Any], model: ModelInfo | None) -> dict[str, Any]:
    if content["format"] != FORMAT:
        raise ConfigError(f"the index in {folder} is of another version; build it anew")
    # Those of earlier releases do not say it.
    built = content.get("model")
    if model is not None and built is not None and built != asdict(model):
        raise ConfigError(
            f"the index in {folder} was built with {_named(built)}, and this is "
            f"{_named(asdict(model))}; give --model {built['name']}, or build it anew"
        )
    return content


def _named(model: Mapping[str, Any]) -> str:
    return f"model {model['name']} at {model['revision']} in {model['dtype']}"


def open_index(folder: Path | str, vectors: MeaningVectors) -> TextIndex:
    """Read an index that was built with these vectors.

    Raises
    ------
    ConfigError
        If there is none, it is damaged, or was built with others.
    """
    folder = given_path("folder", folder)
    return _read(folder, lambda content: _opened(folder, content, vectors))


def _opened(folder: Path, content: dict[str, Any], vectors: MeaningVectors) -> TextIndex:
    _checked(folder, content, vectors.model.info)
    given = fingerprint(vectors)["id"]
    if content["vectors"] != given:
        raise ConfigError(
            f"the index in {folder} was built with vectors {content['vectors']}, and these are "
            f"{given}; give the --model and --vectors of the index, or build it anew"
        )
    files = content["files"]
    texts = _read_lines(folder / files[TEXTS])
    ids = _read_lines(folder / files[IDS]) if IDS in files else None
    neighbours = faiss.read_index(str(folder / files[NEIGHBOURS]))
    return TextIndex(texts, vectors, neighbours, ids)


def _write_neighbours(path: Path, neighbours: Any) -> None:
    try:
        faiss.write_index(neighbours, str(path))
    except RuntimeError as error:
        # faiss says in words of C++ what the system said, such as that a disk is full.
        said = (code for code in errno.errorcode if f"({os.strerror(code)})" in str(error))
        code = next(said, errno.EIO)
        raise OSError(code, os.strerror(code)) from error


def _write_lines(path: Path, texts: Sequence[str]) -> None:
    path.write_text("".join(f"{json.dumps(text)}\n" for text in texts))


def _read_lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def rerank(
    scorer: Scorer, text: str, hits: Sequence[Hit], progress: Progress = no_progress
) -> list[Hit]:
    """Return hits by the similarity that another scorer gives them, the most similar first.

    Raises
    ------
    InputError
        If the text or a hit is too long for the model with these settings.
    """
    scores = scorer.score([(text, hit.text) for hit in hits], progress)
    found = [
        replace(hit, similarity=score.similarity) for hit, score in zip(hits, scores, strict=True)
    ]
    return sorted(found, key=lambda hit: -hit.similarity)


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
