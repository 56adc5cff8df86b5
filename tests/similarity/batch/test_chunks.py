"""Chunks have a bounded number of lines, and of scores that are held together."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from similarity.batch import chunks as chunks_module
from similarity.batch import open_batch
from similarity.batch.chunks import CHUNK_LINES, CHUNK_SCORES, chunks
from similarity.batch.lines import MAX_LIST_TEXTS
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.models.toy import ToyModel
from similarity.pipeline import TrajectoryScorer
from similarity.tabular.records import Record
from tests.similarity.batch.test_batch import files_in, read

PAIR = {"pair": ["a", "b"]}


def records(*values: object) -> list[Record]:
    return [Record(number, value, "") for number, value in enumerate(values, 1)]


def lists(*lengths: int) -> list[Record]:
    return records(*({"texts": ["a"] * length} for length in lengths))


def sizes(of: list[Record], lines: int = CHUNK_LINES) -> list[int]:
    return [len(chunk) for chunk in chunks(of, lines)]


def test_long_lists_of_a_chunk_have_a_bounded_number_of_scores() -> None:
    """64 lines of 512 texts each were held together, and took 2.5 GB."""
    found = list(chunks(lists(*[MAX_LIST_TEXTS] * 64), CHUNK_LINES))
    assert [len(chunk) for chunk in found] == [2] * 32
    for chunk in found:
        texts = [len(record.value["texts"]) for record in chunk]
        assert sum(2 * length**2 for length in texts) <= CHUNK_SCORES


@pytest.mark.parametrize("lines", [1, 2, 3, 64, 10_000])
def test_pairs_are_cut_by_lines_alone(lines: int) -> None:
    of = records(*[PAIR] * 1000)
    found = sizes(of, lines)
    assert sum(found) == 1000
    assert set(found[:-1]) <= {lines}
    assert [record for chunk in chunks(of, lines) for record in chunk] == of


def test_a_list_that_is_refused_or_no_list_has_no_scores_of_its_own() -> None:
    odd = [{"texts": ["a"] * 5000}, {"texts": "a" * 5000}, {"texts": None}, {}, [], None, 5]
    assert sizes(records(*odd * 8)) == [56]


def test_the_cut_from_the_first_of_any_chunk_on_is_the_same() -> None:
    of = lists(*[5, 512, 300, 512, 1, 400, 2, 511, 512, 3] * 7)
    whole = list(chunks(of, 4))
    for number in range(len(whole)):
        before = sum(map(len, whole[:number]))
        assert list(chunks(of[before:], 4)) == whole[number:]


def test_a_whole_chunk_comes_before_what_cannot_be_read() -> None:
    def broken() -> Iterator[Record]:
        yield from records(PAIR, PAIR)
        raise InputError("unreadable")

    cut = chunks(broken(), 2)
    assert len(next(cut)) == 2
    with pytest.raises(InputError, match="unreadable"):
        next(cut)


def test_a_batch_of_lists_that_was_stopped_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks_module, "CHUNK_SCORES", 20)
    lines = [{"texts": ["a red car", "the sea", "a boat"]}, PAIR, {"texts": ["a", "b"]}, PAIR] * 3
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    scorer = TrajectoryScorer(ToyModel(), ComparisonConfig.build(n_trajectories=2, max_tokens=3))
    done: list[int] = []

    def stop(count: int) -> None:
        done.append(count)
        raise KeyboardInterrupt

    stopped = files_in(tmp_path, content)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), open_batch(scorer, stopped) as opened:
            opened.run(stop)
    with open_batch(scorer, stopped) as opened:
        opened.run(done.append)
    (tmp_path / "whole").mkdir()
    whole = files_in(tmp_path / "whole", content)
    at_once: list[int] = []
    with open_batch(scorer, whole) as opened:
        opened.run(at_once.append)
    assert done == at_once
    assert len(done) > 2
    assert len(read(whole.output)) == len(lines)
    assert stopped.output.read_bytes() == whole.output.read_bytes()
