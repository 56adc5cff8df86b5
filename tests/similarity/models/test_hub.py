"""Models of a hub are known by their commit, whether or not the hub can be asked."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from similarity.errors import ConfigError, ModelError, ModelNotFoundError
from similarity.models.hub import on_hub, snapshot
from similarity.models.local import load_local
from tests.tiny_models import save_tiny_model

FIRST, SECOND = "1" * 40, "2" * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of a hub that cannot be reached."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def downloaded(commit: str, seconds: int) -> Path:
    folder = snapshot("org/tiny", commit)
    folder.mkdir(parents=True)
    save_tiny_model("llama", folder)
    os.utime(folder, (seconds, seconds))
    return folder


@pytest.mark.usefixtures("cache")
def test_the_last_commit_of_the_cache_is_taken() -> None:
    downloaded(FIRST, seconds=20)
    downloaded(SECOND, seconds=10)
    assert on_hub("org/tiny") == {"local_files_only": True, "revision": FIRST}
    assert load_local("org/tiny").info.revision == FIRST
    with pytest.raises(ModelNotFoundError, match="the hub cannot be reached"):
        load_local("org/none")


@pytest.mark.parametrize("token", ["“secret”", "sec ret"])
def test_a_token_that_no_header_carries_is_refused(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for a hub that cannot be reached."""
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ConfigError, match="HF_TOKEN.* has the character U") as caught:
        load_local("org/tiny")
    assert "sec" not in str(caught.value)


@pytest.mark.usefixtures("cache")
def test_a_model_of_a_hub_is_checked_as_a_folder_is() -> None:
    path = downloaded(FIRST, seconds=1) / "model.safetensors"
    whole = load_file(path) | {"lm_head.weight": torch.ones(258, 32, dtype=torch.int8)}
    save_file(whole, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="has lm_head.weight in numbers of type I8"):
        load_local("org/tiny")


def test_a_hub_that_answers_gives_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def model_info(source: str, **options: Any) -> SimpleNamespace:
        asked.append((source, options["revision"]))
        return SimpleNamespace(sha=SECOND)

    monkeypatch.setattr(huggingface_hub, "model_info", model_info)
    assert on_hub("org/tiny") == on_hub("org/tiny", "v2") == {"revision": SECOND}
    assert asked == [("org/tiny", None), ("org/tiny", "v2")]
