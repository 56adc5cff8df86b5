"""A checkpoint that is not whole, or not of its network, is refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from similarity.cli.main import main
from similarity.errors import (
    MissingDependencyError,
    ModelError,
    ModelNotFoundError,
    WrongAnswerError,
)
from similarity.models.local import load_local
from tests.tiny_models import save_tiny_model

Weights = dict[str, torch.Tensor]
Edit = Callable[[Path], object]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model("llama", tmp_path_factory.mktemp("whole"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def weights(change: Callable[[Weights], Weights]) -> Edit:
    def edit(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file(change(load_file(path)), path, metadata={"format": "pt"})

    return edit


def without(part: str) -> Edit:
    return weights(lambda found: {name: w for name, w in found.items() if part not in name})


def also(name: str, weight: torch.Tensor) -> Edit:
    return weights(lambda found: found | {name: weight})


def settings(**changes: Any) -> Edit:
    return lambda folder: rewritten(folder / "config.json", changes)


def tokenizer_settings(**changes: Any) -> Edit:
    return lambda folder: rewritten(folder / "tokenizer_config.json", changes)


def rewritten(path: Path, changes: dict[str, Any]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def pickled(change: Callable[[Weights], object]) -> Edit:
    """Return what replaces the weights by a pickled file of what is made of them."""

    def edit(folder: Path) -> None:
        path = folder / "model.safetensors"
        torch.save(change(load_file(path)), folder / "pytorch_model.bin")
        path.unlink()

    return edit


def linked(name: str) -> Edit:
    """Return what puts a link to nowhere in the place of a file."""
    return lambda folder: [(folder / name).unlink(), (folder / name).symlink_to("nowhere")]


def written(name: str, content: str) -> Edit:
    return lambda folder: (folder / name).write_text(content)


def cut(name: str, count: int) -> Edit:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-count])


def renamed(name: str, other: str) -> Edit:
    return lambda folder: (folder / name).rename(folder / other)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (without("lm_head"), "weight lm_head.weight is missing from the checkpoint"),
        (without("layers.1."), r"weight model.layers.1.\S+ \(and 8 more\) is missing"),
        (without("layers.0.mlp.up"), "weight model.layers.0.mlp.up_proj.weight is missing"),
        (settings(num_hidden_layers=3), r"weight model.layers.2.\S+ \(and 8 more\) is missing"),
        (settings(num_hidden_layers=1), r"weight model.layers.1.\S+ \(and 8 more\) is in the ch"),
        (settings(vocab_size=300), r"weight lm_head.weight \(and 1 more\) has another shape"),
        (also("model.norm.weight", torch.ones(33)), "weight model.norm.weight has another shape"),
        (
            also("model.layers.0.mlp.up_proj.bias", torch.ones(64)),
            "weight model.layers.0.mlp.up_proj.bias is in the checkpoint, and the network has no",
        ),
        # In a layer of the network nothing is another task's, whatever it is called.
        (
            also("model.layers.0.self_attn.score.weight", torch.ones(8)),
            "weight model.layers.0.self_attn.score.weight is in the checkpoint, and the network",
        ),
        (
            also("model.layers.1.mlp.image_bias", torch.ones(64)),
            "weight model.layers.1.mlp.image_bias is in the checkpoint, and the network has no",
        ),
        (
            weights(lambda found: {name: torch.zeros_like(w) for name, w in found.items()}),
            "finds all tokens alike likely",
        ),
        (
            also("model.norm.weight", torch.tensor([1.0] * 31 + [float("nan")])),
            "weight model.norm.weight has values that are not finite",
        ),
    ],
)
def test_weights_that_do_not_belong(folder: Path, edit: Edit, message: str) -> None:
    edit(folder)
    with pytest.raises(WrongAnswerError, match=message):
        load_local(str(folder))


def test_tied_weights_are_not_missing(folder: Path) -> None:
    without("lm_head")(folder)
    settings(tie_word_embeddings=True)(folder)
    assert load_local(str(folder)).vocab_size == 258


def test_parts_that_a_language_network_does_not_need_are_left_out(folder: Path) -> None:
    expected = load_local(str(folder))
    also("vision_tower.patch.weight", torch.ones(3))(folder)
    also("model.vision_tower.layers.0.mlp.weight", torch.ones(3))(folder)
    also("model.image_newline", torch.ones(3))(folder)
    also("model.layers.0.self_attn.rotary_emb.inv_freq", torch.ones(4))(folder)
    also("score.weight", torch.ones(2, 32))(folder)
    found = load_local(str(folder))
    ids = torch.tensor([[3, 4]])
    assert torch.equal(found.network.read(ids), expected.network.read(ids))


def test_pickled_weights_and_whole_buffers_load(folder: Path) -> None:
    expected = load_local(str(folder))
    also("vision_tower.index", torch.ones(3, 3, dtype=torch.int64))(folder)
    pickled(dict)(folder)
    found = load_local(str(folder))
    ids = torch.tensor([[3, 4]])
    assert torch.equal(found.network.read(ids), expected.network.read(ids))


def test_an_index_of_weights_that_are_not_taken_asks_for_none(folder: Path) -> None:
    """As where the weights of one kind and all JSON files were downloaded."""
    index = '{"weight_map": {"w": "pytorch_model-00001-of-00002.bin"}}'
    written("pytorch_model.bin.index.json", index)(folder)
    assert load_local(str(folder)).vocab_size == 258


def test_a_matrix_of_zeros_is_warned_of(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    also("model.layers.1.mlp.up_proj.weight", torch.zeros(64, 32))(folder)
    load_local(str(folder))
    assert "weight model.layers.1.mlp.up_proj.weight of" in caplog.text
    assert "is zero everywhere, as in a copy that was cut short" in caplog.text


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (
            written("model.safetensors", POINTER),
            ModelError,
            r"model.safetensors is a pointer of Git LFS and not the file itself; run `git lfs",
        ),
        (written("tokenizer.json", POINTER), ModelError, "tokenizer.json is a pointer of Git LFS"),
        (
            written("merges.txt", "/annex/objects/SHA256"),
            ModelError,
            "merges.txt is a pointer of git-annex",
        ),
        (cut("model.safetensors", 100), ModelError, "model.safetensors is damaged: it has"),
        (written("model.safetensors", "{"), ModelError, "model.safetensors is damaged: its header"),
        (
            written("model.safetensors", "\x03" + "\0" * 7 + "{x}"),
            ModelError,
            "model.safetensors is damaged: its header cannot be read",
        ),
        (written("model.safetensors", ""), ModelError, "model.safetensors is empty"),
        (cut("config.json", 3), ModelError, "config.json is damaged, not JSON"),
        (cut("generation_config.json", 3), ModelError, "generation_config.json is damaged"),
        (cut("tokenizer.json", 100), ModelError, "tokenizer.json is damaged, not JSON"),
        (renamed("model.safetensors", "x.gguf"), ModelError, "x.gguf and no weights of tran"),
        (renamed("model.safetensors", "x"), ModelNotFoundError, "it has no weights"),
        (renamed("config.json", "x"), ModelNotFoundError, "it has no config.json"),
        (renamed("tokenizer.json", "x"), ModelError, "it has no tokenizer.json, nor other files"),
        (written("adapter_config.json", "{}"), ModelError, "is of an adapter, which would be"),
        (
            lambda folder: [
                renamed("model.safetensors", "a.safetensors")(folder),
                written(
                    "model.safetensors.index.json", '{"weight_map": {"w": "part/b.safetensors"}}'
                )(folder),
            ],
            ModelError,
            "part/b.safetensors is missing, and another file names it",
        ),
        (
            settings(quantization_config={"quant_method": "gptq", "bits": 4}),
            MissingDependencyError,
            "pip install",
        ),
        (settings(quantization_config={"quant_method": "new"}), ModelError, "is quantised in a w"),
        (settings(model_type="new"), ModelError, "cannot load .*model type `new`"),
        # Said to be quantised in no way is not said.
        (
            lambda folder: [
                settings(quantization_config=None)(folder),
                also("lm_head.weight", torch.ones(258, 32, dtype=torch.int8))(folder),
            ],
            ModelError,
            "lm_head.weight in numbers of type I8",
        ),
        *(
            (
                also("lm_head.weight", torch.ones(258, 32).to(dtype)),
                ModelError,
                f"model.safetensors has lm_head.weight in numbers of type {name}",
            )
            for dtype, name in ((torch.bool, "BOOL"), (torch.float8_e8m0fnu, "F8_E8M0"))
        ),
        (
            pickled(
                lambda found: found | {"lm_head.weight": found["lm_head.weight"].to(torch.int8)}
            ),
            ModelError,
            "pytorch_model.bin has lm_head.weight in numbers of type int8",
        ),
        (pickled(list), ModelError, "bin holds a list and not weights"),
        (pickled(lambda _found: Path), ModelError, "holds more than weights, which is never run"),
        (
            lambda folder: [pickled(dict)(folder), cut("pytorch_model.bin", 20000)(folder)],
            ModelError,
            "pytorch_model.bin is damaged",
        ),
        (
            lambda folder: [
                renamed("model.safetensors", "model-00001-of-00001.safetensors")(folder),
            ],
            ModelNotFoundError,
            "model-00001-of-00001.safetensors is not a name that weights are looked for under; co",
        ),
        *(
            (
                lambda folder, index=index: [
                    renamed("model.safetensors", "a.safetensors")(folder),
                    written("model.safetensors.index.json", index)(folder),
                ],
                ModelError,
                message,
            )
            for index, message in (
                ('{"weight_map": null}', "its weight_map names no weights; copy it again"),
                ('{"weight_map": {"w": "../a.safetensors"}}', "names ../a.safetensors, which is"),
            )
        ),
        (
            written("adapter_model.safetensors", "{}"),
            ModelError,
            "is of an adapter, which would be",
        ),
        (linked("tokenizer_config.json"), ModelError, "is a link to nowhere, which is not there"),
        (written("config.json", "[1]"), ModelError, "config.json has no settings by name"),
        (
            lambda folder: [(folder / "config.json").unlink(), (folder / "config.json").mkdir()],
            ModelNotFoundError,
            "it has no config.json",
        ),
        (
            settings(rope_parameters={"rope_type": "yarn", "rope_theta": 1e4}),
            ModelError,
            r"cannot load \S+/config.json: Missing required keys .*; copy its files again",
        ),
        (
            tokenizer_settings(model_max_length="64"),
            ModelError,
            "model_max_length of tokenizer_config.json is '64'; give a number of tokens",
        ),
        (tokenizer_settings(model_max_length=float("nan")), ModelError, "is nan; give a number"),
        (
            tokenizer_settings(tokenizer_class="BertTokenizer"),
            WrongAnswerError,
            "the tokenizer cannot read the text .*; give the tokenizer's files that belong to",
        ),
        (settings(model_type="t5"), ModelError, "cannot load .*T5Config"),
        (
            settings(model_type="new", auto_map={"AutoConfig": "a.B"}),
            ModelError,
            "cannot load .*custom code",
        ),
        (settings(num_attention_heads=5), ModelError, "cannot load .*multiple of the number"),
        (settings(num_hidden_layers="2"), ModelError, "cannot load .*expected int"),
        (
            also("lm_head.weight", torch.ones(258, 32, dtype=torch.int8)),
            ModelError,
            "model.safetensors has lm_head.weight in numbers of type I8, and config.json does not",
        ),
        (
            written("tokenizer.json", "{}"),
            ModelError,
            "cannot load the tokenizer of .*: it has no 'added_tokens'",
        ),
        (
            written("generation_config.json", '{"eos_token_id": "</s>"}'),
            ModelError,
            "eos_token_id of config.json or generation_config.json is '</s>'; give the number",
        ),
    ],
)
def test_a_damaged_folder(folder: Path, edit: Edit, error: type[ModelError], message: str) -> None:
    edit(folder)
    with pytest.raises(error, match=message) as raised:
        load_local(str(folder))
    assert "\n" not in str(raised.value)


def test_the_command_line_says_it_in_one_line(folder: Path) -> None:
    without("lm_head")(folder)
    result = CliRunner().invoke(main, ["compare", "a", "b", "--model", str(folder)])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "lm_head.weight" in result.stderr


def test_a_service_does_not_start(folder: Path) -> None:
    written("model.safetensors", POINTER)(folder)
    result = CliRunner().invoke(main, ["serve", "--model", str(folder), "--port", "0"])
    assert result.exit_code == 1
    assert "pointer of Git LFS" in result.stderr.splitlines()[-1]
