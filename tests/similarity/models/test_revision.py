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
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"w": "parts/1.bin"}}')
    check_counts(folder, folder / "parts" / "1.bin")


def check_counts(folder: Path, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text("a")
    before = revision(folder, None)
    file.write_text("b")
    assert revision(folder, None) != before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("config.json", '{"transformers_weights": "parts/w.safetensors"}'),
        ("tokenizer_config.json", '{"fast_tokenizer_files": ["parts/w.safetensors"]}'),
    ],
)
def test_files_that_settings_name_count(folder: Path, settings: str, said: str) -> None:
    (folder / settings).write_text(said)
    check_counts(folder, folder / "parts" / "w.safetensors")


def test_shards_of_an_index_that_settings_name_count(folder: Path) -> None:
    (folder / "config.json").write_text('{"transformers_weights": "parts/a.index.json"}')
    (folder / "parts").mkdir()
    (folder / "parts" / "a.index.json").write_text('{"weight_map": {"w": "1.safetensors"}}')
    check_counts(folder, folder / "parts" / "1.safetensors")


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "model-00001-of-00002.safetensors",
        "tf_model.h5",
        "optimizer.pt",
        "training_args.bin",
        "vectors.npz",
    ],
)
def test_weights_that_are_not_taken_do_not_count(folder: Path, name: str) -> None:
    before = revision(folder, None)
    (folder / name).write_text('{"weight_map": {"w": "missing.bin"}}')
    assert revision(folder, None) == before


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
    with pytest.raises(ModelError, match="does not say which commit"):
        revision(Path("no/model"), None)
