"""Unlabelled text from files, a text at a time, with bounds on memory and size."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path

from similarity.tabular.texts import stream_file

# A text of fewer characters says too little, one of more is more than one sentence.
SHORTEST, LONGEST = 12, 400
# Texts that a fit wants, as the guide to a domain says.
ENOUGH = 100
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")


def _ignored(_text: str) -> None:
    """Do nothing with a text that is left out: the default of `on_left_out`."""


def few_to_fit(count: int) -> Iterator[str]:
    """Warn of a fit to so few different texts that others would give another."""
    if count < ENOUGH:
        yield f"{count} different texts hardly show what is usual among yours; give {ENOUGH}"


def read_corpus(
    files: Sequence[Path],
    per_file: int | None = None,
    on_left_out: Callable[[str], None] = _ignored,
    *,
    kind: str | None = None,
    columns: str | None = None,
) -> Iterator[str]:
    """Yield the texts of all files in turn, one of each file, so that any part is a mix of all.

    A text is cut into sentences; sentences of fewer than SHORTEST or more than LONGEST
    characters are left out.

    Parameters
    ----------
    per_file
        At most so many texts of each file, drawn evenly from all of it: then a file's texts
        are held in memory, and otherwise one of each file at a time.
    on_left_out
        Called with each sentence that is left out, by its length alone.
    kind, columns
        Of each file, as `similarity.tabular.texts.read_file` takes them.

    Raises
    ------
    InputError, ConfigError
        As `read_file` does.
    """
    sources = [
        _sentences((text for text, _ in stream_file(str(file), kind, columns)), on_left_out)
        for file in files
    ]
    if per_file is not None:
        sources = [iter(_drawn(source, per_file)) for source in sources]
    for texts in zip_longest(*sources):
        yield from (text for text in texts if text is not None)


def _sentences(texts: Iterable[str], on_left_out: Callable[[str], None]) -> Iterator[str]:
    for whole in texts:
        for text in map(str.strip, _SENTENCE_END.split(whole)):
            if SHORTEST <= len(text) <= LONGEST:
                yield text
            elif text:
                on_left_out(text)


def _drawn(texts: Iterator[str], count: int) -> list[str]:
    """Return `count` of the texts, each subset as likely (Vitter 1985, algorithm R).

    The draw is the same each time, and the result in the order of the file.
    """
    kept = list(enumerate(islice(texts, count)))
    draw = random.Random(count)
    for number, text in enumerate(texts, count):
        place = draw.randrange(number + 1)
        if place < count:
            kept[place] = (number, text)
    return [text for _, text in sorted(kept)]
