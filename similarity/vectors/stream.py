"""Writes vectors of many texts to a file, part by part in bounded memory; a stopped run goes on."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np

from similarity.arrays import Rows
from similarity.digests import digest_of
from similarity.extras import optional_module
from similarity.given import check_ids, given_strings
from similarity.models.base import OnProgress, ignore_progress
from similarity.models.revision import identity
from similarity.printable import encodable
from similarity.slices import slices
from similarity.storage.files import replace_file, writing
from similarity.storage.parts import Parts, is_begun, parts_of
from similarity.texts.truncation import REFUSE, Truncator, truncation_header
from similarity.vectors.meaning import BATCH_TEXTS, MeaningVectors
from similarity.vectors.storage import fingerprint

# The place of the first text of some, and their vectors, shape "text width".
Placed = Iterator[tuple[int, Rows]]
# What texts are called, if they have names.
Ids = Sequence[str] | None


def encoded(
    vectors: MeaningVectors,
    texts: Sequence[str],
    dimensions: int | None,
    truncator: Truncator,
    on_progress: OnProgress,
    parts: Parts | None = None,
) -> Placed:
    """Yield the place and the vectors of some texts at a time, to hold no more than those.

    Parameters
    ----------
    parts
        Where the vectors of an earlier process are, and where these are kept.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    for number, start in zip(count(), range(0, len(texts), BATCH_TEXTS), strict=False):
        some = truncator.cut(texts[start : start + BATCH_TEXTS])
        if parts is not None and parts.has_file(number):
            on_progress(len(some))
            yield start, np.load(parts.path(number))
            continue
        rows = vectors.encode(some, dimensions=dimensions, on_progress=on_progress)
        if parts is not None:
            parts.write(number, partial(_save, rows))
        yield start, rows


def check_texts(vectors: MeaningVectors, texts: Sequence[str], truncator: Truncator) -> None:
    """Refuse texts that cannot be read, before the first is read.

    Raises
    ------
    InputError
        If this is no list of texts, or one is too long for the model, and is not to be cut.
    """
    texts = given_strings(texts)
    if truncator.truncate == REFUSE:
        for some in slices(texts, BATCH_TEXTS):
            vectors.tokens(some)


def write_vectors(
    vectors: MeaningVectors,
    texts: Sequence[str],
    path: Path,
    kind: str,
    dimensions: int | None,
    truncator: Truncator,
    on_progress: OnProgress,
    ids: Ids = None,
) -> int:
    """Write the vectors of texts to a file of a kind in `WRITTEN`; return their width.

    Parts that an earlier process finished are not computed again.

    Parameters
    ----------
    ids
        The names of the texts, if they have any; written beside the vectors.

    Raises
    ------
    InputError
        If a text cannot be read by the model, `ids` are no list of as many, the file cannot be
        written, another process writes it, or the folder of its parts has other files.
    ConfigError
        If it was begun with other texts, vectors or settings, or `dimensions` is out of range.
    """
    width, texts = vectors.check_dimensions(dimensions), given_strings(texts)
    check_ids(ids, len(texts))
    header = {
        "kind": "vectors",
        "model": identity(vectors.model.info),
        "vectors": fingerprint(vectors)["id"],
        "texts": {"number": len(texts), "sha256": digest_of(list(texts))},
        "dimensions": width,
        **truncation_header(truncator.truncate, vectors.model.info),
    }
    if not is_begun(path):
        check_texts(vectors, texts, truncator)
    with parts_of(path, header) as parts:
        # All parts first: only then the file is made of them.
        for _ in encoded(vectors, texts, dimensions, truncator, on_progress, parts):
            pass
        known = encoded(vectors, texts, dimensions, truncator, ignore_progress, parts)
        with writing(path):
            replace_file(path, lambda new: WRITTEN[kind](new, texts, ids, known, width))
    return width


def as_lines(texts: Sequence[str], ids: Ids, start: int, rows: Rows) -> str:
    """Return the vectors of some texts, from one on, as JSON lines."""
    return "".join(
        json.dumps(
            {
                **({} if ids is None else {"id": ids[number]}),
                "text": texts[number],
                # The shortest digits that are read back as the same float32.
                "vector": [float(str(x)) for x in row],
            }
        )
        + "\n"
        for number, row in enumerate(rows, start)
    )


def _write_npy(path: Path, texts: Sequence[str], _ids: Ids, parts: Placed, width: int) -> None:
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(texts), width)}
        np.lib.format.write_array_header_1_0(file, header)
        for _, rows in parts:
            file.write(rows.astype("<f4").tobytes())


def _write_jsonl(path: Path, texts: Sequence[str], ids: Ids, parts: Placed, _width: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for start, rows in parts:
            file.write(as_lines(texts, ids, start, rows))


def _write_parquet(path: Path, texts: Sequence[str], ids: Ids, parts: Placed, width: int) -> None:
    pyarrow = optional_module("pyarrow", "Parquet needs")
    parquet = optional_module("pyarrow.parquet", "Parquet needs")
    vector = pyarrow.list_(pyarrow.float32(), width)
    named = {"text": texts} if ids is None else {"id": list(map(encodable, ids)), "text": texts}
    strings = [(name, pyarrow.string()) for name in named]
    schema = pyarrow.schema([*strings, ("vector", vector)])
    with parquet.ParquetWriter(path, schema) as writer:
        for start, rows in parts:
            flat = pyarrow.array(rows.astype("<f4").ravel())
            columns = [
                *(
                    pyarrow.array(of_all[start : start + len(rows)], pyarrow.string())
                    for of_all in named.values()
                ),
                pyarrow.FixedSizeListArray.from_arrays(flat, width),
            ]
            writer.write_batch(pyarrow.record_batch(columns, schema=schema))


WRITTEN = {"npy": _write_npy, "jsonl": _write_jsonl, "parquet": _write_parquet}


def _save(rows: Rows, path: Path) -> None:
    # Not into the file itself: NumPy gives no reason if a file cannot be written.
    content = BytesIO()
    np.save(content, rows)
    path.write_bytes(content.getbuffer())
