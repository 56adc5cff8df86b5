"""What is no text is refused by every reader of files, with its line, whatever the format."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.labelled import read_labelled, read_words
from eval.pair_files import read_pairs
from similarity.errors import InputError
from similarity.tabular.judged import read_judged_pairs
from similarity.tabular.texts import read_file

NOT_TEXTS = {
    "": "a text is empty",
    " \t": "a text is empty",
    "\u200b": "a text is empty",
    "\ufeff": "a text is empty",
    "\x01\x7f": "a text is empty",
    "b\0": "a text has a NUL character",
}
NAMES = ("text", "first", "second", "sentence1", "sentence2")
READERS: dict[str, Callable[[Path], object]] = {
    "texts": lambda path: read_file(str(path)),
    "judged": lambda path: read_judged_pairs(str(path), columns="first,second,score"),
    "pairs": read_pairs,
    "labelled": lambda path: read_labelled(path, ("label", "first", "second")),
    "words": lambda path: read_words(path, ("first", "second")),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", NOT_TEXTS)
def test_a_cell_that_is_no_text_is_refused_with_its_line(
    text: str, reader: str, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    rows = [
        dict.fromkeys(NAMES, one) | {"label": "1", "score": number, "subset": "x"}
        for number, one in enumerate(("a", text))
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(InputError, match=f"line 2: {NOT_TEXTS[text]}"):
        READERS[reader](path)


@pytest.mark.parametrize("ending", ["txt", "csv", "tsv", "jsonl"])
def test_a_line_that_shows_nothing_is_left_out_as_a_blank_one(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"in.{ending}"
    lines = {"txt": ["a", "b"], "jsonl": ['"a"', '"b"']}.get(ending, ["text", "a", "b"])
    path.write_text("\n\u200b\n \ufeff\u2060\n".join(lines))
    assert read_file(str(path)).texts == ["a", "b"]


def test_a_line_of_zeros_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"a\n\0\0\0\nb\n")
    with pytest.raises(InputError, match="line 2: a text has a NUL character"):
        read_file(str(path))
