"""GGUF files as models: the weights that were written, and one line for what is not supported."""

import sys
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from similarity import compare, load_model
from similarity.config import ComparisonConfig
from similarity.errors import MissingDependencyError, ModelError, WrongAnswerError
from similarity.models.base import LanguageModel
from tests.similarity.models.tiny_gguf import network, write_gguf
from tests.tiny_models import save_tiny_model

Told = Callable[[gguf.GGUFWriter], object]


def check_weights(model: LanguageModel) -> None:
    ids = model.encode("one two")
    with torch.inference_mode():
        expected = network()(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    found = model.next_log_probs([ids], range(259))[0]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    model = load_model(str(path))
    assert (model.info.name, model.info.dtype) == ("tiny", "float32")
    assert model.info.revision.startswith("sha256:")
    assert model.assets == tmp_path
    check_weights(model)
    assert compare(model, "a", "b", ComparisonConfig.build(n_trajectories=2)).distance > 0
    assert capfd.readouterr().err == ""


def test_the_only_file_of_a_folder(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    found = load_model(str(tmp_path))
    assert found.info == load_model(str(path)).info
    (tmp_path / "other.gguf").write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match=r"several GGUF files: other\.gguf, tiny\.gguf; give one"):
        load_model(str(tmp_path))


def refused(path: Path, match: str, error: type[Exception] = ModelError) -> None:
    with pytest.raises(error, match=match) as caught:
        load_model(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_not_supported_is_said(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf", architecture="clip")
    refused(path, r"a\.gguf: GGUF model with architecture clip is not supported")
    strange = gguf.GGMLQuantizationType.Q8_1
    path = write_gguf(tmp_path / "b.gguf", strange=strange)
    refused(path, r"b\.gguf: Dequantization for Q8_1 is not yet implemented")


def test_a_damaged_file(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "whole.gguf")
    refused(write_gguf(tmp_path / "a.gguf", without="blk.1.attn_q.weight"), "q_proj.weight is miss")
    (tmp_path / "b.gguf").write_bytes(path.read_bytes()[:20000])
    refused(tmp_path / "b.gguf", "cannot load .*b.gguf")
    (tmp_path / "c.gguf").write_bytes(b"<html>")
    refused(tmp_path / "c.gguf", "is no GGUF file")
    (tmp_path / "d.gguf").write_bytes(b"")
    refused(tmp_path / "d.gguf", "is empty")
    refused(tmp_path / "none.gguf", "none.gguf is missing")


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    monkeypatch.setitem(sys.modules, "gguf", None)
    refused(path, "needs gguf: pip install gguf", MissingDependencyError)


def tensor(name: str, *values: float) -> Told:
    return lambda writer: writer.add_tensor(name, np.array(values, np.float32))


def linear_positions(writer: gguf.GGUFWriter) -> None:
    writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(4.0)


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        (tensor("rope_freqs.weight", 1, 1, 8, 8), "its tensor rope_freqs.weight"),
        (tensor("blk.2.attn_norm.weight", *[1.0] * 32), "its tensor blk.2.attn_norm.weight"),
        (tensor("blk.0.attn_q.bias", *[1.0] * 32), "32 of its 35200 numbers"),
        (linear_positions, "its setting llama.rope.scaling.type = linear"),
        (lambda writer: writer.add_logit_scale(0.25), "its setting llama.logit_scale = 0.25"),
        (lambda writer: writer.add_sliding_window(4), "its setting llama.attention.sliding_wind"),
        (lambda writer: writer.add_final_logit_softcapping(30.0), "its setting .*softcapping = 30"),
    ],
)
def test_what_transformers_leaves_out_is_refused(tmp_path: Path, metadata: Told, what: str) -> None:
    path = write_gguf(tmp_path / "a.gguf", metadata=metadata)
    refused(path, rf"cannot load .*a\.gguf: transformers leaves out {what}", WrongAnswerError)


@pytest.mark.parametrize(
    "metadata",
    [
        tensor("rope_freqs.weight", 1, 1, 1, 1),
        lambda writer: writer.add_rope_scaling_type(gguf.RopeScalingType.NONE),
        lambda writer: writer.add_rope_freq_base(10000.0),
        lambda writer: writer.add_key_length(8),
    ],
)
def test_what_moves_no_number_may_be_left_out(tmp_path: Path, metadata: Told) -> None:
    check_weights(load_model(str(write_gguf(tmp_path / "a.gguf", metadata=metadata))))


def test_what_lies_beside_a_file_has_no_say(tmp_path: Path) -> None:
    """Its fingerprint is of the file alone."""
    alone = load_model(str(write_gguf(tmp_path / "alone" / "a.gguf")))
    beside = save_tiny_model("llama", tmp_path / "beside")
    (beside / "model.safetensors").unlink()
    found = load_model(str(write_gguf(beside / "a.gguf")))
    assert found.info == alone.info
    assert found.encode("abba") == alone.encode("abba")


def test_a_folder_by_the_name_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").mkdir()
    refused(tmp_path / "a.gguf", "is a folder, and has no GGUF file; give the file itself")
