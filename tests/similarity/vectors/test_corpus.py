import gzip
import lzma
from itertools import islice
from pathlib import Path

import pytest

from similarity.errors import InputError
from similarity.vectors.corpus import read_corpus


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_lines_are_cut_into_sentences(tmp_path: Path) -> None:
    file = written(tmp_path / "a", "A man sleeps here. A dog, e.g. mine, barks! Oh.", "", "  x  ")
    left_out: list[str] = []
    texts = list(read_corpus([file], on_left_out=left_out.append))
    assert texts == ["A man sleeps here.", "A dog, e.g. mine, barks!"]
    assert left_out == ["Oh.", "x"]


def test_files_take_turns_and_may_be_packed(tmp_path: Path) -> None:
    plain = written(tmp_path / "a.txt", *(f"plain text number {i}" for i in range(3)))
    packed = tmp_path / "b.txt.xz"
    packed.write_bytes(lzma.compress("\ufeffpacked text number 0\n".encode()))
    texts = list(read_corpus([plain, packed]))
    assert texts[:2] == ["plain text number 0", "packed text number 0"]
    assert len(texts) == 4


def test_texts_stand_in_any_format(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("id,text\n1,A sentence of a table.\n")
    lines = written(tmp_path / "b.jsonl", '{"text": "A sentence of an object."}')
    packed = tmp_path / "c.jsonl.gz"
    packed.write_bytes(gzip.compress(lines.read_bytes()))
    texts = list(read_corpus([table, lines, packed]))
    assert texts == ["A sentence of a table.", *["A sentence of an object."] * 2]
    named = written(tmp_path / "d", "nr\tcomment", "1\tA sentence of a comment.")
    assert list(read_corpus([named], kind="tsv", columns="comment")) == ["A sentence of a comment."]


def test_a_stream_is_read_as_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "a"
    # What cannot be read comes after what is asked for.
    file.write_bytes(b"a text of some length\n" * 10_000 + b"\xff")
    assert len(list(islice(read_corpus([file]), 100))) == 100
    with pytest.raises(InputError, match="not UTF-8"):
        list(read_corpus([file]))


def test_a_draw_is_even_and_the_same_each_time(tmp_path: Path) -> None:
    lines = [f"the text of number {i:04}" for i in range(1000)]
    file = written(tmp_path / "a", *lines)
    drawn = list(read_corpus([file], per_file=200))
    assert drawn == list(read_corpus([file], per_file=200))
    assert drawn == sorted(set(drawn))
    assert len(drawn) == 200
    assert 60 < sum(text < lines[500] for text in drawn) < 140
    assert list(read_corpus([file], per_file=5000)) == lines


def test_what_cannot_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.xz").write_bytes(b"not xz")
    (tmp_path / "cut.xz").write_bytes(lzma.compress(b"A sentence that is long. " * 9)[:-9])
    for name in ("a.xz", "cut.xz", "missing"):
        with pytest.raises(InputError, match=f"cannot read .*{name}"):
            list(read_corpus([tmp_path / name]))
