from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from similarity.errors import ConfigError, InputError
from similarity.storage.bundle import read_bundle, write_bundle
from similarity.storage.files import replace_file


def write(folder: Path, text: str) -> None:
    write_bundle(folder, "m.json", {"text": text}, {"a.bin": lambda path: path.write_text(text)})


def read(folder: Path) -> tuple[str, str]:
    content = read_bundle(folder, "m.json", dict, what="things", command="make")
    return content["text"], (folder / content["files"]["a.bin"]).read_text()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for text in ("old", "new"):
        write(tmp_path / "deep" / "folder", text)
        assert read(tmp_path / "deep" / "folder") == (text, text)
    assert len(list((tmp_path / "deep" / "folder").iterdir())) == 2


def test_a_bundle_that_is_replaced_while_it_is_read_is_read_anew(tmp_path: Path) -> None:
    told: list[str] = []

    def read_late(content: dict[str, Any]) -> str:
        told.append(content["text"])
        if len(told) == 1:
            write(tmp_path, "new")
        return (tmp_path / content["files"]["a.bin"]).read_text()

    write(tmp_path, "old")
    assert read_bundle(tmp_path, "m.json", read_late, what="things", command="make") == "new"
    assert told == ["old", "new"]


def test_an_error_of_reading_is_raised_at_once(tmp_path: Path) -> None:
    told: list[str] = []

    def fail(content: dict[str, Any]) -> None:
        told.append(content["text"])
        raise FileNotFoundError("another file")

    write(tmp_path, "old")
    with pytest.raises(FileNotFoundError, match="another file"):
        read_bundle(tmp_path, "m.json", fail, what="things", command="make")
    assert told == ["old"]


def test_a_death_before_the_end_leaves_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    write(tmp_path, "old")
    monkeypatch.setattr("similarity.storage.bundle.replace_file", die)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, "new")
    assert read(tmp_path) == ("old", "old")


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"files": {"a.bin": "a-0.bin"}}'])
def test_a_damaged_manifest_is_refused(tmp_path: Path, damage: str) -> None:
    write(tmp_path, "old")
    (tmp_path / "m.json").write_text(damage)
    with pytest.raises(ConfigError, match="(anew by make|make makes such a folder)$"):
        read(tmp_path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "old")
    (path,) = tmp_path.glob("a-*.bin")
    path.write_text("odd")
    with pytest.raises(ConfigError, match=f"{path.name} is damaged; make the things anew by make"):
        read(tmp_path)


def test_nothing_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no things in .*; make makes such a folder"):
        read(tmp_path)


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write "):
        write(tmp_path / "file", "text")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("old")
    with pytest.raises(OSError, match="No space"):
        replace_file(tmp_path / "file", fail)
    assert (tmp_path / "file").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_two_that_write_one_folder_leave_one_whole(tmp_path: Path) -> None:
    """What is stale to the first would be the files of the second, not yet in a manifest."""
    begun, ended = Event(), Event()

    def slowly(path: Path) -> None:
        path.write_text("first")
        begun.set()
        ended.wait(timeout=1)

    def first() -> None:
        write_bundle(tmp_path, "manifest.json", {}, {"text.txt": slowly})

    def second() -> None:
        files = {"text.txt": lambda path: path.write_text("second")}
        write_bundle(tmp_path, "manifest.json", {}, files)
        ended.set()

    with ThreadPoolExecutor() as pool:
        one = pool.submit(first)
        begun.wait()
        other = pool.submit(second)
        one.result()
        other.result()
    found = read_bundle(tmp_path, "manifest.json", dict, what="things", command="make")
    assert (tmp_path / found["files"]["text.txt"]).read_text() == "second"
    assert len(list(tmp_path.iterdir())) == 2
