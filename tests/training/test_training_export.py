import hashlib
import json
import shutil
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.training.tiny_run import TINY
from training import checkpoint
from training.export import export, llama_config, main
from training.model import Llama, ModelConfig
from training.tokens import BOS_ID, EOS_ID
from training.train import train


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported")
    export(run, out)
    return out


def test_the_exported_model_gives_the_same_logits(run, folder):
    state = checkpoint.require(run)
    ours = Llama(ModelConfig(**state["config"])).eval()
    ours.load_state_dict({k: v.half().float() for k, v in state["model"].items()})
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = torch.randint(3, 320, (2, 500), generator=torch.Generator().manual_seed(0))
    tokens[:, 0] = BOS_ID
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens, BOS_ID), theirs(tokens).logits, atol=1e-4, rtol=0)


def test_the_tokenizer_loads_and_begins_with_bos(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = " A man is  playing a guitar.\n\tÜber 吉他 🎸 "
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == BOS_ID == tokenizer.bos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer.eos_token_id == EOS_ID
    assert tokenizer.model_max_length == 512
    assert tokenizer.pad_token == "<pad>"


def test_sampling_is_from_the_whole_distribution_and_ends_at_eos(folder):
    model = AutoModelForCausalLM.from_pretrained(folder)
    wanted = model.generation_config
    assert (wanted.temperature, wanted.top_k, wanted.top_p) == (1.0, 0, 1.0)
    assert wanted.eos_token_id == EOS_ID
    assert model.dtype == torch.float16


def test_the_card_gives_hash_sources_and_scores(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    weights = (folder / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() in card
    assert "| notes |" in card
    assert "$" not in card
    assert "Not a finished model" not in card


def test_export_repeats_to_the_byte(run, folder, tmp_path):
    export(run, tmp_path)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    "name", ["checkpoint.pt", "manifest.json", "heldout.json", "tokenizer.json"]
)
def test_a_run_that_lacks_a_file_is_refused(run, tmp_path, name):
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / name).unlink()
    result = CliRunner().invoke(main, ["--run", str(copy), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert f"no {name} in" in result.output
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_is_refused_unless_asked(data, tmp_path):
    train(data, tmp_path, TINY, checkpoint_every=2, compiled=False, stop_after=2)
    with pytest.raises(ValueError, match="is at step 2 of"):
        export(tmp_path, tmp_path / "out")
    export(tmp_path, tmp_path / "out", unfinished=True)
    assert "Not a finished model" in (tmp_path / "out" / "README.md").read_text()


def test_a_run_may_go_on_to_another_last_step_and_its_card_says_so(data, tmp_path):
    train(data, tmp_path, TINY, checkpoint_every=2, compiled=False, stop_after=2)
    train(data, tmp_path, replace(TINY, steps=3), checkpoint_every=2, compiled=False)
    export(tmp_path, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "From step 2 on, the rates aimed at step 3 instead of 4." in card
    assert "--steps 3" in card


def test_a_weight_beyond_float16_is_refused(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    state = checkpoint.require(copy)
    state["model"]["model.norm.weight"][0] = 1e6
    checkpoint.save(copy, state)
    with pytest.raises(ValueError, match=r"model\.norm\.weight does not fit float16"):
        export(copy, tmp_path / "out")


def test_every_configured_size_is_reported():
    config = json.dumps(llama_config(ModelConfig(vocab=777, hidden=64, heads=4, layers=3)))
    for part in ('"vocab_size": 777', '"hidden_size": 64', '"head_dim": 16', '_layers": 3'):
        assert part in config
