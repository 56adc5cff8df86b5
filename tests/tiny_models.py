"""Tiny random networks of several architectures, saved as folders that load like any other."""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing

SPECIAL = ["<s>", "</s>"]
VOCAB_SIZE = 256 + len(SPECIAL)

_BASE: dict[str, Any] = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
_ATTENTION: dict[str, Any] = {
    **_BASE,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
}
_SSM: dict[str, Any] = {
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_state": 8,
    "mamba_n_groups": 1,
    "mamba_expand": 2,
}

ARCHITECTURES: dict[str, transformers.PreTrainedConfig] = {
    "llama": transformers.LlamaConfig(**_ATTENTION),
    "gpt2": transformers.GPT2Config(
        vocab_size=VOCAB_SIZE, n_embd=32, n_layer=2, n_head=4, n_positions=128,
        bos_token_id=0, eos_token_id=1, pad_token_id=1,
    ),
    "bloom": transformers.BloomConfig(**_BASE, n_head=4),
    "mistral": transformers.MistralConfig(**_ATTENTION, sliding_window=16),
    "mamba": transformers.MambaConfig(**_BASE, state_size=8),
    "jamba": transformers.JambaConfig(
        **_ATTENTION, num_experts=2, num_experts_per_tok=1, attn_layer_period=2,
        attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=1,
        mamba_d_state=8, use_mamba_kernels=False,
    ),
    "falcon_h1": transformers.FalconH1Config(**_ATTENTION, **_SSM, mamba_d_ssm=64),
}  # fmt: skip


def save_tiny_model(architecture: str, folder: Path, *, scale: float = 8.0) -> Path:
    """Save a random network, its weights enlarged so that what it reads matters."""
    torch.manual_seed(0)
    network = transformers.AutoModelForCausalLM.from_config(ARCHITECTURES[architecture])
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() == 2 and "A_log" not in name:
                weight.mul_(scale)
    network.save_pretrained(folder)
    save_byte_tokenizer(folder)
    return folder


def save_byte_tokenizer(folder: Path) -> None:
    """Save a tokenizer whose tokens are the 256 bytes, with a beginning-of-text token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>",
        model_max_length=128,
    )  # fmt: skip
    fast.save_pretrained(folder)
