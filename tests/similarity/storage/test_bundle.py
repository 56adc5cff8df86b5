from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from similarity.errors import ConfigError, InputError
from similarity.storage.bundle import BundleKind, read_bundle, write_bundle
from similarity.storage.files import replace_file

KIND = BundleKind("m.json", ("a.bin", "b.bin"), what="things", command="make")


def write(folder: Path, text: str) -> None:
    write_bundle(KIND, folder, {"text": text}, {"a.bin": lambda path: path.write_text(text)})


def read(folder: Path) -> tuple[str, str]:
    content = read_bundle(KIND, folder, dict)
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
    assert read_bundle(KIND, tmp_path, read_late) == "new"
    assert told == ["old", "new"]


def test_an_error_of_reading_is_raised_at_once(tmp_path: Path) -> None:
    told: list[str] = []

    def fail(content: dict[str, Any]) -> None:
        told.append(content["text"])
        raise FileNotFoundError("another file")

    write(tmp_path, "old")
    with pytest.raises(FileNotFoundError, match="another file"):
        read_bundle(KIND, tmp_path, fail)
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
    with pytest.raises(ConfigError, match="anew by make$"):
        read(tmp_path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "old")
    (path,) = tmp_path.glob("a-*.bin")
    path.write_text("odd")
    with pytest.raises(ConfigError, match=f"{path.name} is damaged; make the things anew by make"):
        read(tmp_path)


@pytest.mark.parametrize("other", [True, False])
def test_a_manifest_without_its_files_is_damaged(tmp_path: Path, other: bool) -> None:
    """A file was removed, or the manifest is that of another folder."""
    write(tmp_path / "a", "old")
    (path,) = (tmp_path / "a").glob("a-*.bin")
    if other:
        write(tmp_path / "b", "new")
        (tmp_path / "b" / "m.json").replace(tmp_path / "a" / "m.json")
    else:
        path.unlink()
    with pytest.raises(ConfigError, match="/a-.*No such file.* is damaged; make the things anew"):
        read(tmp_path / "a")


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
        write_bundle(KIND, tmp_path, {}, {"a.bin": slowly})

    def second() -> None:
        files = {"a.bin": lambda path: path.write_text("second")}
        write_bundle(KIND, tmp_path, {}, files)
        ended.set()

    with ThreadPoolExecutor() as pool:
        one = pool.submit(first)
        begun.wait()
        other = pool.submit(second)
        one.result()
        other.result()
    found = read_bundle(KIND, tmp_path, dict)
    assert (tmp_path / found["files"]["a.bin"]).read_text() == "second"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["notes.txt", "a-2024.bin", "m.json", "sub/b.txt"])
@pytest.mark.parametrize("before", [False, True])
def test_a_folder_that_has_other_files_is_refused(tmp_path: Path, name: str, before: bool) -> None:
    """What is named like a part, with other than a digest in it, is a user's own."""
    if before and name != "m.json":
        write(tmp_path, "old")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"mine": true}')
    there = sorted(tmp_path.rglob("*"))
    other = name.split("/", maxsplit=1)[0]
    for refuse in (KIND.check_place, lambda folder: write(folder, "new")):
        with pytest.raises(InputError, match=f"has {other}, which make did not write; name a new"):
            refuse(tmp_path)
    assert sorted(tmp_path.rglob("*")) == there
    assert path.read_text() == '{"mine": true}'


def test_a_bundle_is_replaced_whatever_it_lacks(tmp_path: Path) -> None:
    write(tmp_path, "old")
    (tmp_path / ".DS_Store").write_text("")
    for manifest, part in (("{", True), (None, True), ((tmp_path / "m.json").read_text(), False)):
        (tmp_path / "m.json").unlink()
        if manifest is not None:
            (tmp_path / "m.json").write_text(manifest)
        if not part:
            for path in tmp_path.glob("a-*.bin"):
                path.unlink()
        write(tmp_path, "new")
        assert read(tmp_path) == ("new", "new")


def test_parts_that_a_new_bundle_has_not_go(tmp_path: Path) -> None:
    files = {name: lambda path: path.write_text("old") for name in KIND.names}
    write_bundle(KIND, tmp_path, {}, files)
    write(tmp_path, "new")
    assert [path.name[:2] for path in sorted(tmp_path.iterdir())] == ["a-", "m."]


@pytest.mark.parametrize("at", ["a.bin", "b.bin", "m.json"])
@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, there: bool
) -> None:
    """An empty folder was left, or files that no manifest names."""

    def full(path: Path, *_: object) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    folder = tmp_path / "deep" / "folder"
    if there:
        write(folder, "old")
    before = sorted(tmp_path.rglob("*"))
    files = {name: full if name == at else Path.touch for name in ("a.bin", "b.bin")}
    if at == "m.json":
        monkeypatch.setattr("similarity.storage.bundle.replace_file", lambda *_: raise_full())
    with pytest.raises(InputError, match="No space left on device; free some space there"):
        write_bundle(KIND, folder, {}, files)
    assert sorted(tmp_path.rglob("*")) == before
    if there:
        assert read(folder) == ("old", "old")


def raise_full() -> None:
    raise OSError(28, "No space left on device")
