"""A folder of text files: which are read, in what order, and what is said of the others."""

import os
from pathlib import Path

import pytest

from similarity.errors import ConfigError, InputError
from similarity.tabular import folders
from similarity.tabular.folders import read_folder
from similarity.tabular.texts import read_file_or_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two texts in it and one below."""
    made = tmp_path / "texts"
    (made / "below").mkdir(parents=True)
    (made / "b.txt").write_bytes("\ufeffthe sea,\r\nand the sand\r\n".encode())
    (made / "a.MD").write_text("a red car\n")
    (made / "below" / "c.txt").write_text("a bird")
    return made


def test_each_file_is_a_text_with_its_path(folder: Path) -> None:
    found = read_folder(folder)
    assert found.ids == ("a.MD", "b.txt", "below/c.txt")
    assert found.texts == ["a red car", "the sea,\r\nand the sand", "a bird"]
    assert found.left_out == ""
    placed = read_file_or_folder(str(folder))
    assert (placed.texts, placed.ids) == (list(found.texts), found.ids)
    assert placed.places[2] == str(folder / "below" / "c.txt")


def test_what_is_left_out_is_named(folder: Path) -> None:
    (folder / ".notes.txt").write_text("hidden")
    (folder / ".git").mkdir()
    (folder / ".git" / "c.txt").write_text("below what is hidden")
    for i in range(7):
        (folder / f"{i}.pdf").write_bytes(b"")
    (folder / "again").symlink_to(folder / "below")
    found = read_folder(folder)
    assert len(found.texts) == 3
    assert "2 hidden (.git, .notes.txt)" in found.left_out
    assert "7 with other endings (0.pdf, 1.pdf, 2.pdf, 3.pdf, 4.pdf, and 2 more)" in found.left_out
    assert "1 linked folders (again)" in found.left_out


def bad(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)


def link(folder: Path, name: str, to: Path) -> None:
    (folder / name).symlink_to(to)


def test_what_is_no_text_is_refused_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(folders, "MAX_LINE_BYTES", 100)
    (tmp_path / "outside.txt").write_text("elsewhere")
    for make, argument, said in (
        (bad, b"", "bad.txt is empty: write a text into it, or remove it"),
        (bad, b"\xef\xbb\xbf \n", "bad.txt is empty"),
        (bad, "\u200b\n\ufeff".encode(), "bad.txt is empty"),
        (bad, b"a\nb\0", "bad.txt has a NUL character: take it out, or remove the file"),
        (bad, b"ab\xff", "bad.txt is not UTF-8 at byte 3: convert it"),
        (bad, "a".encode("utf-16"), "bad.txt is not UTF-8, as it begins with the mark of UTF-16"),
        (bad, b"a" * 101, "bad.txt has more than 100 bytes: split it"),
        (link, tmp_path / "outside.txt", "outside.txt, outside of the folder: copy the file into"),
        (link, folder / "nowhere", "bad.txt cannot be read (No such file"),
    ):
        make(folder, "bad.txt", argument)  # type: ignore[operator]
        with pytest.raises(InputError) as raised:
            read_folder(folder)
        assert said in str(raised.value)
        (folder / "bad.txt").unlink()
    os.mkfifo(folder / "bad.txt")
    with pytest.raises(InputError, match=r"bad\.txt is no regular file"):
        read_folder(folder)


def test_a_link_within_the_folder_is_read(folder: Path) -> None:
    link(folder, "again.txt", folder / "a.MD")
    assert read_folder(folder).texts[1] == "a red car"


def test_all_files_that_are_no_texts_are_named_at_once(folder: Path) -> None:
    for i in range(7):
        bad(folder, f"bad{i}.txt", b"")
    with pytest.raises(InputError, match=r"bad0\.txt is empty.*bad4\.txt is empty.*and 2 more"):
        read_folder(folder)


def test_a_folder_without_texts_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"without \.txt or \.md files; give one with a text in"):
        read_folder(tmp_path)
    (tmp_path / "a.pdf").write_bytes(b"")
    with pytest.raises(InputError, match=r"there are 1 with other endings \(a\.pdf\)"):
        read_folder(tmp_path)


def test_formats_and_columns_are_of_files(folder: Path) -> None:
    with pytest.raises(ConfigError, match="leave --input-format and --columns out"):
        read_file_or_folder(str(folder), None, "text")


def test_a_name_that_is_not_utf8_is_kept_and_shown_with_its_bytes(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    odd.write_text("a red car")
    # Another file, whose name is how that one is shown.
    (tmp_path / r"caf\xe9.txt").write_text("the sea")
    found = read_folder(tmp_path)
    assert dict(zip(found.ids or (), found.texts, strict=True)) == {
        "caf\udce9.txt": "a red car",
        r"caf\xe9.txt": "the sea",
    }
    odd.write_text("")
    with pytest.raises(InputError, match=r"caf\\xe9.txt is empty"):
        read_folder(tmp_path)
