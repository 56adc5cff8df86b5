"""The lines of a batch: from bytes to what is to be compared, or to why it cannot be."""

import json
from dataclasses import dataclass
from typing import Any, BinaryIO

from similarity.errors import InputError

# A line is held in memory whole; one longer than this is a file without line ends.
MAX_LINE_BYTES = 2**24
# Of a line that is longer, what the errors file shows.
SHOWN_BYTES = 1000

KEYS = ("custom_id", "pair", "texts")


@dataclass(frozen=True)
class Line:
    """A line of the input: its number, from 1, and its bytes without the line end."""

    number: int
    content: bytes


@dataclass(frozen=True)
class Item:
    """What a line asks for: the comparison of a pair, or of all texts among themselves."""

    line: Line
    custom_id: str
    texts: tuple[str, ...]
    is_pair: bool


@dataclass(frozen=True)
class Answer:
    """What is written for a line: into the output, or, where it is refused, into the errors."""

    content: dict[str, Any]
    refused: bool = False


def read_line(source: BinaryIO) -> bytes:
    """Return the next line, b"" at the end of the file; of a line too long, its beginning."""
    line = source.readline(MAX_LINE_BYTES + 1)
    rest = line
    while rest and not rest.endswith(b"\n"):
        rest = source.readline(MAX_LINE_BYTES)
    return line


def parse(line: Line) -> Item:
    """Return what a line asks for; its texts are not checked yet.

    Raises
    ------
    InputError
        If it is no object with a custom_id, and either a pair or texts.
    """
    content = _object(line.content)
    unknown = sorted(content.keys() - set(KEYS))
    if unknown:
        raise InputError(f"unknown key {unknown[0]!r}; allowed: {', '.join(KEYS)}")
    custom_id = content.get("custom_id")
    if not isinstance(custom_id, str):
        raise InputError(f"custom_id must be a string, got {_shown(custom_id)}")
    if ("pair" in content) == ("texts" in content):
        raise InputError("give either 'pair', two texts, or 'texts', a list of them")
    texts = _texts(content)
    return Item(line, custom_id, tuple(texts), is_pair="pair" in content)


def refusal(line: Line, reason: InputError, custom_id: str | None = None) -> Answer:
    """Return what the errors file says of a line: enough to mend it and to find it again."""
    too_long = len(line.content) > MAX_LINE_BYTES
    kept = line.content[:SHOWN_BYTES] if too_long else line.content
    content = {
        "line": line.number,
        "custom_id": custom_id,
        "reason": " ".join(str(reason).split()),
        "input": kept.decode(errors="backslashreplace"),
    }
    return Answer(content, refused=True)


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise InputError(f"the line has more than {MAX_LINE_BYTES} bytes")
    try:
        content = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"the line is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        where = f"{error.msg} at character {error.pos + 1}"
        raise InputError(f"the line is not JSON: {where}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"the line is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"the line must be a JSON object, got {_shown(content)}")
    return content


def _texts(content: dict[str, Any]) -> list[str]:
    name = "pair" if "pair" in content else "texts"
    texts = content[name]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{name} must be a list of strings, got {_shown(texts)}")
    if name == "pair" and len(texts) != 2:
        raise InputError(f"pair must have two texts, got {len(texts)}")
    if not texts:
        raise InputError("texts must have at least one text")
    return texts


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
