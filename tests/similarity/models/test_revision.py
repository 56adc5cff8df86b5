"""A fingerprint is of every file that a number may depend on, and of no other."""

from pathlib import Path

import pytest

from similarity.errors import ModelError
from similarity.models.revision import revision


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "merges.txt",
        "vocab.txt",
        "spiece.model",
        "tokenizer.model.v3",
        "qwen.tiktoken",
        "added_tokens.json",
        "pytorch_model.bin",
        "model.safetensors",
        "config.json",
    ],
)
def test_every_file_counts(folder: Path, name: str) -> None:
    before = revision(folder, None)
    (folder / name).write_text("[]")
    changed = revision(folder, None)
    (folder / name).write_text("[1]")
    assert len({before, changed, revision(folder, None)}) == 3


def test_shards_that_lie_deeper_count(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"w": "parts/1.bin"}}')
    shard = folder / "parts" / "1.bin"
    shard.parent.mkdir()
    shard.write_text("a")
    before = revision(folder, None)
    shard.write_text("b")
    assert revision(folder, None) != before


@pytest.mark.parametrize("name", ["README.md", "calibration.json", ".gitattributes", "LICENSE"])
def test_what_lies_beside_does_not(folder: Path, name: str) -> None:
    before = revision(folder, None)
    (folder / name).write_text("new")
    assert revision(folder, None) == before


def test_a_file_counts_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_text("1")
    before = revision(path, None)
    path.write_text("2")
    assert revision(path, None) != before


def test_a_commit_names_a_model_of_a_hub() -> None:
    assert revision(Path("no/model"), "abc") == "abc"
    with pytest.raises(ModelError, match="does not tell which commit"):
        revision(Path("no/model"), None)
