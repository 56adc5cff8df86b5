"""The parts of a file: kept until all are done, and errors of writing told from all others."""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from similarity.errors import InputError
from similarity.storage import held as held_files
from similarity.storage.parts import check_parts, hold_parts, is_begun, parts_folder, parts_of


def test_finished_parts_outlive_an_error_and_go_when_all_went_well(tmp_path: Path) -> None:
    path = tmp_path / "out"
    begin(path)
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


def begin(path: Path) -> None:
    """Leave one part, as a process that was killed."""
    with suppress(ZeroDivisionError), parts_of(path, {}) as parts:
        parts.write(0, lambda new: new.write_text("done"))
        raise ZeroDivisionError


@pytest.mark.parametrize("is_of_work", [False, True])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("thesis.txt", Path.touch),
        ("1.part", Path.touch),
        ("chapters", lambda place: (place / "one").mkdir(parents=True)),
        ("000001.part", Path.mkdir),
        ("answers.sqlite", lambda place: place.symlink_to(__file__)),
    ],
)
def test_files_of_others_are_refused_and_stay(
    name: str, make: Callable[[Path], object], is_of_work: bool, tmp_path: Path
) -> None:
    path = tmp_path / "out"
    folder = parts_folder(path)
    if is_of_work:
        begin(path)
    folder.mkdir(exist_ok=True)
    make(folder / name)
    before = sorted(tmp_path.rglob("*"))
    for refused in (lambda: check_parts(path), lambda: begin(path)):
        with pytest.raises(InputError, match=f"out.parts has {name}, which trajsim did not write"):
            refused()
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["000000.part", "matrix.npy", "answers.sqlite"])
def test_what_no_journal_speaks_of_is_of_others(name: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    folder = parts_folder(path)
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(InputError, match=f"has {name} and no journal.jsonl, so .* move it away"):
        begin(path)
    assert [file.read_text() for file in folder.iterdir()] == ["mine"]


def test_hidden_files_of_others_hinder_nothing_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "out"
    folder = parts_folder(path)
    folder.mkdir()
    (folder / ".hidden").touch()
    begin(path)
    (folder / ".trajsim-01234567.000001.part").touch()
    with parts_of(path, {}):
        pass
    assert list(folder.iterdir()) == [folder / ".hidden"]


def test_a_folder_that_is_a_link_stays_one(tmp_path: Path) -> None:
    """All was done, and then the link could not be deleted."""
    path, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    parts_folder(path).symlink_to(elsewhere)
    begin(path)
    assert (elsewhere / "000000.part").exists()
    with parts_of(path, {}) as parts:
        assert parts.has_file(0)
    assert list(elsewhere.iterdir()) == []
    assert parts_folder(path).is_symlink()


@pytest.mark.parametrize("make", [Path.touch, lambda place: place.symlink_to("nowhere")])
def test_what_is_no_folder_is_refused(make: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "out"
    make(parts_folder(path))
    with pytest.raises(InputError, match=r"cannot write .*out: .*out.parts is no folder.* move it"):
        check_parts(path)
    assert [place.name for place in tmp_path.iterdir()] == ["out.parts"]


def test_what_was_only_held_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with hold_parts(path) as held:
        (held.path / "answers.sqlite").touch()
        with pytest.raises(InputError, match="another process is writing"):
            check_parts(path)
        assert (held.path / "answers.sqlite").exists()
    assert list(tmp_path.iterdir()) == []
    begin(path)
    check_parts(path)
    assert is_begun(path)


def test_a_folder_that_is_deleted_before_it_is_held_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a process that is done with it: no such file, it said."""
    opened, calls = held_files.open_held, []

    def late(path: Path) -> object:
        calls.append(path)
        if len(calls) < 3:
            path.parent.rmdir()
        return opened(path)

    monkeypatch.setattr(held_files, "open_held", late)
    with parts_of(tmp_path / "out", {}):
        pass
    assert len(calls) == 3


def test_many_at_once_work_or_are_told_that_another_does(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def work(number: int) -> str:
        try:
            with hold_parts(path) as held, parts_of(path, {}, held) as parts:
                parts.write(0, lambda new: new.write_text(str(number)))
                return parts.path(0).read_text()
        except InputError as error:
            return re.sub(r"/\S*/", "", str(error))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(400)))
    told = "another process is writing journal.jsonl; wait for it, or write to another place"
    assert {one for number, one in enumerate(found) if one != str(number)} <= {told}
    assert found != [told] * 400
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_folder_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All was computed and written, and then the file was said not to be."""
    path = tmp_path / "x.npy"
    begin(path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match=r"cannot write .*x\.npy: .*x\.npy\.parts is read-only"):
        check_parts(path)
    monkeypatch.undo()
    assert is_begun(path)


def refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_what_cannot_be_deleted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(InputError, match=r"cannot write .*x\.npy\.parts: Permission denied"):
        check_parts(tmp_path / "x.npy")


def test_what_cannot_be_deleted_hides_no_other_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ZeroDivisionError), hold_parts(tmp_path / "x.npy"):
        raise ZeroDivisionError
