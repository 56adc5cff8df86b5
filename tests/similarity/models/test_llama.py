"""The network of the packaged models computes what transformers' own does, and imports less."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from similarity.errors import ModelError
from similarity.models.llama import LlamaNetwork
from similarity.models.loader import EMBEDDED_PATH, load_model
from similarity.models.model_files import SAFE
from similarity.models.network import Network
from similarity.models.packaged import load_llama
from similarity.models.pretrained import load_pretrained
from tests.tiny_models import save_tiny_model

PAIRS = [("float32", 1e-4), ("bfloat16", 0.5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model("llama", tmp_path_factory.mktemp("llama"))


def both(folder: Path, dtype: str) -> tuple[Network, Network]:
    ours, _ = load_llama(folder, dtype)
    theirs, *_ = load_pretrained(str(folder), dtype=dtype)
    return Network(ours), Network(theirs)


def texts(network: Network, rows: int = 3, length: int = 12) -> torch.Tensor:
    ids = torch.arange(7, 7 + rows * length) * 7919 % network.vocab_size
    return ids.reshape(rows, length)


@pytest.mark.parametrize(("dtype", "rounding"), PAIRS)
@torch.inference_mode()
def test_readings(folder: Path, dtype: str, rounding: float) -> None:
    ours, theirs = both(folder, dtype)
    ids = texts(ours)
    assert ours.head is not None
    assert ours.head.body is not None
    assert (ours.read(ids) - theirs.read(ids)).abs().max() < rounding
    mask = torch.ones_like(ids)
    mask[1, 5:] = mask[2, 1:] = 0
    for one, other in (
        (ours.read(ids, mask), theirs.read(ids, mask)),
        (ours.states(ids, mask), theirs.states(ids, mask)),
    ):
        assert (one - other)[mask.bool()].abs().max() < rounding


@torch.inference_mode()
def test_a_block_mask_and_positions(folder: Path) -> None:
    ours, theirs = both(folder, "float32")
    ids = texts(ours)
    visible = torch.ones(3, 12, 12, dtype=torch.bool).tril()
    visible[:, 8:, 3:8] = False
    positions = torch.tensor([[*range(8), *range(3, 7)]]).expand(3, -1)
    mask = ours.block_mask(visible)
    difference = ours.read(ids, mask, positions) - theirs.read(ids, mask, positions)
    assert difference.abs().max() < 1e-4


@pytest.mark.parametrize("padding", [0, 4])
@torch.inference_mode()
def test_steps_after_a_state(folder: Path, padding: int) -> None:
    ours, theirs = both(folder, "float32")
    ids = texts(ours)
    mask = torch.ones_like(ids)
    mask[1, :padding] = 0
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    given = mask if padding else None
    (first, state), (other, their_state) = (
        network.start(ids, given, positions) for network in (ours, theirs)
    )
    assert (first - other).abs().max() < 1e-4
    for count in (1, 3):
        more = ids[:, :count]
        mask = torch.cat([mask, torch.ones_like(more)], -1)
        places = (mask.cumsum(-1) - 1)[:, -count:]
        given = mask if padding else None
        one = ours.step(more, given, places, state)
        assert (one - theirs.step(more, given, places, their_state)).abs().max() < 1e-4


def test_the_embedded_model_and_its_tokenizer() -> None:
    with torch.inference_mode():
        ours, theirs = both(EMBEDDED_PATH, "float32")
        ids = texts(ours)
        assert (ours.read(ids) - theirs.read(ids)).abs().max() < 1e-4
    assert ours.module.dtype == torch.float32
    assert ours.module.generation_config.eos_token_id == 2
    _, tokenizer = load_llama(EMBEDDED_PATH, "float32")
    _, other, _ = load_pretrained(str(EMBEDDED_PATH), dtype="float32")
    for text in ("A dog runs.", " two  spaces\n</s> 漢字 🙂"):
        options = {"add_special_tokens": True, "split_special_tokens": True}
        assert tokenizer(text, **options)["input_ids"] == other(text, **options)["input_ids"]


def test_all_fast_ways_hold_for_the_embedded_model() -> None:
    network = load_model("embedded").network  # type: ignore[attr-defined]
    assert network.pads
    assert network.caches
    assert network.pads_state
    assert network.packs


@pytest.mark.longer
def test_a_packaged_model_needs_no_compiler_and_no_training_of_many_devices() -> None:
    heavy = ("torch._dynamo", "sympy", "transformers.modeling_utils", "scipy.optimize")
    script = (
        "import sys\n"
        "from similarity import load_model\n"
        "import service.http.app, service.http.server\n"
        "load_model('embedded').encode('A dog runs.')\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr


def changed(folder: Path, tmp_path: Path, **settings: object) -> Path:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **settings}))
    return tmp_path


def test_another_shape_of_network_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json is of another network"):
        load_llama(changed(folder, tmp_path, attention_bias=True), "float32")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("drop", r"model\.norm\.weight is missing from the checkpoint"),
        ("reshape", r"model\.norm\.weight has another shape"),
        ("add", r"more\.weight is in the checkpoint"),
        ("poison", r"model\.norm\.weight has values that are not finite"),
        ("cut", r"is damaged"),
    ],
)
def test_damaged_weights_are_named(folder: Path, tmp_path: Path, damage: str, message: str) -> None:
    path = changed(folder, tmp_path) / SAFE
    weights = {name: weight.clone() for name, weight in load_file(path).items()}
    name = "model.norm.weight"
    if damage == "drop":
        del weights[name]
    elif damage == "reshape":
        weights[name] = weights[name][:3].clone()
    elif damage == "add":
        weights["more.weight"] = weights[name].clone()
    elif damage == "poison":
        weights[name][0] = float("nan")
    save_file(weights, path, {"format": "pt"})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match=message):
        load_llama(tmp_path, "float32")


def test_weights_that_keep_their_type_are_not_copied(folder: Path) -> None:
    network = LlamaNetwork(load_llama(folder, "float32")[0].config)
    weights = load_file(folder / SAFE)
    loading_info = network.take(weights, None)
    assert not any(loading_info.values())
    name = "model.norm.weight"
    assert network.state_dict()[name].data_ptr() == weights[name].data_ptr()
