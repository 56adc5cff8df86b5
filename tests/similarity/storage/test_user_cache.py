import errno
from pathlib import Path

import pytest

from similarity.storage.files import cannot_write
from similarity.storage.user_cache import cache_folder


def test_named_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path))
    assert cache_folder("models") == tmp_path / "models"


def test_own_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRAJSIM_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    folder = cache_folder("models")
    assert folder.is_relative_to(tmp_path)
    assert "trajsim" in folder.parts


def test_what_helps_where_the_folder_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path))
    error = OSError(errno.EROFS, "Read-only file system", str(tmp_path / "vectors"))
    assert str(cannot_write(tmp_path / "vectors" / "a", error)).endswith(
        "a: Read-only file system; set TRAJSIM_CACHE to a folder that this user may read and write"
    )
    elsewhere = OSError(errno.EROFS, "Read-only file system", "/other")
    assert str(cannot_write("/other", elsewhere)) == "cannot write /other: Read-only file system"
