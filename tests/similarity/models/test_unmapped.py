"""What is written to a model's files while it is loaded, or later, changes no number in silence."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from similarity.arrays import Rows
from similarity.errors import ModelError
from similarity.law import Law
from similarity.models import local
from similarity.models.base import ScoreRequest
from similarity.models.loader import EMBEDDED_PATH, LoadOptions
from similarity.models.local import LocalModel, load_embedded, load_local
from similarity.models.model_files import SAFE
from tests.tiny_models import ARCHITECTURES, save_tiny_model


def overwrite(path: Path) -> None:
    """Write other weights into the file itself, behind its header."""
    with path.open("r+b") as file:
        begin = 8 + int.from_bytes(file.read(8), "little")
        file.seek(begin)
        # 0.25 in half precision, about 0.25 in single.
        file.write(b"\x00\x34\x80\x3e" * ((path.stat().st_size - begin) // 4))


def numbers(model: LocalModel) -> tuple[Rows, Rows]:
    prefix, continuation = model.encode("A dog runs"), model.encode_continuation(" home.")
    request = ScoreRequest(prefix=prefix, continuations=(continuation,))
    return model.next_states([prefix]), model.score([request], Law())[0][0]


def check_unmoved(model: LocalModel, weights: Path) -> None:
    before = numbers(model)
    overwrite(weights)
    for one, other in zip(before, numbers(model), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_loaded_folder_may_be_overwritten(tmp_path: Path, architecture: str, dtype: str) -> None:
    folder = save_tiny_model(architecture, tmp_path / "model")
    if dtype != "float32":
        network: Any = local.transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        network.save_pretrained(folder)
    check_unmoved(load_local(str(folder), device="cpu", dtype=dtype), folder / SAFE)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_file_of_the_embedded_model_may_be_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(EMBEDDED_PATH, folder)
    monkeypatch.setattr(local, "EMBEDDED_PATH", folder)
    model = load_embedded("embedded", LoadOptions(device="cpu", dtype=dtype))
    check_unmoved(model, folder / SAFE)


def test_a_file_that_is_written_while_it_is_loaded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny_model("llama", tmp_path / "model")
    real = local.load_pretrained

    def disturbed(*args: Any, **options: Any) -> Any:
        loaded = real(*args, **options)
        overwrite(folder / SAFE)
        return loaded

    monkeypatch.setattr(local, "load_pretrained", disturbed)
    with pytest.raises(ModelError, match="was written to while it was loaded; load it again"):
        load_local(str(folder))
