"""The file of a run's scores: whatever is changed in it is found."""

from pathlib import Path

import pytest

from eval.scores import NAME, read_scores, write_scores
from similarity.errors import InputError

LINES = [
    {"task": "made", "scores": {"fast": number / 7, "word": "naïve"}, "judgement": number % 6}
    for number in range(40)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_scores(tmp_path, LINES)
    return tmp_path / NAME


def test_written_and_read(path: Path) -> None:
    assert list(read_scores(path.parent)) == LINES


def test_a_changed_byte_is_found_wherever_it_is(path: Path) -> None:
    sound = path.read_bytes()
    refused = 0
    for place in range(len(sound)):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        try:
            found = list(read_scores(path.parent))
        except InputError:
            refused += 1
        else:
            assert found == LINES
    assert refused > 0.9 * len(sound)


def test_a_file_that_is_cut_off_is_found_wherever_that_is(path: Path) -> None:
    sound = path.read_bytes()
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        with pytest.raises(InputError, match="is damaged: .*; give the command of the run again"):
            list(read_scores(path.parent))


@pytest.mark.parametrize("changed", [LINES[:-1], LINES[::-1], [{**LINES[0], "judgement": 5}]])
def test_other_scores_than_those_that_were_written_are_found(
    path: Path, changed: list[dict[str, object]]
) -> None:
    digest = write_scores(path.parent, LINES)
    assert list(read_scores(path.parent, digest)) == LINES
    write_scores(path.parent, changed)
    with pytest.raises(InputError, match="not the scores of its results.json"):
        list(read_scores(path.parent, digest))
