import json
from pathlib import Path

import pytest

from eval.labelled import read_labelled, read_words
from similarity.errors import InputError

NLI = "label\tsentence1\tsentence2\n" + "entailment\ta red car\tthe sea\n" * 3


def test_files_are_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text(NLI, encoding="utf-8")
    rows = read_labelled(file, ("label", "sentence1", "sentence2"))
    assert (len(rows), rows[0].label, rows[0].pair) == (
        3,
        "entailment",
        ("a red car", "the sea"),
    )
    with pytest.raises(InputError, match="column|header|hyponym"):
        read_words(file, ("hyponym", "hypernym"))
    blank = tmp_path / "blank.csv"
    blank.write_text("label,sentence1,sentence2\nneutral,a,b\nneutral,a,\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"blank\.csv line 3: a text is empty"):
        read_labelled(blank, ("label", "sentence1", "sentence2"))
    wrong = tmp_path / "pairs.xls"
    wrong.write_text(NLI, encoding="utf-8")
    with pytest.raises(InputError, match="must end in"):
        list(read_labelled(wrong, ("label", "sentence1", "sentence2")))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("", "kind is empty; want 'entailment' or another label"),
        ("  ", "kind is empty"),
        ("\u200b", "kind is empty"),
        ("the rest", "kind must not be 'the rest', as all labels but 'entailment' are called"),
        (" The Rest", "kind must not be ' The Rest', as .*; name it otherwise"),
    ],
)
def test_a_label_without_a_table_of_its_own_is_refused_with_its_line(
    tmp_path: Path, ending: str, label: str, message: str
) -> None:
    """Figures of all other labels together took the place of those of `the rest`."""
    file, columns = tmp_path / f"pairs.{ending}", ("kind", "first", "second")
    rows = [("entailment", "a", "b"), (label, "c", "d")]
    lines = [",".join(row) for row in (columns, *rows)]
    if ending == "jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
    file.write_text("\n".join(lines))
    with pytest.raises(InputError, match=rf"pairs\.{ending} line {len(lines)}: {message}"):
        read_labelled(file, columns)
