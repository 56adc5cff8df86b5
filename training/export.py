"""Writes a finished run as a model folder that `transformers` and vLLM load, with its card."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import click
import torch
from safetensors.torch import save_file

from similarity.storage.files import replace_file
from training import card, checkpoint
from training.evaluate import evaluate, read_heldout
from training.model import Llama, ModelConfig
from training.tokens import BOS, BOS_ID, EOS, EOS_ID, PAD, PAD_ID, load_tokenizer

HELDOUT_TOKENS = 10_000


@click.command(context_settings={"show_default": True})
@click.option(
    "--run",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder that training.train wrote.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--unfinished", is_flag=True, help="Allow a run that has steps left.")
@click.option(
    "--heldout-tokens", type=int, default=HELDOUT_TOKENS, help="Held-out tokens of each source."
)
def main(run: Path, out: Path, unfinished: bool, heldout_tokens: int) -> None:
    """Export the checkpoint of a run."""
    try:
        export(run, out, unfinished=unfinished, heldout_tokens=heldout_tokens)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {out}")


def export(
    run: Path, out: Path, *, unfinished: bool = False, heldout_tokens: int = HELDOUT_TOKENS
) -> None:
    """Write weights (float16), configuration, tokenizer and card.

    Parameters
    ----------
    unfinished : bool
        Whether a run that has steps left may be exported.
    heldout_tokens : int
        About how many held-out tokens of each source are scored for the card.

    Raises
    ------
    FileNotFoundError
        When the run lacks its checkpoint or one of the files of its data.
    ValueError
        When the run is not finished, or a weight does not fit float16.
    """
    state, manifest = checkpoint.require(run), _read_manifest(run)
    tokenizer, heldout = load_tokenizer(run), read_heldout(run)
    if state["step"] < state["arguments"]["steps"] and not unfinished:
        raise ValueError(f"{run} is at step {state['step']} of {state['arguments']['steps']}")
    weights = _half(state["model"])
    model = _rounded(ModelConfig(**state["config"]), weights)
    out.mkdir(parents=True, exist_ok=True)
    _save_weights(weights, out / "model.safetensors")
    _write_json(out / "config.json", llama_config(model.config))
    _write_json(out / "generation_config.json", _generation_config())
    _write_json(out / "tokenizer_config.json", _tokenizer_config(model.config))
    tokenizer.save(str(out / "tokenizer.json"))
    facts = card.Facts(
        config=model.config,
        parameters=sum(tensor.numel() for tensor in weights.values()),
        arguments=state["arguments"],
        step=state["step"],
        seconds=state["seconds"],
        plans=state["plans"],
        log=[record for record in checkpoint.read_log(run) if record["step"] <= state["step"]],
        manifest=manifest,
        scores=evaluate(model, tokenizer, heldout, heldout_tokens),
        sha256=hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest(),
    )
    (out / "README.md").write_text(card.render(facts), encoding="utf-8")


def llama_config(config: ModelConfig) -> dict[str, Any]:
    """Give the sizes under the names of `transformers.LlamaConfig`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads,
        "head_dim": config.head_size,
        "intermediate_size": config.intermediate,
        "hidden_act": "silu",
        "max_position_embeddings": config.max_positions,
        "rms_norm_eps": config.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": BOS_ID,
        "eos_token_id": EOS_ID,
        "pad_token_id": PAD_ID,
        "dtype": "float16",
    }


def _generation_config() -> dict[str, Any]:
    return {
        "bos_token_id": BOS_ID,
        "eos_token_id": EOS_ID,
        "pad_token_id": PAD_ID,
        "do_sample": True,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
    }


def _tokenizer_config(config: ModelConfig) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "model_max_length": config.max_positions,
        "clean_up_tokenization_spaces": False,
    }


def _half(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    half = {name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()}
    for name, tensor in half.items():
        if not math.isfinite(tensor.float().abs().max().item()):
            raise ValueError(f"{name} does not fit float16")
    return half


def _rounded(config: ModelConfig, weights: dict[str, torch.Tensor]) -> Llama:
    """Make the model as its users will have it: float16 weights, computed with in float32."""
    model = Llama(config).eval()
    model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return model


def _save_weights(weights: dict[str, torch.Tensor], path: Path) -> None:
    # Whoever has the old file mapped into memory keeps it whole.
    replace_file(path, lambda new: save_file(weights, new, metadata={"format": "pt"}))


def _read_manifest(run: Path) -> dict[str, Any]:
    path = run / "manifest.json"
    if not path.exists():
        raise FileNotFoundError(f"no manifest.json in {run}: run training.train first")
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
