"""The parts of a file: kept until all are done, and errors of writing told from all others."""

from pathlib import Path

import pytest

from similarity.errors import InputError
from similarity.storage.parts import is_begun, parts_of


def test_finished_parts_outlive_an_error_and_go_when_all_went_well(tmp_path: Path) -> None:
    def begin() -> None:
        with parts_of(path, {}) as parts:
            parts.write(0, lambda new: new.write_text("done"))
            raise ZeroDivisionError

    path = tmp_path / "out"
    with pytest.raises(ZeroDivisionError):
        begin()
    assert is_begun(path)
    with parts_of(path, {}) as parts:
        assert parts.has_file(0)
        assert not parts.has_file(1)
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_is_no_writing_is_not_taken_for_it(tmp_path: Path) -> None:
    """As of a model, whose file or server is gone."""
    with (
        pytest.raises(FileNotFoundError, match=r"no weights"),
        parts_of(tmp_path / "out", {}),
    ):
        raise FileNotFoundError("no weights")


def test_a_part_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "out"
    with (
        pytest.raises(InputError, match=f"cannot write {path}: No space left .*; free some space"),
        parts_of(path, {}) as parts,
    ):
        parts.write(0, full)
