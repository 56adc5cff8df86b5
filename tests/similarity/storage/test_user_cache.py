from pathlib import Path

import pytest

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
