"""From a corpus file to clean documents, and from documents to pieces of a wanted length.

It knows the corpus format (a paragraph or sentence a line, a blank line between documents) and
nothing of tokens.
"""

from __future__ import annotations

import hashlib
import lzma
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

Document = tuple[str, ...]

_MARKUP = re.compile(r"^\(\([A-Z]+\)\)\s*|^(?:Image|Video)\s*:.*", re.IGNORECASE)
_SPACE = re.compile(r"(?:\\xa0|\s)+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_CLOSERS = "\"')]}’”"
_TERMINAL = ".!?:;,…"


def read_documents(folder: Path, name: str) -> Iterator[Document]:
    """Give the documents of one source, cleaned, in the file's order.

    Raises
    ------
    FileNotFoundError
        When the folder has neither `name.txt.xz` nor `name.txt`.
    """
    packed, plain = folder / f"{name}.txt.xz", folder / f"{name}.txt"
    if not packed.exists() and not plain.exists():
        raise FileNotFoundError(f"no {packed.name} or {plain.name} in {folder}")
    if packed.exists():
        with lzma.open(packed, "rt", encoding="utf-8") as lines:
            yield from _documents(lines)
    else:
        with plain.open(encoding="utf-8") as lines:
            yield from _documents(lines)


def clean_line(raw: str) -> str:
    """Strip markup and runs of space; '' for what is too short to be a sentence.

    A line that does not end in punctuation gets a full stop, as the texts of the method do.
    """
    line = _SPACE.sub(" ", _MARKUP.sub("", raw.strip())).strip()
    start = line[:80]
    letters = sum(map(str.isalpha, start))
    if letters < 6 or letters < len(start) / 2 or " " not in start:
        return ""
    return line if line.rstrip(_CLOSERS)[-1:] in tuple(_TERMINAL) else line + "."


def held_out(documents: list[Document], fraction: float) -> tuple[list[Document], list[Document]]:
    """Part the documents into (training, held out) by a hash of their text.

    Documents of equal text fall on the same side, and at least one is held out.
    """
    keys = [hashlib.sha256(" ".join(document).encode()).digest() for document in documents]
    count = max(1, round(fraction * len(documents)))
    bound = sorted(keys)[count - 1] if keys else b""
    train = [document for document, key in zip(documents, keys, strict=True) if key > bound]
    kept = [document for document, key in zip(documents, keys, strict=True) if key <= bound]
    return train, kept


def pieces(document: Document, length: int, rng: random.Random) -> Iterator[tuple[str, bool]]:
    """Cut a document between sentences into texts of about `length` characters.

    A document that fits in 1.3 times the length is left whole, so that few short tails arise.

    Yields
    ------
    text : str
        The sentences joined by spaces.
    ended : bool
        Whether a document ends here. A single sentence that is left whole gives False: a model
        that learns "after one sentence comes the end" has no trajectories to compare.
    """
    whole = " ".join(document)
    sentences = [part for line in document for part in _SENTENCE_END.split(line)]
    if len(whole) <= 1.3 * length:
        yield whole, len(sentences) > 1
        return
    text, wanted = sentences[0], length * rng.uniform(0.6, 1.2)
    for sentence in sentences[1:]:
        if len(text) >= wanted:
            yield text, False
            text, wanted = sentence, length * rng.uniform(0.6, 1.2)
        else:
            text = f"{text} {sentence}"
    yield text, True


def _documents(lines: Iterable[str]) -> Iterator[Document]:
    paragraphs: list[str] = []
    for line in lines:
        if line.strip():
            paragraphs.append(line)
        elif paragraphs:
            yield from _cleaned(paragraphs)
            paragraphs = []
    yield from _cleaned(paragraphs)


def _cleaned(lines: list[str]) -> Iterator[Document]:
    document = tuple(line for line in map(clean_line, lines) if line)
    if document:
        yield document
