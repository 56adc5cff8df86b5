"""Unlabelled text from files, a line at a time: plain or xz, with bounds on memory and size."""

import lzma
import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import IO

from similarity.errors import InputError

# A text of fewer characters says too little, one of more is more than one sentence.
SHORTEST, LONGEST = 12, 400
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")


def _ignored(_text: str) -> None:
    """Do nothing with a text that is left out: the default of `on_left_out`."""


def read_corpus(
    files: Sequence[Path],
    per_file: int | None = None,
    on_left_out: Callable[[str], None] = _ignored,
) -> Iterator[str]:
    """Yield the texts of all files in turn, one of each file, so that any part is a mix of all.

    A line is cut into sentences; sentences of fewer than SHORTEST or more than LONGEST
    characters are left out.

    Parameters
    ----------
    per_file
        At most so many texts of each file, drawn evenly from all of it: then a file's texts
        are held in memory, and otherwise one line of each file at a time.

    on_left_out
        Called with each sentence that is left out, by its length alone.

    Raises
    ------
    InputError
        If a file cannot be read or is not UTF-8.
    """
    sources = [_sentences(file, on_left_out) for file in files]
    if per_file is not None:
        sources = [iter(_drawn(source, per_file)) for source in sources]
    for texts in zip_longest(*sources):
        yield from (text for text in texts if text is not None)


def _sentences(file: Path, on_left_out: Callable[[str], None]) -> Iterator[str]:
    try:
        with _open(file) as lines:
            for line in lines:
                for text in map(str.strip, _SENTENCE_END.split(line)):
                    if SHORTEST <= len(text) <= LONGEST:
                        yield text
                    elif text:
                        on_left_out(text)
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {file}: {reason}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8; convert it to UTF-8") from error


def _open(file: Path) -> IO[str]:
    if file.suffix == ".xz":
        return lzma.open(file, "rt", encoding="utf-8-sig")
    return file.open(encoding="utf-8-sig")


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
