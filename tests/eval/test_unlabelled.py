import gzip
from pathlib import Path

import pytest

from eval import datasets
from eval.datasets import Benchmark, Source, load_task
from eval.unlabelled import fit_warnings, read_unlabelled
from similarity.errors import InputError

ROWS = "subset\tscore\tsentence1\tsentence2\n"


def write(folder: Path, task: str, *pairs: tuple[str, str]) -> None:
    rows = "".join(f"\t{i}\t{first}\t{second}\n" for i, (first, second) in enumerate(pairs))
    (folder / f"{task}.tsv").write_text(ROWS + rows, encoding="utf-8")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    for task in ("stsb-train", "sick-r-train", "stsb-test"):
        monkeypatch.setitem(datasets.BENCHMARKS, task, Benchmark(task, 2, None))
    write(tmp_path, "stsb-train", ("a", "b"), ("b", "in the test"))
    write(tmp_path, "sick-r-train", ("c", "a"), ("d", "d"))
    write(tmp_path, "stsb-test", ("in the test", "x"), ("y", "z"))
    return Source(str(tmp_path))


def test_sentences_of_what_is_not_reported_on(source: Source) -> None:
    found = read_unlabelled(None, source, [load_task("stsb-test", source)])
    assert found.texts == ["a", "b", "c", "d"]
    assert found.origin == "stsb-train, sick-r-train"


def test_a_damaged_file_is_no_missing_one(source: Source, tmp_path: Path) -> None:
    write(tmp_path, "sick-r-train", ("c", "a"))
    with pytest.raises(InputError, match="has 1 pairs"):
        read_unlabelled(None, source, [])


def test_without_any_there_are_none(tmp_path: Path) -> None:
    assert read_unlabelled(None, Source(str(tmp_path / "none")), []).texts == []


def test_lines_of_a_file(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "texts"
    path.write_text("one\n\n two \none\nx\n", encoding="utf-8")
    found = read_unlabelled(path, source, [load_task("stsb-test", source)])
    assert found.texts == ["one", "two"]
    assert found.origin == "texts"
    assert found.to_dict()["left_out"] == 1


def test_texts_of_the_pairs_and_few_others_are_said(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "texts"
    pairs = [load_task("stsb-test", source)]

    def said(*texts: str) -> list[str]:
        path.write_text("\n".join(texts), encoding="utf-8")
        return list(fit_warnings(read_unlabelled(path, source, pairs).to_dict()))

    left_out = "2 of the {} different texts of texts stand in the judged pairs too, and nothing is"
    many = [f"text {i}" for i in range(100)]
    assert said(*many) == []
    (one,) = said("x", "y", "y", *many)
    assert one.startswith(left_out.format(102))
    one, few = said("x", "y", *many[:6])
    assert one.startswith(left_out.format(8))
    assert few == "6 different texts hardly show what is usual among yours; give 100"
    assert len(said("x", "y", "one")) == 1


def test_what_earlier_releases_kept_is_read() -> None:
    assert not list(fit_warnings({"origin": "texts", "texts": 100, "sha256": "0"}))


def test_a_byte_order_mark_is_no_letter(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "texts"
    path.write_text("\ufeffone\ntwo\n", encoding="utf-8")
    assert read_unlabelled(path, source, []).texts == ["one", "two"]


def test_a_file_may_have_any_format(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "one"}\n{"text": "two"}\n'))
    assert read_unlabelled(path, source, []).texts == ["one", "two"]
