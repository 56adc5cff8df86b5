from pathlib import Path

import pytest

from similarity.errors import ConfigError, InputError
from similarity.tabular.judged import JudgedPair, read_judged_pairs

EXPECTED = [JudgedPair(("a red car", "the sea"), 1.5), JudgedPair(("a", "b"), 4.0)]


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.tsv", "score\tsentence1\tsentence2\n1.5\ta red car\tthe sea\n4\ta\tb\n", None),
        ("a.csv", "first,label,second\na red car,1.5,the sea\na,4,b\n", None),
        ("a.csv", "Text1, TEXT2,Score \na red car,the sea,1.5\na,b,4\n", None),
        ("a.csv", "u,v,w\na red car,the sea,1.5\na,b,4\n", "u,v,w"),
        ("a.csv", "a red car,1.5,the sea\na,4,b\n", "1,3,2"),
        (
            "a.jsonl",
            '{"text1": "a red car", "text2": "the sea", "judgement": 1.5}\n'
            '{" Text1": "a", "text2 ": "b", "Judgement ": 4}\n',
            None,
        ),
    ],
)
def test_formats_and_columns(tmp_path: Path, name: str, content: str, columns: str | None) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert read_judged_pairs(str(path), columns=columns) == EXPECTED


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("text1,text2,score\na,b,much\n", None, "line 2: score must be a number, got 'much'"),
        ("text1,text2,score\na,b,nan\n", None, "line 2: score must be a number"),
        ("text1,text2,score\na, ,1\n", None, "line 2: a text is empty"),
        ("text1,text2\na,b\n", None, "line 2: no column of judgements named score or judgement"),
        ("text1,score\na,1\n", None, "line 2: no columns of texts named text1/text2"),
        (
            "text1,text2,score\na,b,1\n",
            "text1,text2,x",
            "line 2: no column of judgements named x; there are text1",
        ),
        ("text1,text2,score\n", None, "has no pairs"),
        (
            "text1,text2,score\na,b,3\nc,d,3\n",
            None,
            "has the judgement 3 in all of its 2 pairs, which makes no scale; give pairs of which",
        ),
        ("text1,text2,score\na,b,3\n", None, "in all of its 1 pairs"),
        ("text1,text1,text2,score\na,b,c,3\n", None, "two of its columns are named 'text1'; ke"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str, columns: str | None, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_judged_pairs(str(path), columns=columns)


@pytest.mark.parametrize("text", ["null", "5", "true", '["a"]', '{"a": "b"}'])
def test_what_is_no_text_is_not_made_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text1": {text}, "text2": "b", "score": 1}}\n', encoding="utf-8")
    with pytest.raises(InputError, match="line 1: text1 must be a text, got"):
        read_judged_pairs(str(path))


def test_columns_are_three(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two texts and the judgement, got 'a,b'"):
        read_judged_pairs(str(tmp_path / "a.csv"), columns="a,b")
    with pytest.raises(InputError, match="^cannot read [^:]*: No such file or directory$"):
        read_judged_pairs(str(tmp_path / "none.csv"))


def test_a_row_with_too_few_fields_is_named_as_that(tmp_path: Path) -> None:
    path = tmp_path / "judged.csv"
    for row in ("d", "d,e"):
        path.write_text(f"text1,text2,score\na,b,1\n{row}\n")
        said = r"line 3: it has \d fields? and the first line 3, parted by commas; add those"
        with pytest.raises(InputError, match=said):
            read_judged_pairs(str(path))
