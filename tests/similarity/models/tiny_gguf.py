"""A tiny GGUF file of a Llama shape, and the network that it was made of."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from tokenizers import pre_tokenizers

CONFIG = transformers.LlamaConfig(
    vocab_size=259, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, intermediate_size=64, max_position_embeddings=128,
    bos_token_id=0, eos_token_id=1, tie_word_embeddings=False,
)  # fmt: skip
NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "model.layers": "blk",
}  # fmt: skip


def network() -> transformers.LlamaForCausalLM:
    torch.manual_seed(0)
    made = transformers.LlamaForCausalLM(CONFIG).eval()
    with torch.no_grad():
        for weight in made.parameters():
            if weight.dim() == 2:
                weight.mul_(8.0)
    return made


def write_gguf(
    path: Path,
    *,
    architecture: str = "llama",
    without: str = "nothing",
    strange: gguf.GGMLQuantizationType | None = None,
    metadata: Callable[[gguf.GGUFWriter], object] = lambda _writer: None,
) -> Path:
    """Write the network in single precision, a tensor perhaps left out or of a strange type.

    Parameters
    ----------
    metadata
        Adds settings and tensors to the file.
    """
    path.parent.mkdir(exist_ok=True)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(CONFIG.max_position_embeddings)
    writer.add_embedding_length(CONFIG.hidden_size)
    writer.add_block_count(CONFIG.num_hidden_layers)
    writer.add_feed_forward_length(CONFIG.intermediate_size)
    writer.add_head_count(CONFIG.num_attention_heads)
    writer.add_head_count_kv(CONFIG.num_key_value_heads)
    writer.add_layer_norm_rms_eps(CONFIG.rms_norm_eps)
    writer.add_vocab_size(CONFIG.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "ab"])
    writer.add_token_types([gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.NORMAL] * 257)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    metadata(writer)
    for name, weight in network().state_dict().items():
        renamed = name
        for ours, theirs in NAMES.items():
            renamed = renamed.replace(ours, theirs)
        if renamed == without:
            continue
        if strange is not None and renamed == "output.weight":
            raw = np.zeros((CONFIG.vocab_size, 40), np.uint8)
            writer.add_tensor(renamed, raw, raw_dtype=strange)
            continue
        writer.add_tensor(renamed, _permuted(name, weight).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _permuted(name: str, weight: torch.Tensor) -> torch.Tensor:
    """Return queries and keys in the order in which llama.cpp turns them by position."""
    heads = {"q_proj": CONFIG.num_attention_heads, "k_proj": CONFIG.num_key_value_heads}
    for part, count in heads.items():
        if part in name:
            rows = weight.shape[0]
            halves = weight.reshape(count, 2, rows // count // 2, -1)
            return halves.swapaxes(1, 2).reshape(weight.shape).contiguous()
    return weight
