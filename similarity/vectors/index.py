"""Nearest neighbours among many texts: their meaning vectors in an index of faiss, in a folder."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from similarity.arrays import Rows
from similarity.errors import ConfigError, InputError
from similarity.given import check_as_many, check_ids, given_strings
from similarity.models.base import ModelInfo
from similarity.models.revision import identity
from similarity.scorer import Progress, Scorer, no_progress
from similarity.storage.bundle import BundleKind, read_bundle, write_bundle
from similarity.storage.files import Writer
from similarity.validation import check_choice, given_integer, given_path
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.neighbours import (
    empty_neighbours,
    nearest,
    read_neighbours,
    write_neighbours,
)
from similarity.vectors.storage import fingerprint

T = TypeVar("T")

MANIFEST, TEXTS, IDS, NEIGHBOURS = "index.json", "texts.jsonl", "ids.jsonl", "neighbours.faiss"
# Of version 2, a graph has a row for each text, also for those that are the same.
FORMAT, READ_FORMATS = 3, (2, 3)
KIND = BundleKind(MANIFEST, (TEXTS, IDS, NEIGHBOURS), what="index", command="trajsim index build")
# In the place of a type of numbers, of a model that a server has.
_SERVED = "served"
KINDS = ("auto", "exact", "graph")
# Up to so many texts an exact search takes some 80 ms, and a graph is not worth its making.
EXACT_TEXTS = 200_000


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

        Of texts that are equally similar those that come first in the index come first.

        Raises
        ------
        InputError
            If the text is empty, not valid Unicode, or too long for the model.
        ConfigError
            If `top` is not at least 1.
        """
        top = given_integer("top", top, at_least=1)
        rows = self.vectors.encode([text])
        cosines, found = nearest(self.neighbours, rows, min(top, self.neighbours.ntotal))
        hits = (
            Hit(i, self.texts[i], cosine, None if self.ids is None else self.ids[i])
            for row, cosine in zip(found[0].tolist(), cosines[0].tolist(), strict=True)
            for i in self._texts_of(row)
        )
        return sorted(hits, key=lambda hit: (-hit.similarity, hit.number))[:top]

    @cached_property
    def _copies(self) -> Sequence[Sequence[int]] | None:
        """The numbers of the texts of each row, where texts that are the same share one."""
        if self.neighbours.ntotal == len(self.texts):
            return None
        return list(_numbers_of(self.texts).values())

    def _texts_of(self, row: int) -> Sequence[int]:
        return (row,) if self._copies is None else self._copies[row]


def build_index(
    folder: str | PathLike[str],
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
        If there are no texts, `ids` or vectors are not as many, or the folder cannot be written to.
    ConfigError
        If the kind is unknown.
    """
    check_choice("kind", kind, KINDS)
    folder, texts = given_path("folder", folder), given_strings(texts)
    if not texts:
        raise InputError("an index needs at least one text")
    check_ids(ids, len(texts))
    if kind == "auto":
        kind = "exact" if len(texts) <= EXACT_TEXTS else "graph"
    neighbours = empty_neighbours(kind, vectors.width)
    encoded = _as_many(texts, encoded)
    for rows in encoded if kind == "exact" else _first_of_each(texts, encoded):
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
        NEIGHBOURS: lambda path: write_neighbours(path, neighbours),
    }
    if ids is not None:
        files[IDS] = lambda path: _write_lines(path, ids)
    write_bundle(KIND, folder, content, files)


def _numbers_of(texts: Sequence[str]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        numbers.setdefault(text, []).append(number)
    return numbers


def _as_many(texts: Sequence[str], encoded: Iterable[Rows]) -> Iterator[Rows]:
    """Yield the parts of the vectors, and none that is of more texts than there are.

    Raises
    ------
    InputError
        In the end, if there are not as many vectors as texts.
    """
    done = 0
    for rows in encoded:
        done += len(rows)
        if done <= len(texts):
            yield rows
    check_as_many("texts", len(texts), "vectors", done)


def _first_of_each(texts: Sequence[str], encoded: Iterable[Rows]) -> Iterator[Rows]:
    """Yield the rows of texts that are not the same as an earlier one.

    A graph of rows that are the same has links to little else, and misses what is near.
    """
    first = np.zeros(len(texts), dtype=bool)
    first[[numbers[0] for numbers in _numbers_of(texts).values()]] = True
    done = 0
    for rows in encoded:
        yield rows[first[done : done + len(rows)]]
        done += len(rows)


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
    if content["format"] not in READ_FORMATS:
        raise ConfigError(f"the index in {folder} is of another version; build it anew")
    # Those of earlier releases do not say it.
    built = content.get("model")
    if model is not None and built is not None:
        there, here = identity(ModelInfo(**built)), identity(model)
        if there != here:
            raise ConfigError(
                f"the index in {folder} was built with {_named(there)}, and this is "
                f"{_named(here)}; {_to_give(there)} by --model, or build it anew"
            )
    return content


def _named(model: Mapping[str, str]) -> str:
    way = "on a server" if model["dtype"] == _SERVED else f"in {model['dtype']}"
    return f"model {model['name']} at {model['revision']} {way}"


def _to_give(model: Mapping[str, str]) -> str:
    """Return what loads a model: its name alone may not, as of a folder."""
    if model["dtype"] == _SERVED:
        return f"give a server of it, as http://HOST:8000#{model['name']},"
    return "give that model"


def _of_length(built: Mapping[str, Any] | None, given: ModelInfo) -> str:
    """Return what else to give where the model takes more or fewer tokens: it may lack groups."""
    if built is None or (length := built["context_length"]) == given.context_length:
        return ""
    by = " by --max-model-len" if given.dtype == _SERVED else ""
    return f", and a model that takes {length} tokens{by}, not {given.context_length}"


def open_index(folder: str | PathLike[str], vectors: MeaningVectors) -> TextIndex:
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
            f"{given}; give the --model and --vectors of the index"
            f"{_of_length(content.get('model'), vectors.model.info)}, or build it anew"
        )
    files = content["files"]
    texts = _read_lines(folder / files[TEXTS])
    ids = _read_lines(folder / files[IDS]) if IDS in files else None
    neighbours = read_neighbours(folder / files[NEIGHBOURS])
    return TextIndex(texts, vectors, neighbours, ids)


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
