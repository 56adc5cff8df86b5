import lzma
import random

import pytest

from training.text import clean_line, held_out, pieces, read_documents


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("A man  plays\ta guitar", "A man plays a guitar."),
        ("((WN)) What comes next?", "What comes next?"),
        ("He said “go away.”", "He said “go away.”"),
        ("The waiver\\xa0of rules ends.", "The waiver of rules ends."),
        ("Image: Somebody.", ""),
        ("1947 $35,860", ""),
        ("Yes.", ""),
        ("", ""),
    ],
)
def test_a_line_is_cleaned_or_dropped(raw, clean):
    assert clean_line(raw) == clean


@pytest.mark.parametrize("packed", [True, False])
def test_a_blank_line_parts_documents(tmp_path, packed):
    text = "\n\nThe first line.\nThe second line.\n\n\nAnother document here\n"
    if packed:
        (tmp_path / "some.txt.xz").write_bytes(lzma.compress(text.encode()))
    else:
        (tmp_path / "some.txt").write_text(text)
    assert list(read_documents(tmp_path, "some")) == [
        ("The first line.", "The second line."),
        ("Another document here.",),
    ]


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no some\.txt\.xz or some\.txt in"):
        list(read_documents(tmp_path, "some"))


def test_held_out_documents_do_not_depend_on_order_and_repeats_stay_together():
    documents = [(f"This is document {number}.",) for number in range(200)] * 2
    train, kept = held_out(documents, 0.05)
    turned, turned_kept = held_out(documents[::-1], 0.05)
    assert set(kept) == set(turned_kept)
    assert not set(train) & set(kept)
    assert sorted(train) == sorted(turned)
    assert len(kept) == 20


def test_at_least_one_document_is_held_out():
    train, kept = held_out([("One text.",), ("Two texts.",)], 0.01)
    assert (len(train), len(kept)) == (1, 1)


def test_pieces_hold_all_sentences_in_order_and_end_once():
    document = tuple(f"Line {n} is here. It says {n}." for n in range(50))
    cut = list(pieces(document, 100, random.Random(0)))
    assert " ".join(text for text, _ in cut) == " ".join(document)
    assert [ended for _, ended in cut] == [False] * (len(cut) - 1) + [True]
    assert all(text[0] in "LI" and text.endswith(".") for text, _ in cut)
    assert max(len(text) for text, _ in cut) < 160


def test_a_single_sentence_does_not_end():
    assert list(pieces(("One sentence only.",), 100, random.Random(0))) == [
        ("One sentence only.", False)
    ]
